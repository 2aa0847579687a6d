// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Hex128, Hex256, StreamHead } from '../record/entry-types.ts';
import type { App, StreamRole } from '../record/vocabulary.ts';
import { Failure } from '../base/failure.ts';
import type { Unit } from './committer.ts';
import { MAX_STREAMS } from './schema.ts';

/** A stream this spool writes or still has to ship. Owned by the committer's units; all others read. */
export interface SpoolStream {
  readonly no: number;
  readonly stream: Hex128;
  readonly acct: Hex128;
  readonly app: App;
  readonly role: StreamRole;
  readonly gen: number;
  headSeq: number;
  headId: Hex256;
  /** Last record inside a fixed, signed batch; -1 before the first. */
  fixedSeq: number;
  /** Last record proven to be in the log; -1 before the first. */
  archivedSeq: number;
  closed: boolean;
}

type StreamRow = Record<'no' | 'gen' | 'head_seq' | 'fixed_seq' | 'archived_seq' | 'closed', number> &
  Record<'stream' | 'acct' | 'app' | 'role' | 'head_id', string>;

/** The table of streams and its image in memory. */
export class Streams {
  readonly #byNo = new Map<number, SpoolStream>();
  readonly #byId = new Map<Hex128, SpoolStream>();
  readonly #insert: StatementSync;
  readonly #update: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare(
      `INSERT INTO streams(no, stream, acct, app, role, gen, head_seq, head_id, fixed_seq, archived_seq, closed, opening)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, -1, -1, 0, ?)`,
    );
    this.#update = db.prepare(
      'UPDATE streams SET head_seq = ?, head_id = ?, fixed_seq = ?, archived_seq = ?, closed = ? WHERE no = ?',
    );
    for (const row of db.prepare('SELECT * FROM streams').all() as unknown as StreamRow[]) this.#remember(fromRow(row));
  }

  all(): SpoolStream[] {
    return [...this.#byNo.values()];
  }

  get(stream: Hex128): SpoolStream | undefined {
    return this.#byId.get(stream);
  }

  /** The stream an account writes to now. */
  current(acct: Hex128): SpoolStream | undefined {
    return this.all()
      .filter((stream) => stream.acct === acct && !stream.closed)
      .toSorted((a, b) => b.gen - a.gen)[0];
  }

  latestOf(acct: Hex128): SpoolStream | undefined {
    return this.all()
      .filter((stream) => stream.acct === acct)
      .toSorted((a, b) => b.gen - a.gen)[0];
  }

  add(
    unit: Unit,
    stream: Omit<SpoolStream, 'no' | 'fixedSeq' | 'archivedSeq' | 'closed'>,
    opening: string,
  ): SpoolStream {
    const no = 1 + Math.max(0, ...this.#byNo.keys());
    if (no >= MAX_STREAMS) {
      throw new Failure('spool/streams', {
        expected: `fewer than ${MAX_STREAMS} streams`,
        got: String(no),
        fix: 'start a new spool',
      });
    }
    const added: SpoolStream = { ...stream, no, fixedSeq: -1, archivedSeq: -1, closed: false };
    const { acct, app, role, gen, headSeq, headId } = added;
    this.#insert.run(no, added.stream, acct, app, role, gen, headSeq, headId, opening);
    this.#remember(added);
    unit.undo(() => {
      this.#byNo.delete(no);
      this.#byId.delete(added.stream);
    });
    return added;
  }

  /** Changes a stream in memory; {@link flush} writes it before the commit. */
  change(
    unit: Unit,
    stream: SpoolStream,
    changes: Partial<Pick<SpoolStream, 'headSeq' | 'headId' | 'fixedSeq' | 'archivedSeq' | 'closed'>>,
  ): void {
    const before = { ...stream };
    Object.assign(stream, changes);
    this.#dirty.add(stream);
    unit.undo(() => Object.assign(stream, before));
  }

  readonly #dirty = new Set<SpoolStream>();

  /** Streams changed since the last call, written. Runs inside the transaction that changed them. */
  flush(): SpoolStream[] {
    const changed = [...this.#dirty];
    this.#dirty.clear();
    for (const { headSeq, headId, fixedSeq, archivedSeq, closed, no } of changed) {
      this.#update.run(headSeq, headId, fixedSeq, archivedSeq, closed ? 1 : 0, no);
    }
    return changed;
  }

  #remember(stream: SpoolStream): void {
    this.#byNo.set(stream.no, stream);
    this.#byId.set(stream.stream, stream);
  }
}

function fromRow(row: StreamRow): SpoolStream {
  return {
    no: row.no,
    stream: row.stream,
    acct: row.acct,
    app: row.app as App,
    role: row.role as StreamRole,
    gen: row.gen,
    headSeq: row.head_seq,
    headId: row.head_id,
    fixedSeq: row.fixed_seq,
    archivedSeq: row.archived_seq,
    closed: row.closed === 1,
  };
}

export function headOf({ stream, headSeq, headId }: SpoolStream): StreamHead {
  return { stream, seq: headSeq, id: headId };
}
