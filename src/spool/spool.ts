// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Failure } from '../base/failure.ts';
import type { Hex128, StreamHead } from '../record/entry-types.ts';
import { signingKeyOf, type KeyId } from '../record/key.ts';
import type { Manifest } from '../record/manifest.ts';
import type { NoteKey } from '../record/note.ts';
import type { App, CloseReason, StreamRole } from '../record/vocabulary.ts';
import { EpochSource } from '../seal/epoch-source.ts';
import { AccountSpool } from './account.ts';
import { Batches, type FixedBatch } from './batches.ts';
import { Committer, type Unit } from './committer.ts';
import { openDatabase } from './database.ts';
import { GapTable } from './gaps.ts';
import { SpoolObjects } from './objects.ts';
import { Pruner } from './prune.ts';
import { ReceiptBook } from './receipts.ts';
import { Recorder } from './recorder.ts';
import { repairRows } from './repair.ts';
import { SeenTable } from './sightings.ts';
import { SessionStore } from './session-store.ts';
import { headOf, Streams, type SpoolStream } from './streams.ts';
import { WatermarkGate, type Usage } from './watermark.ts';

export interface SpoolOptions {
  readonly directory: string;
  readonly origin: string;
  readonly manifest: Manifest;
  readonly logKey: NoteKey;
  /** Signs this connector's batches; named in the manifest. */
  readonly signingKey: KeyObject;
  /** Encrypts session state on this host. */
  readonly hostKey: KeyObject;
  /** Pseudonyms and tags are keyed with it; the same in the whole deployment. */
  readonly deploymentKey: KeyObject;
  readonly clock: () => number;
  readonly gate: (ownBytes: () => number) => WatermarkGate;
  /** Called once, when an outcome is unknown: the process must end. */
  readonly onFatal: (failure: Failure) => void;
  readonly events: SpoolEvents;
}

/** What the spool tells operators: counts and codes. */
export interface SpoolEvents {
  /** The database failed its check and was set aside, or rows could not be read. */
  doubtful(what: 'new' | 'damaged' | 'holes', count: number): void;
}

/** The parts of an open spool, for the files of this folder. */
export interface SpoolParts {
  readonly db: DatabaseSync;
  readonly options: SpoolOptions;
  readonly keyId: KeyId;
  readonly committer: Committer;
  readonly streams: Streams;
  readonly recorder: Recorder;
  readonly seen: SeenTable;
  readonly sessions: SessionStore;
  readonly gaps: GapTable;
  readonly objects: SpoolObjects;
  readonly gate: WatermarkGate;
}

/**
 * The connector's durable store. What `deliver` acknowledged is on the disk of this spool, sealed, until a receipt proved that it is
 * in the log, and seven days longer.
 */
export class Spool implements AsyncDisposable {
  readonly #parts: SpoolParts;
  readonly #batches: Batches;
  readonly receipts: ReceiptBook;
  readonly #pruner: Pruner;
  /** How this spool was found: anything but `sound` makes every account start a new stream. */
  readonly found: 'sound' | 'new' | 'damaged';
  #onFixed: (batches: readonly FixedBatch[]) => void = () => undefined;
  #fixed: FixedBatch[] = [];

  private constructor(parts: SpoolParts, batches: Batches, found: Spool['found']) {
    this.#parts = parts;
    this.#batches = batches;
    this.found = found;
    this.receipts = new ReceiptBook(parts, batches);
    this.#pruner = new Pruner(parts);
  }

  static async open(options: SpoolOptions): Promise<Spool> {
    const { db, state } = openDatabase(options.directory, options.clock());
    const streams = new Streams(db);
    const epochs = await EpochSource.start(options.manifest, options.clock());
    const keyId = signingKeyOf(options.signingKey).id;
    const batches = new Batches(db, streams, { origin: options.origin, key: keyId, privateKey: options.signingKey });
    let spool: Spool | null = null;
    const committer = new Committer(db, {
      beforeCommit: () => spool?.beforeCommit(),
      afterCommit: () => spool?.afterCommit(),
      onFatal: options.onFatal,
    });
    const objects = new SpoolObjects(db, options.directory);
    await objects.open();
    const parts: SpoolParts = {
      db,
      options,
      keyId,
      committer,
      streams,
      recorder: new Recorder(db, options.origin, streams, epochs),
      seen: new SeenTable(db),
      sessions: new SessionStore(db, options.hostKey),
      gaps: new GapTable(db),
      objects,
      gate: options.gate(() => ownBytes(db)),
    };
    spool = new Spool(parts, batches, state);
    if (state !== 'sound') options.events.doubtful(state, 0);
    await spool.#repair();
    return spool;
  }

  get keyId(): KeyId {
    return this.#parts.keyId;
  }

  get gate(): WatermarkGate {
    return this.#parts.gate;
  }

  get batches(): Batches {
    return this.#batches;
  }

  get objects(): SpoolObjects {
    return this.#parts.objects;
  }

  streams(): SpoolStream[] {
    return this.#parts.streams.all();
  }

  /** Calls back with every batch that was fixed, after the commit that fixed it. */
  onFixed(listener: (batches: readonly FixedBatch[]) => void): void {
    this.#onFixed = listener;
  }

  /** The sink of one account. Its stream must be open. */
  account(app: App, account: string, ret: string): AccountSpool {
    return new AccountSpool(this.#parts, { app, account, ret });
  }

  currentStream(acct: Hex128): SpoolStream | undefined {
    return this.#parts.streams.current(acct);
  }

  latestStream(acct: Hex128): SpoolStream | undefined {
    return this.#parts.streams.latestOf(acct);
  }

  /**
   * Opens a stream for an account or for this process. `last` is the head of the account's earlier stream, from this spool or from
   * the log. The generation is greater than any known one, and than the clock's seconds, so that it grows even when
   * neither spool nor archiver could be asked.
   */
  openStream(fields: {
    acct: Hex128;
    app: App;
    role: StreamRole;
    last: StreamHead | null;
    lastGen: number;
  }): Promise<SpoolStream> {
    const { committer, recorder, options, keyId } = this.#parts;
    const { acct, app, role, last, lastGen } = fields;
    return committer.run((unit) => {
      const nowMs = options.clock();
      const gen = Math.max(lastGen + 1, Math.floor(nowMs / 1000));
      return recorder.open(unit, nowMs, { acct, app, role, gen, key: keyId, ...(last === null ? {} : { last }) });
    });
  }

  closeStream(stream: SpoolStream, reason: CloseReason): Promise<void> {
    const { committer, recorder, streams, options } = this.#parts;
    return committer.run((unit) => {
      recorder.plain(unit, stream, options.clock(), { t: 'close', reason });
      streams.change(unit, stream, { closed: true });
    });
  }

  /** Writes the process's beat: where every stream of this spool that is open stands. */
  beat(process: SpoolStream): Promise<void> {
    const { committer, recorder, streams, options } = this.#parts;
    return committer.run((unit) => {
      const open = streams.all().filter(({ closed, no }) => !closed && no !== process.no);
      const heads = open.map(headOf).toSorted((a, b) => (a.stream < b.stream ? -1 : 1));
      const parts = Math.max(1, Math.ceil(heads.length / BEAT_HEADS));
      for (let part = 1; part <= parts; part += 1) {
        const slice = heads.slice((part - 1) * BEAT_HEADS, part * BEAT_HEADS);
        const rows = slice.map(({ stream, seq, id }) => [stream, seq, id] as const);
        recorder.plain(unit, process, options.clock(), { t: 'beat', heads: rows, part: [part, parts] });
      }
    });
  }

  /** Fixes what may be fixed now that receipts made room. */
  fixWaiting(): Promise<void> {
    return this.#parts.committer.run((unit) => this.#fix(unit, this.#parts.streams.all()));
  }

  markUploaded(hash: string): Promise<void> {
    return this.#parts.committer.run(() => this.#parts.objects.markUploaded(hash, this.#parts.options.clock()));
  }

  /** Removes what is archived, read back and old enough. Returns how many records went. */
  prune(): Promise<number> {
    return this.#pruner.prune();
  }

  /** Records that have no receipt yet. */
  backlog(): number {
    return this.streams().reduce((sum, { headSeq, archivedSeq }) => sum + headSeq - archivedSeq, 0);
  }

  private beforeCommit(): void {
    const changed = this.#parts.streams.flush();
    this.#fix({ undo: () => undefined }, changed);
    this.#parts.streams.flush();
  }

  private afterCommit(): void {
    const fixed = this.#fixed;
    this.#fixed = [];
    if (fixed.length > 0) this.#onFixed(fixed);
  }

  #fix(unit: Unit, streams: readonly SpoolStream[]): void {
    for (const stream of streams) this.#fixed.push(...this.#batches.fix(unit, stream));
  }

  async #repair(): Promise<void> {
    const holes = await repairRows(this.#parts);
    if (holes > 0) this.#parts.options.events.doubtful('holes', holes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.committer.settle().catch(() => undefined);
    this.#parts.gate[Symbol.dispose]();
    this.#parts.db.close();
  }
}

const BEAT_HEADS = 24;

function ownBytes(db: DatabaseSync): number {
  const pages = (db.prepare('PRAGMA page_count').get() as { page_count: number }).page_count;
  return pages * (db.prepare('PRAGMA page_size').get() as { page_size: number }).page_size;
}

export type { Usage };
