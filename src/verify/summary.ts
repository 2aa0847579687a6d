// SPDX-License-Identifier: Apache-2.0
import type { BytesRef, Entry, EntryType, OpenEntry } from '../record/entry-types.ts';
import type { FoundCode } from './findings.ts';

// What one segment says, checked by itself and small enough to cross from one thread to another. Hashes are hex or packed bytes,
// because class instances do not survive the crossing.

/** An entry that the log's state depends on; records that are only counted stay behind. */
export interface Event {
  readonly leaf: number;
  readonly id: string;
  readonly entry: Entry;
}

/** Who signed the batches of one stream in this segment. */
export interface RunSigner {
  readonly key: string;
  readonly gen: number;
  readonly leaf: number;
  /** `unknown`: the thread did not have the key; the statements come along. */
  readonly state: 'good' | 'unknown';
  readonly statements: readonly string[];
  /** The types of the records it signed, each with the first leaf of one. */
  readonly types: ReadonlyMap<EntryType, number>;
}

/** The records of one stream in this segment, already chained to one another. */
export interface StreamRun {
  readonly stream: string;
  /** Null if the first line could not be read: nothing to continue from. */
  readonly begins: { readonly seq: number; readonly prev: string; readonly at: string } | null;
  readonly firstLeaf: number;
  readonly open: OpenEntry | null;
  /** Null if the last line could not be read. */
  readonly ends: { readonly seq: number; readonly id: string; readonly leafId: string } | null;
  readonly lastLeaf: number;
  readonly firstAt: string;
  readonly lastAt: string;
  /** Greatest `at` of the run. */
  readonly newestAt: string;
  /** Of its records but a `close`, those dated later than all behind them, in the order of leaves: where no clock went back, the last one. */
  readonly peaks: readonly { readonly leaf: number; readonly at: string }[];
  readonly records: number;
  readonly lost: number;
  readonly closedAt: string | null;
  readonly signers: readonly RunSigner[];
  /** Where ids lie in {@link SegmentSummary.ids}: triples of first seq, number of records, index. */
  readonly pieces: readonly number[];
  /** First and last use of an epoch: for the order of indices across segments. */
  readonly firstUse: EpochIndex | null;
  readonly lastUse: EpochIndex | null;
}

export interface EpochIndex {
  readonly epoch: string;
  readonly i: number;
}

export interface EpochUse {
  readonly id: string;
  readonly leaf: number;
  /** Key ids of its recipients; null if the document is missing or no epoch (already a finding). */
  readonly recipients: readonly string[] | null;
  /** Triples of first index, number of indices, leaf of the first; ascending. */
  readonly ranges: readonly number[];
  readonly newestAt: string;
}

/** The bodies of one pack, in order: 32 bytes of hash, 4 of length, 4 of leaf within the segment, each. */
export interface PackBodies {
  readonly leaf: number;
  readonly bodies: Uint8Array;
  /** False where the bodies are not what the entry claims (already a finding): only the pack as a whole can be checked. */
  readonly whole: boolean;
}

export const PACK_BODY_BYTES = 40;

export interface ObjectUse extends BytesRef {
  readonly leaf: number;
  readonly stream: string;
  readonly seq: number;
  readonly ret: string;
  readonly at: string;
}

export interface SegmentSummary {
  readonly origin: string;
  readonly first: number;
  readonly end: number;
  /** The signed checkpoint it carries. */
  readonly checkpoint: string;
  readonly edge: readonly string[];
  readonly tail: {
    readonly at: string;
    readonly key: string;
    readonly root: string;
    readonly size: number;
    readonly sig: string;
  };
  readonly digest: string;
  /** Subtree hashes of the leaves from `first` to `end`, and to each cut asked for. */
  readonly range: readonly string[];
  readonly cuts: readonly { readonly size: number; readonly range: readonly string[] }[];
  readonly counts: Readonly<Partial<Record<EntryType, number>>>;
  readonly found: readonly FoundCode[];
  /** True if lines could not be read: what follows from them is then unknown. */
  readonly unreadable: boolean;
  readonly runs: readonly StreamRun[];
  readonly events: readonly Event[];
  readonly epochs: readonly EpochUse[];
  readonly packs: readonly PackBodies[];
  readonly objects: readonly ObjectUse[];
  /** Documents that events name, by hash. */
  readonly documents: ReadonlyMap<string, string>;
  /** The ids of all its entries, 32 bytes each. */
  readonly ids: Uint8Array;
}

/** An object that is no segment. */
export interface UnreadableSegment {
  readonly malformed: string;
}
