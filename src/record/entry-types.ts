// SPDX-License-Identifier: Apache-2.0
import type {
  App,
  CloseReason,
  ESCROW_ACTS,
  ESCROW_STATES,
  GapCause,
  GapScope,
  GapState,
  HOLD_STATES,
  KEY_KINDS,
  LOCK_MODES,
  STORE_CREATES,
  STORE_KINDS,
  StreamRole,
} from './vocabulary.ts';

/** UTC, whole seconds: `2026-11-22T15:02:03Z`. Milliseconds are sealed. */
export type Seconds = string;
/** 64 lower-case hex digits. */
export type Hex256 = string;
/** 32 lower-case hex digits, random or keyed: a pseudonym. */
export type Hex128 = string;

/** Bytes outside the header, by hash and length. */
export interface BytesRef {
  readonly h: Hex256;
  readonly n: number;
}

/** A record of a stream: one capture device of one account, a process, or a reader. */
interface StreamEntry {
  readonly v: 1;
  readonly at: Seconds;
  readonly stream: Hex128;
  readonly seq: number;
  /** Id of the record before; of seq 0, {@link genesisOf} its log and stream. */
  readonly prev: Hex256;
}

/** What a record with a sealed body carries. The body is `nonce || ciphertext || tag` and lies in a pack. */
export interface Sealed {
  readonly ret: string;
  readonly epoch: Hex256;
  readonly i: number;
  readonly body: BytesRef;
  readonly com: Hex256;
}

export interface ContentEntry extends StreamEntry, Sealed {
  readonly t: 'content';
  /** Objects that hold what does not fit into the body. */
  readonly obj?: readonly BytesRef[];
  readonly tag: Hex128;
}

export interface MediaEntry extends StreamEntry, Sealed {
  readonly t: 'media';
  readonly obj: readonly BytesRef[];
  readonly tag: Hex128;
}

export interface AccessEntry extends StreamEntry, Sealed {
  readonly t: 'access';
  readonly tag: Hex128;
}

export interface OpenEntry extends StreamEntry {
  readonly t: 'open';
  readonly acct: Hex128;
  readonly app: App;
  readonly role: StreamRole;
  /** Greater than that of every earlier stream of the account. */
  readonly gen: number;
  /** Id of the key that signs this stream's batches. */
  readonly key: Hex128;
  /** The last record known of the account's earlier stream. */
  readonly last?: StreamHead;
}

export interface StreamHead {
  readonly stream: Hex128;
  readonly seq: number;
  readonly id: Hex256;
}

export interface CloseEntry extends StreamEntry {
  readonly t: 'close';
  readonly reason: CloseReason;
}

/** Heads of the streams a process holds; more than 24 take several parts. */
export interface BeatEntry extends StreamEntry {
  readonly t: 'beat';
  /** `[stream, seq, id]` in ascending order of stream. */
  readonly heads: readonly (readonly [Hex128, number, Hex256])[];
  /** `[part, of]`, counted from 1. */
  readonly part: readonly [number, number];
}

export interface GapEntry extends StreamEntry, Partial<Sealed> {
  readonly t: 'gap';
  readonly cause: GapCause;
  readonly scope: GapScope;
  readonly state: GapState;
  /** Last moment known to be good, and first moment known to be good again. */
  readonly from?: Seconds;
  readonly to?: Seconds;
  /** Where the earlier stream ended, for a gap between streams. */
  readonly last?: StreamHead;
  /** How many things are missing, where that is known. */
  readonly count?: number;
  /** Id of the gap that this one closes or ends. */
  readonly ref?: Hex256;
  /** Native identity of what is missing, where one message is. */
  readonly tag?: Hex128;
}

/** Stands for records that can no longer be read. `seq` is the first of them; the chain goes on from `last`. */
export interface HoleEntry extends StreamEntry {
  readonly t: 'hole';
  readonly count: number;
  readonly last: Hex256;
}

/** An entry of the log's own writer or of an officer. */
interface LogEntry {
  readonly v: 1;
  readonly at: Seconds;
  readonly log: string;
}

/** `[first leaf, number of leaves]` */
export type LeafRange = readonly [number, number];

/**
 * A pack: the bodies of all leaves in `leaves` whose class is `ret`, in leaf order, one behind the other.
 * Offsets follow from the lengths in the headers.
 */
export interface PackEntry extends LogEntry, BytesRef {
  readonly t: 'pack';
  readonly leaves: readonly LeafRange[];
  readonly ret: string;
  readonly until: Seconds;
}

/** A pack that took over what an older pack must keep. */
export interface RepackEntry extends LogEntry, BytesRef {
  readonly t: 'repack';
  readonly from: Hex256;
  readonly leaves: readonly LeafRange[];
  readonly ret: string;
  readonly until: Seconds;
}

/** Daily: where every stream stands. `root` is over the lines `stream seq id`. */
export interface HeadsEntry extends LogEntry {
  readonly t: 'heads';
  readonly file: BytesRef;
  readonly root: Hex256;
  readonly streams: number;
}

/** A document of keys enters into force after this leaf. The document lies in the same segment. */
export interface KeyEntry extends LogEntry {
  readonly t: 'key';
  readonly doc: Hex256;
  readonly kind: (typeof KEY_KINDS)[number];
  readonly n: number;
}

/** What kind of store the log is written to from here on. */
export interface StoreEntry extends LogEntry {
  readonly t: 'store';
  readonly create: (typeof STORE_CREATES)[number];
  readonly hold: boolean;
  readonly kind: (typeof STORE_KINDS)[number];
  readonly locks: boolean;
}

/** A schedule: how long a class is kept. A later entry for the same class only lengthens. */
export interface RetentionEntry extends LogEntry {
  readonly t: 'retention';
  readonly authority: string;
  readonly class: string;
  readonly mode: (typeof LOCK_MODES)[number];
  /** ISO 8601 period of years, months and days. */
  readonly period: string;
  readonly max: string;
}

/** An officer's signature over the canonical entry without `by`. */
export interface Approval {
  readonly key: Hex128;
  readonly sig: string;
}

export interface HoldEntry extends LogEntry {
  readonly t: 'hold';
  readonly by: readonly Approval[];
  /** The hold's own pseudonym; placed once, extended and released under it. */
  readonly hold: Hex128;
  readonly matter: string;
  /** A document in the same segment: the packs and objects concerned. */
  readonly objects: BytesRef;
  readonly state: (typeof HOLD_STATES)[number];
}

export interface DispositionEntry extends LogEntry {
  readonly t: 'disposition';
  readonly authority: string;
  readonly by: readonly Approval[];
  readonly objects: BytesRef;
}

/** A ceremony with the shares of a decryption key: announced before it runs, and how it ended. */
export interface EscrowEntry extends LogEntry {
  readonly t: 'escrow';
  readonly act: (typeof ESCROW_ACTS)[number];
  readonly authority: string;
  readonly by: readonly Approval[];
  readonly ceremony: Hex128;
  /** Key id of the recipient whose private key it is about. */
  readonly key: Hex128;
  /** So many shares of so many give the key. */
  readonly need: number;
  readonly of: number;
  /** The ceremony that made the shares; this one itself, if it splits. */
  readonly split: Hex128;
  readonly state: (typeof ESCROW_STATES)[number];
}

/** All that is stored was read again by somebody who could not write it, between `from` and `at`. */
export interface ScrubEntry extends LogEntry {
  readonly t: 'scrub';
  readonly by: readonly Approval[];
  readonly from: Seconds;
  /** Leaves of the log then. */
  readonly size: number;
  /** Packs and objects read, and their bytes. */
  readonly objects: number;
  readonly bytes: number;
  readonly findings: number;
}

export type SealedEntry = ContentEntry | MediaEntry | AccessEntry;
export type StreamRecord = SealedEntry | OpenEntry | CloseEntry | BeatEntry | GapEntry | HoleEntry;
export type LogRecord =
  | PackEntry
  | RepackEntry
  | HeadsEntry
  | KeyEntry
  | StoreEntry
  | RetentionEntry
  | HoldEntry
  | DispositionEntry
  | EscrowEntry
  | ScrubEntry;
export type Entry = StreamRecord | LogRecord;
export type EntryType = Entry['t'];
