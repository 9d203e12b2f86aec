import { listNftTable, type NftSetElement } from '@sprites/linux';
import type { LearntAddress } from './egress/address-book.ts';
import { parseMarker, slotNames } from './slot-chains.ts';

/** What an earlier server process left in the table for a slot. */
export type SlotState = {
  /** of the policy by which the addresses were learnt */
  readonly fingerprint: string;
  readonly learnt: readonly LearntAddress[];
  readonly flows: readonly string[];
};

/** Reads what the table holds of each slot with a policy; nothing when there is no table. */
export async function readKernelState(table: string): Promise<ReadonlyMap<number, SlotState>> {
  const { chains, sets } = await listNftTable(table);
  const elementsOf = (name: string): readonly NftSetElement[] => sets.get(name) ?? [];
  return new Map(
    chains.flatMap((name) => {
      const marker = parseMarker(name);
      if (marker === undefined) return [];
      const names = slotNames(marker.slot).sets;
      const learnt = elementsOf(names.learnt).map(({ key, leftS }) => ({
        address: key,
        leftMs: leftS * 1000,
      }));
      const flows = elementsOf(names.flows).map(({ key }) => key);
      return [[marker.slot, { fingerprint: marker.fingerprint, learnt, flows }]];
    }),
  );
}
