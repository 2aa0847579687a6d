// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { parseEntry } from '../record/entry.ts';
import type { Hex128, Hex256, StreamHead } from '../record/entry-types.ts';
import type { KeyId } from '../record/key.ts';
import type { App, StreamRole } from '../record/vocabulary.ts';
import { Failure } from '../base/failure.ts';
import type { Unit } from './committer.ts';
import { MAX_STREAMS } from './schema.ts';

/**
 * `open`: written to. `closed`: ended by a `close` record. `stopped`: in doubt; nothing more is written to it or sent of it, and
 * what it holds unsent goes into another stream.
 */
const CONDITIONS = ['open', 'closed', 'stopped'] as const;
export type StreamCondition = (typeof CONDITIONS)[number];

/** A stream this spool writes or still has to ship. Owned by the committer's units; all others read. */
export interface SpoolStream {
  readonly no: number;
  readonly stream: Hex128;
  readonly acct: Hex128;
  readonly app: App;
  readonly role: StreamRole;
  readonly gen: number;
  /** Its `open` record, as written. */
  readonly opening: string;
  headSeq: number;
  headId: Hex256;
  /** Last record inside a fixed, signed batch; -1 before the first. */
  fixedSeq: number;
  /** Last record proven to be in the log, or recorded again in another stream; -1 before the first. */
  archivedSeq: number;
  state: StreamCondition;
}

/** The key that its `open` record names, or null if the copy of that rotted. */
function openingKeyOf({ opening }: SpoolStream): KeyId | null {
  try {
    const entry = parseEntry(opening);
    return entry.t === 'open' ? entry.key : null;
  } catch {
    return null;
  }
}

/** Whether this key signs the stream's batches. One whose opening rotted counts as its own until it is repaired. */
export function isOpenedBy(stream: SpoolStream, key: KeyId): boolean {
  return (openingKeyOf(stream) ?? key) === key;
}

type StreamChange = Partial<Pick<SpoolStream, 'headSeq' | 'headId' | 'fixedSeq' | 'archivedSeq' | 'state'>>;
type StreamRow = Record<'no' | 'gen' | 'head_seq' | 'fixed_seq' | 'archived_seq', number> &
  Record<'stream' | 'acct' | 'app' | 'role' | 'head_id' | 'state' | 'opening', string>;

/** The table of streams and its image in memory. */
export class Streams {
  readonly #byNo = new Map<number, SpoolStream>();
  readonly #byId = new Map<Hex128, SpoolStream>();
  readonly #byAccount = new Map<Hex128, SpoolStream[]>();
  readonly #dirty = new Set<SpoolStream>();
  readonly #insert: StatementSync;
  readonly #update: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare(
      `INSERT INTO streams(no, stream, acct, app, role, gen, head_seq, head_id, fixed_seq, archived_seq, state, opening)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, -1, -1, 'open', ?)`,
    );
    this.#update = db.prepare(
      'UPDATE streams SET head_seq = ?, head_id = ?, fixed_seq = ?, archived_seq = ?, state = ? WHERE no = ?',
    );
    for (const row of db.prepare('SELECT * FROM streams ORDER BY no').all() as unknown as StreamRow[])
      this.#remember(fromRow(row));
  }

  all(): SpoolStream[] {
    return [...this.#byNo.values()];
  }

  get(stream: Hex128): SpoolStream | undefined {
    return this.#byId.get(stream);
  }

  /** The stream an account writes to now. */
  current(acct: Hex128): SpoolStream | undefined {
    return newest(this.#byAccount.get(acct)?.filter(({ state }) => state === 'open'));
  }

  latestOf(acct: Hex128): SpoolStream | undefined {
    return newest(this.#byAccount.get(acct));
  }

  add(unit: Unit, stream: Omit<SpoolStream, 'no' | 'fixedSeq' | 'archivedSeq' | 'state'>): SpoolStream {
    const no = 1 + this.all().reduce((most, known) => Math.max(most, known.no), 0);
    if (no >= MAX_STREAMS) {
      throw new Failure('spool/streams', {
        expected: `fewer than ${MAX_STREAMS} streams`,
        got: String(no),
        fix: 'start a new spool',
      });
    }
    const added: SpoolStream = { ...stream, no, fixedSeq: -1, archivedSeq: -1, state: 'open' };
    const { acct, app, role, gen, headSeq, headId, opening } = added;
    this.#insert.run(no, added.stream, acct, app, role, gen, headSeq, headId, opening);
    this.#remember(added);
    this.#dirty.add(added);
    unit.undo(() => this.#forget(added));
    return added;
  }

  /** Changes a stream in memory; {@link flush} writes it before the commit. */
  change(unit: Unit, stream: SpoolStream, changes: StreamChange): void {
    const { headSeq, headId, fixedSeq, archivedSeq, state } = stream;
    Object.assign(stream, changes);
    this.#dirty.add(stream);
    unit.undo(() => Object.assign(stream, { headSeq, headId, fixedSeq, archivedSeq, state }));
  }

  /** Streams changed since the last {@link flush}. */
  changed(): SpoolStream[] {
    return [...this.#dirty];
  }

  /** Writes what changed. Runs inside the transaction that changed it. */
  flush(): void {
    for (const { headSeq, headId, fixedSeq, archivedSeq, state, no } of this.#dirty) {
      this.#update.run(headSeq, headId, fixedSeq, archivedSeq, state, no);
    }
    this.#dirty.clear();
  }

  #remember(stream: SpoolStream): void {
    this.#byNo.set(stream.no, stream);
    this.#byId.set(stream.stream, stream);
    this.#byAccount.set(stream.acct, [...(this.#byAccount.get(stream.acct) ?? []), stream]);
  }

  #forget(stream: SpoolStream): void {
    this.#byNo.delete(stream.no);
    this.#byId.delete(stream.stream);
    this.#byAccount.set(stream.acct, this.#byAccount.get(stream.acct)?.filter((known) => known !== stream) ?? []);
    this.#dirty.delete(stream);
  }
}

function newest(streams: readonly SpoolStream[] | undefined): SpoolStream | undefined {
  return streams?.reduce<SpoolStream | undefined>(
    (best, stream) => (best === undefined || stream.gen > best.gen ? stream : best),
    undefined,
  );
}

function fromRow(row: StreamRow): SpoolStream {
  return {
    no: row.no,
    stream: row.stream,
    acct: row.acct,
    app: row.app as App,
    role: row.role as StreamRole,
    gen: row.gen,
    opening: row.opening,
    headSeq: row.head_seq,
    headId: row.head_id,
    fixedSeq: row.fixed_seq,
    archivedSeq: row.archived_seq,
    // A word that rotted says nothing about the stream: it is in doubt.
    state: CONDITIONS.find((condition) => condition === row.state) ?? 'stopped',
  };
}

export function headOf({ stream, headSeq, headId }: SpoolStream): StreamHead {
  return { stream, seq: headSeq, id: headId };
}
