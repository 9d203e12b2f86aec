export type OrgRow = { id: string; slug: string; url_id: string; created_at: string };

export type TokenRow = {
  id: string;
  org_id: string;
  secret_hash: string;
  description: string;
  created_at: string;
};

export type SpriteRow = {
  id: string;
  org_id: string;
  name: string;
  status: string;
  slot: number;
  incarnation: number;
  image_name: string;
  image_digest: string;
  url_auth: string;
  private_access: string | null;
  labels: string;
  environment: string;
  config: string;
  created_at: string;
  updated_at: string;
  last_running_at: string | null;
  last_warming_at: string | null;
  last_started_at: string | null;
  last_active_at: string | null;
  deleted_at: string | null;
  checkpoint_count: number;
  source_checkpoint: string | null;
  restoring: string | null;
  auto_checkpoints: string | null;
  idle: string | null;
  state_since: string | null;
  last_wake: string | null;
  last_sleep: string | null;
};

export type PooledRow = { id: string; slot: number };

export type CheckpointRow = {
  sprite_id: string;
  id: string;
  sequence: number;
  comment: string | null;
  created_at: string;
  source_id: string | null;
  is_auto: number;
  health: string;
  cause: string | null;
  image_digest: string | null;
  size_bytes: number | null;
  checksum: string | null;
  verified_at: string | null;
};

export type EventRow = {
  sprite_id: string;
  sequence: number;
  at: string;
  type: string;
  message: string;
  details: string;
};

export type PolicyRow = { sprite_id: string; kind: string; body: string };

export type Tables = {
  orgs: OrgRow;
  tokens: TokenRow;
  sprites: SpriteRow;
  checkpoints: CheckpointRow;
  events: EventRow;
  pooled: PooledRow;
  policies: PolicyRow;
};
