import { SpriteError } from '@sprites/contract';

export type UnitOptions = {
  /** absolute path of the server program */
  readonly program: string;
  /** absolute path of the file with the settings */
  readonly environmentFile: string;
  readonly dataDir: string;
};

/**
 * The systemd unit of a server. Only the server's own process is ended with it: the machines live in cgroups and
 * namespaces of their own and are found again by the next start. It holds no settings, as every user may read it.
 */
export function renderUnit({ program, environmentFile, dataDir }: UnitOptions): string {
  return `# Written by sprites-server service install; settings are in ${environmentFile}.
[Unit]
Description=Sprites, persistent isolated Linux computers (${escapeSpecifiers(dataDir)})
Wants=network-online.target
After=network-online.target local-fs.target time-sync.target nftables.service firewalld.service
RequiresMountsFor=${quote(dataDir)} ${quote(program)}
StartLimitIntervalSec=600
StartLimitBurst=60

[Service]
Type=exec
EnvironmentFile=${escapeSpecifiers(environmentFile)}
ExecStart=${quote(program)} start
Restart=on-failure
RestartSec=2
# The sprites go on running when the server stops, restarts or is upgraded.
KillMode=process
TimeoutStopSec=60
LimitNOFILE=1048576
TasksMax=infinity
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
`;
}

/** systemd takes % for a specifier. */
function escapeSpecifiers(text: string): string {
  if (/[\n\r\0]/.test(text)) {
    throw new SpriteError(
      'invalid_request',
      `${JSON.stringify(text)} cannot stand in a unit: it has a line break`,
    );
  }
  return text.replaceAll('%', '%%');
}

function quote(path: string): string {
  const escaped = escapeSpecifiers(path).replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  return /^[\w/.:@%+-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}
