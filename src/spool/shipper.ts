// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, Failure } from '../base/failure.ts';
import { encodeJob, jobId, requestText, type BatchJob, type ObjectRequest, type Request } from '../queue/job.ts';
import type { Uplink } from '../queue/link.ts';
import { openReply, type AccountHead, type Grant, type Reply } from '../queue/reply.ts';
import type { Hex128 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { signBytes, type KeyId, type SigningKey } from '../record/key.ts';
import { toSeconds } from '../record/period.ts';
import { parseReceipt } from '../record/receipt.ts';
import type { KeyObject } from 'node:crypto';
import { MOST_OUTSTANDING, type FixedBatch } from './batches.ts';
import type { Spool } from './spool.ts';
import type { SpoolStream } from './streams.ts';
import { Uploader } from './uploader.ts';

export interface ShipperOptions {
  readonly spool: Spool;
  readonly uplink: Uplink;
  readonly signingKey: KeyObject;
  readonly archivers: ReadonlyMap<KeyId, SigningKey>;
  readonly clock: () => number;
  /** How long a batch waits for its receipt before it is sent again. */
  readonly againAfterMs: number;
  readonly events: ShipperEvents;
  /** A stream of which the log knows more, or other, than this spool. */
  readonly onDoubt: (stream: Hex128) => Promise<void>;
}

/** What shipping tells operators: counts and codes. */
export interface ShipperEvents {
  shipped(records: number): void;
  archived(streams: number): void;
  /** The archiver will not take a batch. */
  refused(code: string): void;
  trouble(what: 'send' | 'reply' | 'upload' | 'receipt', code: string): void;
}

/**
 * Carries fixed batches to the archiver and receipts back. Holds no state that matters: whatever has no receipt is sent again,
 * by the reconciler, after a restart, or when the archiver wants it.
 */
export class Shipper implements AsyncDisposable {
  readonly #o: ShipperOptions;
  readonly #uploader: Uploader;
  /** Per stream: sending goes in order, one batch after the other. */
  readonly #chains = new Map<number, Promise<void>>();
  /** Last seq handed to the transport since it was last rewound, and when. */
  readonly #sent = new Map<number, { seq: number; atMs: number }>();
  readonly #heads = new Map<Hex128, ((head: AccountHead) => void)[]>();
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  #heard = false;

  constructor(options: ShipperOptions) {
    this.#o = options;
    this.#uploader = new Uploader(options.spool, (stream, objects) =>
      this.#request({ kind: 'grant', connector: options.spool.keyId, stream, objects }),
    );
    options.spool.onFixed((batches) => {
      for (const stream of new Set(batches.map((batch) => batch.stream))) this.#ship(stream, false);
    });
  }

  /** Starts listening, and sends what an earlier run left. */
  async start(): Promise<void> {
    await this.#o.uplink.listen((reply) => this.#onReply(reply));
    await this.#o.spool.fixWaiting();
    this.#shipAll();
    this.#timer = setInterval(() => this.#reconcile(), Math.max(50, this.#o.againAfterMs / 4));
    this.#timer.unref();
  }

  /** Asks the log where accounts stand. Resolves with what was answered within the time; accounts without an answer are absent. */
  async askHeads(accounts: readonly Hex128[], timeoutMs: number): Promise<ReadonlyMap<Hex128, AccountHead>> {
    const answers = new Map<Hex128, AccountHead>();
    const waits = accounts.map(
      (acct) =>
        new Promise<void>((resolve) => {
          const take = (head: AccountHead): void => {
            answers.set(acct, head);
            resolve();
          };
          this.#heads.set(acct, [...(this.#heads.get(acct) ?? []), take]);
        }),
    );
    const timeout = AbortSignal.timeout(timeoutMs);
    const expired = new Promise<void>((resolve) => timeout.addEventListener('abort', () => resolve(), { once: true }));
    while (answers.size < accounts.length && !timeout.aborted && !this.#stopped) {
      await this.#request({ kind: 'heads', connector: this.#o.spool.keyId, accounts }).catch(() => undefined);
      await Promise.race([Promise.all(waits), expired, delay(ASK_AGAIN_MS)]);
    }
    return answers;
  }

  #shipAll(): void {
    for (const stream of this.#o.spool.streams()) if (stream.archivedSeq < stream.fixedSeq) this.#ship(stream, false);
  }

  /** Queues the sending of what is fixed and not yet sent; `rewind` starts again from the first batch without a receipt. */
  #ship(stream: SpoolStream, rewind: boolean): void {
    const before = this.#chains.get(stream.no) ?? Promise.resolve();
    const next = before.then(() => this.#sendWaiting(stream, rewind));
    this.#chains.set(
      stream.no,
      next.catch((error: unknown) => this.#o.events.trouble('send', codeOf(error))),
    );
  }

  async #sendWaiting(stream: SpoolStream, rewind: boolean): Promise<void> {
    if (rewind) this.#sent.delete(stream.no);
    for (;;) {
      const from = Math.max(stream.archivedSeq, this.#sent.get(stream.no)?.seq ?? -1) + 1;
      const batch = this.#o.spool.batches.unarchived(stream, from, 1)[0];
      if (batch === undefined || this.#stopped) return;
      await this.#send(batch, rewind);
      this.#sent.set(stream.no, { seq: batch.last, atMs: this.#o.clock() });
    }
  }

  async #send(batch: FixedBatch, again: boolean): Promise<void> {
    // The archiver takes a record only when the objects it names are there.
    await this.#uploader.upload(batch);
    const { records, epochs } = this.#o.spool.batches.content(batch);
    const job: BatchJob = {
      kind: 'batch',
      statement: batch.statement,
      records,
      epochs,
      since: this.#o.spool.receipts.since,
      // Until a receipt was accepted in this run, the archiver may remember one that never arrived.
      again: again || !this.#heard,
    };
    await this.#o.uplink.send(jobId(job), encodeJob(job));
    this.#o.events.shipped(records.length);
  }

  /** Sends again what waited too long for its receipt: a wiped Redis, a killed archiver, a lost reply. */
  #reconcile(): void {
    const now = this.#o.clock();
    for (const stream of this.#o.spool.streams()) {
      if (stream.archivedSeq >= stream.fixedSeq) continue;
      const sent = this.#sent.get(stream.no);
      if (sent === undefined || now - sent.atMs >= this.#o.againAfterMs) this.#ship(stream, true);
    }
  }

  async #request(request: Request): Promise<void> {
    const at = toSeconds(this.#o.clock());
    const sig = signBytes(this.#o.signingKey, requestText(request, at)).toString('base64');
    const job = { ...request, at, sig };
    await this.#o.uplink.send(jobId(job), encodeJob(job));
  }

  async #onReply(text: string): Promise<void> {
    let reply: Reply;
    try {
      reply = openReply(text, this.#o.spool.keyId, this.#o.archivers);
    } catch (error) {
      // Anybody may write to the return path; what no archiver signed is counted and ignored.
      this.#o.events.trouble('reply', error instanceof FormatError ? error.code : codeOf(error));
      return;
    }
    await this.#handle(reply);
  }

  async #handle(reply: Reply): Promise<void> {
    switch (reply.kind) {
      case 'receipt':
        return this.#onReceipt(reply.receipt);
      case 'want':
        return this.#onWant(reply.stream, reply.seq);
      case 'granted':
        return this.#uploader.granted(reply.grants as readonly Grant[]);
      case 'denied':
        return this.#uploader.denied(reply.code);
      case 'refused':
        this.#o.events.refused(reply.code);
        return reply.code === 'archive/fork' ? this.#o.onDoubt(reply.stream) : undefined;
      case 'heads':
        for (const head of reply.heads) for (const take of this.#take(head.acct)) take(head);
        return undefined;
      case 'readback':
        return this.#o.spool.receipts.acceptReadBack(reply.leaves).catch(() => undefined);
    }
  }

  #take(acct: Hex128): ((head: AccountHead) => void)[] {
    const waiting = this.#heads.get(acct) ?? [];
    this.#heads.delete(acct);
    return waiting;
  }

  async #onReceipt(text: string): Promise<void> {
    try {
      const { archived, doubtful } = await this.#o.spool.receipts.accept(parseReceipt(text));
      this.#heard = true;
      if (archived.length > 0) {
        this.#o.events.archived(archived.length);
        await this.#o.spool.fixWaiting();
      }
      for (const stream of doubtful) await this.#o.onDoubt(stream);
    } catch (error) {
      if (error instanceof Failure) throw error;
      this.#o.events.trouble('receipt', error instanceof FormatError ? error.code : codeOf(error));
    }
  }

  async #onWant(streamId: Hex128, seq: number): Promise<void> {
    const stream = this.#o.spool.streams().find(({ stream: id }) => id === streamId);
    if (stream === undefined) return;
    // The log is ahead of this spool: somebody else wrote this stream, or this is a restored copy.
    if (seq > stream.headSeq + 1) return this.#o.onDoubt(streamId);
    const sent = this.#sent.get(stream.no);
    const justSent = sent !== undefined && this.#o.clock() - sent.atMs < WANT_QUIET_MS && seq > stream.archivedSeq + 1;
    if (!justSent) this.#ship(stream, true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#uploader.stop();
    await Promise.race([Promise.all(this.#chains.values()), delay(CLOSE_MS)]);
  }
}

const ASK_AGAIN_MS = 1000;
const WANT_QUIET_MS = 200;
const CLOSE_MS = 2000;

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

export { MOST_OUTSTANDING, type ObjectRequest };
