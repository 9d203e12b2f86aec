import { nftObjects } from './nft.ts';
import { runTool, ToolError } from './tool.ts';

/** a table with tens of thousands of elements */
const outputLimitBytes = 64 * 1024 * 1024;

/** An element of a set; numbers the set does not keep are 0. */
export type NftSetElement = {
  /** its value; parts of a joined one with blanks between */
  readonly key: string;
  /** seconds until it goes */
  readonly leftS: number;
  readonly packets: number;
  readonly bytes: number;
};

/** Names of the chains and elements of the sets of a table of family `inet`; both empty when there is no such table. */
export async function listNftTable(table: string): Promise<{
  readonly chains: readonly string[];
  readonly sets: ReadonlyMap<string, readonly NftSetElement[]>;
}> {
  const output = await listJson(['table', 'inet', table]);
  const chains = nftObjects(output, 'chain').flatMap(({ name }) => (typeof name === 'string' ? [name] : []));
  const sets = nftObjects(output, 'set').flatMap((set): [string, readonly NftSetElement[]][] =>
    typeof set.name === 'string' ? [[set.name, toElements(set.elem)]] : [],
  );
  return { chains, sets: new Map(sets) };
}

/** Elements of a set of a table of family `inet`; none when there is no such set. */
export async function listNftSet(table: string, set: string): Promise<readonly NftSetElement[]> {
  const output = await listJson(['set', 'inet', table, set]);
  return nftObjects(output, 'set').flatMap(({ elem }) => toElements(elem));
}

async function listJson(what: readonly string[]): Promise<unknown> {
  try {
    return JSON.parse(await runTool(['nft', '-j', 'list', ...what], { outputLimitBytes }));
  } catch (error) {
    if (error instanceof ToolError && error.tail.includes('No such file or directory')) return undefined;
    throw error;
  }
}

function toElements(list: unknown): readonly NftSetElement[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((each: unknown) => {
    const element = member(each, 'elem') ?? each;
    const key = toKey(member(element, 'val') ?? element);
    if (key === undefined) return [];
    const counter = member(element, 'counter');
    return [
      {
        key,
        leftS: toNumber(member(element, 'expires')),
        packets: toNumber(member(counter, 'packets')),
        bytes: toNumber(member(counter, 'bytes')),
      },
    ];
  });
}

function toKey(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  const parts = member(value, 'concat');
  return Array.isArray(parts) ? parts.map(String).join(' ') : undefined;
}

function toNumber(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
