import { runTool, ToolError } from './tool.ts';

/** An address on one of the host's interfaces. */
export type HostAddress = {
  readonly device: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly label: string | undefined;
};

/** A route of the host, from any table; `type` is `unicast`, `local`, `unreachable` and so on. */
export type HostRoute = {
  readonly type: string;
  /** `default`, an address or a CIDR */
  readonly destination: string;
  readonly device: string | undefined;
  readonly protocol: string | undefined;
};

/** Runs lines of `ip` commands in one process; stops at the first that fails and throws its message. */
export async function ipBatch(lines: readonly string[], signal?: AbortSignal): Promise<void> {
  if (lines.length === 0) return;
  await runTool(['ip', '-b', '-'], { input: `${lines.join('\n')}\n`, signal });
}

/** Like `ipBatch`, but goes on after a line that fails: for removing what may already be gone. */
export async function ipBatchForce(lines: readonly string[], signal?: AbortSignal): Promise<void> {
  if (lines.length === 0) return;
  try {
    await runTool(['ip', '-force', '-b', '-'], { input: `${lines.join('\n')}\n`, signal });
  } catch (error) {
    // Status 1 means that some line failed, which is what the caller allows for.
    if (!(error instanceof ToolError) || error.exitCode !== 1) throw error;
  }
}

/** The host's IPv4 addresses. */
export async function listHostAddresses(signal?: AbortSignal): Promise<readonly HostAddress[]> {
  const links = await ipJson(['-4', 'addr', 'show'], signal);
  return links.flatMap((link) =>
    records(link.addr_info).map((info) => ({
      device: text(link.ifname) ?? '',
      address: text(info.local) ?? '',
      prefixLength: Number(info.prefixlen),
      label: text(info.label),
    })),
  );
}

/** The host's IPv4 routes that lie inside or around the CIDR, the default route included. */
export async function listHostRoutes(cidr: string, signal?: AbortSignal): Promise<readonly HostRoute[]> {
  const around = await ipJson(['-4', '-d', 'route', 'show', 'table', 'all', 'match', cidr], signal);
  const inside = await ipJson(['-4', '-d', 'route', 'show', 'table', 'all', 'root', cidr], signal);
  return [...around, ...inside].map((route) => ({
    type: text(route.type) ?? 'unicast',
    destination: text(route.dst) ?? '',
    device: text(route.dev),
    protocol: text(route.protocol),
  }));
}

/** Names of the host's interfaces. */
export async function listLinkNames(signal?: AbortSignal): Promise<readonly string[]> {
  const links = await ipJson(['-br', 'link', 'show'], signal);
  return links.map((link) => text(link.ifname) ?? '');
}

async function ipJson(
  args: readonly string[],
  signal?: AbortSignal,
): Promise<readonly Record<string, unknown>[]> {
  const output = await runTool(['ip', '-j', ...args], { signal });
  return output.trim() === '' ? [] : records(JSON.parse(output));
}

function records(value: unknown): readonly Record<string, unknown>[] {
  if (!Array.isArray(value)) return [];
  return value.filter((each): each is Record<string, unknown> => typeof each === 'object' && each !== null);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
