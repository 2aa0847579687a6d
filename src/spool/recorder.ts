// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { encodeEntry, entryId, genesisOf, parseEntry } from '../record/entry.ts';
import type {
  AccessEntry,
  BeatEntry,
  BytesRef,
  CloseEntry,
  ContentEntry,
  GapEntry,
  HoleEntry,
  Hex128,
  Hex256,
  MediaEntry,
  OpenEntry,
  SealedEntry,
} from '../record/entry-types.ts';
import { toSeconds } from '../record/period.ts';
import type { Epoch } from '../seal/epoch.ts';
import type { EpochSource } from '../seal/epoch-source.ts';
import { associatedData, renderHeader, type Bodiless } from '../seal/header.ts';
import { sealBody, sealedFields, type Prepared } from '../seal/seal.ts';
import type { Unit } from './committer.ts';
import { rowId } from './schema.ts';
import type { SpoolStream, Streams } from './streams.ts';

type Chained = 'v' | 'at' | 'stream' | 'seq' | 'prev';
type SealedMembers = 'epoch' | 'i' | 'com' | 'body';
/** What the caller says of a record; the recorder numbers, chains and seals. */
export type PlainFields =
  | Omit<CloseEntry, Chained>
  | Omit<BeatEntry, Chained>
  | Omit<GapEntry, Chained | SealedMembers | 'ret'>;
export type SealedRecordFields =
  | Omit<ContentEntry, Chained | SealedMembers>
  | Omit<MediaEntry, Chained | SealedMembers>
  | Omit<AccessEntry, Chained | SealedMembers>
  | (Omit<GapEntry, Chained | SealedMembers> & { readonly ret: string });
export type OpenFields = Pick<OpenEntry, 'acct' | 'app' | 'role' | 'gen' | 'key' | 'last'>;

export interface Recorded {
  readonly seq: number;
  readonly id: Hex256;
}

/** Appends records to streams: number, chain, seal, row. Runs only inside the committer's units. */
export class Recorder {
  readonly #origin: string;
  readonly #streams: Streams;
  readonly #epochs: EpochSource;
  readonly #insertRecord: StatementSync;
  readonly #insertEpoch: StatementSync;
  /** Epochs whose document is in the database; forgotten on any rollback, which costs one statement. */
  #stored = new Set<Hex256>();
  readonly #knownClasses = new Set<string>();

  constructor(db: DatabaseSync, origin: string, streams: Streams, epochs: EpochSource) {
    this.#origin = origin;
    this.#streams = streams;
    this.#epochs = epochs;
    this.#insertRecord = db.prepare('INSERT INTO records(rid, id, line, body) VALUES (?, ?, ?, ?)');
    this.#insertEpoch = db.prepare('INSERT OR IGNORE INTO epochs(id, document, first_ms) VALUES (?, ?, ?)');
  }

  /** Starts a stream with its `open` record. */
  open(unit: Unit, nowMs: number, fields: OpenFields): SpoolStream {
    const stream: Hex128 = randomBytes(16).toString('hex');
    const line = encodeEntry({
      v: 1,
      at: toSeconds(nowMs),
      stream,
      seq: 0,
      prev: genesisOf(this.#origin, stream),
      t: 'open',
      ...fields,
    });
    const { acct, app, role, gen } = fields;
    const id = entryId(line);
    const opened = this.#streams.add(unit, {
      stream,
      acct,
      app,
      role,
      gen,
      headSeq: 0,
      headId: id.toString('hex'),
      opening: line,
    });
    this.#insertRecord.run(rowId(opened.no, 0), id, line, null);
    return opened;
  }

  /** A record without a body. */
  plain(unit: Unit, stream: SpoolStream, nowMs: number, fields: PlainFields): Recorded {
    return this.#append(unit, stream, encodeEntry({ ...chained(stream, nowMs), ...fields }), null);
  }

  /** A record with a sealed body. `prepared` is consumed. */
  sealed(unit: Unit, stream: SpoolStream, nowMs: number, fields: SealedRecordFields, prepared: Prepared): Recorded {
    const epoch = this.#epochs.current(nowMs);
    this.#storeEpoch(unit, epoch, nowMs);
    const sealing = sealedFields(epoch, prepared);
    const header = { ...chained(stream, nowMs), ...fields, ...sealing } as Bodiless<SealedEntry | GapEntry>;
    const body = sealBody(epoch, sealing.i, prepared.padded, associatedData(header));
    const line = renderHeader(header, body.ref);
    this.#assertWellFormed(line, fields);
    return this.#append(unit, stream, line, body.bytes);
  }

  /** Nothing ill-formed is ever written. In plain content only the class is not ours: it is looked at once. */
  #assertWellFormed(line: string, fields: SealedRecordFields): void {
    const isPlain = fields.t === 'content' && fields.obj === undefined;
    if (isPlain && this.#knownClasses.has(fields.ret)) return;
    parseEntry(line);
    this.#knownClasses.add(fields.ret);
  }

  /** Writes a hole over rows that can no longer be read; the chain goes on from `last`. */
  hole(stream: SpoolStream, nowMs: number, hole: Pick<HoleEntry, 'seq' | 'prev' | 'count' | 'last'>): void {
    const line = encodeEntry({ v: 1, at: toSeconds(nowMs), stream: stream.stream, t: 'hole', ...hole });
    this.#insertRecord.run(rowId(stream.no, hole.seq), entryId(line), line, null);
  }

  #append(unit: Unit, stream: SpoolStream, line: string, body: Buffer | null): Recorded {
    const seq = stream.headSeq + 1;
    const hash = entryId(line);
    const id = hash.toString('hex');
    this.#insertRecord.run(rowId(stream.no, seq), hash, line, body);
    this.#streams.change(unit, stream, { headSeq: seq, headId: id });
    return { seq, id };
  }

  #storeEpoch(unit: Unit, epoch: Epoch, nowMs: number): void {
    if (this.#stored.has(epoch.id)) return;
    this.#insertEpoch.run(epoch.id, epoch.text, nowMs);
    this.#stored = new Set([epoch.id]);
    unit.undo(() => this.#stored.clear());
  }
}

function chained(stream: SpoolStream, nowMs: number): { v: 1; at: string; stream: Hex128; seq: number; prev: Hex256 } {
  return { v: 1, at: toSeconds(nowMs), stream: stream.stream, seq: stream.headSeq + 1, prev: stream.headId };
}

/** An object's reference as headers carry it. */
export function refOf(hash: Hex256, size: number): BytesRef {
  return { h: hash, n: size };
}
