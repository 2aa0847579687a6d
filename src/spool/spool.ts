// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Failure } from '../base/failure.ts';
import { isSealedTo, type BatchRole } from '../record/enforcement.ts';
import type { Hex128, StreamHead } from '../record/entry-types.ts';
import { recipientsOf } from '../record/epoch-document.ts';
import { signingKeyOf, type KeyId } from '../record/key.ts';
import type { Manifest } from '../record/manifest.ts';
import type { NoteKey } from '../record/note.ts';
import type { App, CloseReason, StreamRole } from '../record/vocabulary.ts';
import { EpochSource } from '../seal/epoch-source.ts';
import { AccountSpool } from './account.ts';
import { Batches, type FixedBatch } from './batches.ts';
import { Committer, type Unit } from './committer.ts';
import { openDatabase, setAsideFiles } from './database.ts';
import { GapTable } from './gaps.ts';
import { goOnInNextLog } from './next-log.ts';
import { assertOwner, Meta } from './meta.ts';
import { SpoolObjects } from './objects.ts';
import { Outbox } from './outbox.ts';
import { Pruner } from './prune.ts';
import { ReceiptBook } from './receipts.ts';
import { Recorder } from './recorder.ts';
import { Remains } from './remains.ts';
import { repairRows } from './repair.ts';
import { SeenTable } from './sightings.ts';
import { SessionStore } from './session-store.ts';
import { headOf, Streams, type SpoolStream } from './streams.ts';
import { WatermarkGate } from './watermark.ts';

export interface SpoolOptions {
  readonly directory: string;
  readonly origin: string;
  /** Origin of the log that this one goes on from: a spool that wrote to that one goes on here. */
  readonly before?: string | undefined;
  /** How many leaves of that one count, where its own key could not say so. */
  readonly beforeEnd?: number | undefined;
  readonly manifest: Manifest;
  readonly logKey: NoteKey;
  /** Signs this spool's batches; named in the manifest, in the role below. */
  readonly signingKey: KeyObject;
  /** Whose spool it is: a reader's records what a reader may sign, and no messages. A connector's, if left out. */
  readonly role?: BatchRole;
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
  /**
   * `new`, `damaged`: as {@link Spool.found}. Counts records that holes stand for, streams that had to be stopped, and records of
   * a damaged database that were recorded again.
   */
  doubtful(what: 'new' | 'damaged' | 'holes' | 'stopped' | 'salvaged', count: number): void;
}

/** The parts of an open spool, for the files of this folder. */
export interface SpoolParts {
  readonly db: DatabaseSync;
  readonly options: SpoolOptions;
  readonly keyId: KeyId;
  readonly meta: Meta;
  readonly committer: Committer;
  readonly streams: Streams;
  readonly recorder: Recorder;
  readonly batches: Batches;
  readonly outbox: Outbox;
  readonly seen: SeenTable;
  readonly sessions: SessionStore;
  readonly gaps: GapTable;
  readonly remains: Remains;
  readonly objects: SpoolObjects;
  readonly gate: WatermarkGate;
}

export interface StreamOpening {
  readonly acct: Hex128;
  readonly app: App;
  readonly role: StreamRole;
  /** Head of the account's earlier stream, from this spool or from the log. */
  readonly last: StreamHead | null;
  /** Greatest generation known of the account. */
  readonly lastGen: number;
}

/**
 * The connector's durable store. What `deliver` acknowledged is on the disk of this spool, sealed, until a receipt proved that it is
 * in the log, and seven days longer.
 */
export class Spool implements AsyncDisposable {
  readonly #parts: SpoolParts;
  readonly receipts: ReceiptBook;
  readonly #pruner: Pruner;
  /** How this spool was found: anything but `sound` makes every account start a new stream. */
  readonly found: 'sound' | 'new' | 'damaged';
  #onFixed: (batches: readonly FixedBatch[]) => void = () => undefined;
  #fixed: FixedBatch[] = [];

  private constructor(parts: SpoolParts, found: Spool['found']) {
    this.#parts = parts;
    this.found = found;
    this.receipts = new ReceiptBook(parts);
    this.#pruner = new Pruner(parts);
  }

  static async open(options: SpoolOptions): Promise<Spool> {
    const { db, state } = openDatabase(options.directory, options.clock());
    try {
      const spool = await Spool.#assemble(options, db, state);
      if (state !== 'sound') options.events.doubtful(state, 0);
      const { lost, stopped } = await repairRows(spool.#parts);
      if (lost > 0) options.events.doubtful('holes', lost);
      if (stopped > 0) options.events.doubtful('stopped', stopped);
      if (setAsideFiles(options.directory).length === 0) await spool.objects.removeUnnamed();
      await spool.gate.check();
      return spool;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  static async #assemble(options: SpoolOptions, db: DatabaseSync, found: Spool['found']): Promise<Spool> {
    const meta = new Meta(db);
    goOnInNextLog(db, meta, options);
    assertOwner(db, meta, options);
    const streams = new Streams(db);
    const epochs = await EpochSource.start(options.manifest, options.clock());
    const keyId = signingKeyOf(options.signingKey).id;
    const objects = new SpoolObjects(db, options.directory);
    await objects.open();
    let spool: Spool | null = null;
    const committer = new Committer(db, {
      beforeCommit: () => spool?.beforeCommit(),
      afterCommit: () => spool?.afterCommit(),
      onFatal: options.onFatal,
    });
    spool = new Spool(
      {
        db,
        options,
        keyId,
        meta,
        committer,
        streams,
        recorder: new Recorder(db, options.origin, streams, epochs),
        batches: new Batches(db, streams, { origin: options.origin, key: keyId, privateKey: options.signingKey }),
        outbox: new Outbox(db),
        seen: new SeenTable(db, meta),
        sessions: new SessionStore(db, options.hostKey),
        gaps: new GapTable(db),
        remains: new Remains(db),
        objects,
        gate: options.gate(() => usedBytes(db) + objects.bytes),
      },
      found,
    );
    return spool;
  }

  get keyId(): KeyId {
    return this.#parts.keyId;
  }

  get gate(): WatermarkGate {
    return this.#parts.gate;
  }

  get batches(): Batches {
    return this.#parts.batches;
  }

  get outbox(): Outbox {
    return this.#parts.outbox;
  }

  get remains(): Remains {
    return this.#parts.remains;
  }

  get directory(): string {
    return this.#parts.options.directory;
  }

  get events(): SpoolEvents {
    return this.#parts.options.events;
  }

  /** True once nothing more is committed: what memory says may then be ahead of the disk. */
  get hasEnded(): boolean {
    return this.#parts.committer.hasEnded;
  }

  /** Ends this spool and the process: only a new start can put right what was found. */
  fail(failure: Failure): void {
    this.#parts.committer.fail(failure);
  }

  get objects(): SpoolObjects {
    return this.#parts.objects;
  }

  streams(): SpoolStream[] {
    return this.#parts.streams.all();
  }

  stream(stream: Hex128): SpoolStream | undefined {
    return this.#parts.streams.get(stream);
  }

  /** Accounts whose stream was opened before the log could be asked for an earlier one. */
  unasked(): ReadonlySet<Hex128> {
    return new Set(JSON.parse(this.#parts.meta.get('unasked') ?? '[]') as Hex128[]);
  }

  /** Runs inside a transaction. */
  setUnasked(acct: Hex128, isUnasked: boolean): void {
    const unasked = new Set(this.unasked());
    if (isUnasked) unasked.add(acct);
    else unasked.delete(acct);
    this.#parts.meta.set('unasked', JSON.stringify([...unasked]));
  }

  /** One transaction; see {@link Committer.run}. */
  transact<T>(work: (unit: Unit) => T): Promise<T> {
    return this.#parts.committer.run(work);
  }

  /** Calls back with every batch that was fixed, after the commit that fixed it. */
  onFixed(listener: (batches: readonly FixedBatch[]) => void): void {
    this.#onFixed = listener;
  }

  /** The sink of one account. Its stream must be open. */
  account(app: App, account: string, ret: string, device?: string): AccountSpool {
    return new AccountSpool(this.#parts, { app, account, ret, ...(device === undefined ? {} : { device }) });
  }

  currentStream(acct: Hex128): SpoolStream | undefined {
    return this.#parts.streams.current(acct);
  }

  /** True for a stream of a log before this one. */
  isOfEarlierLog({ no }: SpoolStream): boolean {
    return no <= Number(this.#parts.meta.get('earlier') ?? 0);
  }

  latestStream(acct: Hex128): SpoolStream | undefined {
    return this.#parts.streams.latestOf(acct);
  }

  /**
   * Opens a stream for an account or for this process. `last` is the head of the account's earlier stream, from this spool or from
   * the log. The generation is greater than any known one, and than the clock's seconds, so that it grows even when
   * neither spool nor archiver could be asked.
   */
  openStream(opening: StreamOpening): Promise<SpoolStream> {
    return this.#parts.committer.run((unit) => this.openStreamIn(unit, opening));
  }

  /** Like {@link openStream}, inside a transaction that does more. */
  openStreamIn(unit: Unit, { acct, app, role, last, lastGen }: StreamOpening): SpoolStream {
    const { recorder, options, keyId } = this.#parts;
    const nowMs = options.clock();
    const gen = Math.max(lastGen + 1, Math.floor(nowMs / 1000));
    return recorder.open(unit, nowMs, { acct, app, role, gen, key: keyId, ...(last === null ? {} : { last }) });
  }

  closeStream(stream: SpoolStream, reason: CloseReason): Promise<void> {
    const { committer, recorder, streams, options } = this.#parts;
    return committer.run((unit) => {
      recorder.plain(unit, stream, options.clock(), { t: 'close', reason });
      streams.change(unit, stream, { state: 'closed' });
    });
  }

  /**
   * Stops a stream without a `close` record: its chain went another way in the log. Nothing more is written to it or sent of it.
   * Runs inside the transaction that opens the next one.
   */
  stopStreamIn(unit: Unit, stream: SpoolStream): void {
    this.#parts.batches.dropFrom(unit, stream, 0);
    this.#parts.streams.change(unit, stream, { state: 'stopped' });
  }

  /** True if something unsent is sealed to others than the manifest that this spool seals by names. */
  isSealedToOthers(stream: SpoolStream): boolean {
    const { outbox, options } = this.#parts;
    const documents = outbox.documents(stream, stream.archivedSeq + 1, stream.headSeq);
    return documents.some((document) => !isSealedTo(recipientsOf(document) ?? [], options.manifest));
  }

  /** Counts a stopped stream's records up to `seq` as dealt with. Runs inside the transaction that recorded them elsewhere. */
  recordedElsewhere(unit: Unit, stream: SpoolStream, seq: number): void {
    if (seq <= stream.archivedSeq) return;
    this.#parts.batches.archive(unit, stream, seq, { leaf: 0, nowMs: this.#parts.options.clock() });
  }

  /** Time of a stream's last record, or null if its row is gone. */
  lastRecordAt(stream: SpoolStream): number | null {
    return this.#parts.outbox.timeAt(stream, stream.headSeq);
  }

  /** Writes the process's beat: where every stream of this spool that is open stands. */
  beat(process: SpoolStream): Promise<void> {
    const { committer, recorder, streams, options } = this.#parts;
    return committer.run((unit) => {
      const open = streams.all().filter(({ state, no }) => state === 'open' && no !== process.no);
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
    this.#fix({ undo: () => undefined }, this.#parts.streams.changed());
    this.#parts.streams.flush();
  }

  private afterCommit(): void {
    const fixed = this.#fixed;
    this.#fixed = [];
    if (fixed.length > 0) this.#onFixed(fixed);
  }

  #fix(unit: Unit, streams: readonly SpoolStream[]): void {
    for (const stream of streams) this.#fixed.push(...this.#parts.batches.fix(unit, stream));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.committer.close();
    this.#parts.gate[Symbol.dispose]();
    if (this.#parts.db.isOpen) this.#parts.db.close();
  }
}

const BEAT_HEADS = 24;

/** Pages that hold something: those that pruning gave back are used again. */
function usedBytes(db: DatabaseSync): number {
  const pragma = (name: string): number => Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
  return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
}
