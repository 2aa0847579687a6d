// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { codeOf, Failure } from '../base/failure.ts';
import { encodeJob, jobId, MOST_ACCOUNTS, requestText, type BatchJob, type Request } from '../queue/job.ts';
import type { Uplink } from '../queue/link.ts';
import { openReply, type AccountHead, type Reply } from '../queue/reply.ts';
import type { Hex128 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { signBytes, type KeyId, type SigningKey } from '../record/key.ts';
import { toSeconds } from '../record/period.ts';
import { parseReceipt } from '../record/receipt.ts';
import type { FixedBatch } from './batches.ts';
import { HeadsQuestions } from './heads-questions.ts';
import { Lane } from './lane.ts';
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
  /** A stream of which the log knows more, or other, than this spool, or that it will not take. */
  readonly onDoubt: (stream: Hex128) => Promise<void>;
}

/** What shipping tells operators: counts and codes. */
export interface ShipperEvents {
  shipped(records: number): void;
  archived(streams: number): void;
  /** The archiver will not take a batch. */
  refused(code: string): void;
  trouble(what: 'send' | 'reply' | 'upload' | 'receipt' | 'attach', code: string): void;
}

/** Refusals that no sending again cures, and a new stream does: the log took this one another way, or never will. */
const HOPELESS: ReadonlySet<string> = new Set([
  'archive/fork',
  'archive/bad-open',
  'archive/old-generation',
  'archive/other-key',
  'archive/closed-stream',
  'archive/broken-chain',
]);

const CLOSE_MS = 2000;

/**
 * Carries fixed batches to the archiver and receipts back. Holds no state that matters: whatever has no receipt is sent again,
 * by the reconciler, after a restart, or when the archiver wants it.
 */
export class Shipper implements AsyncDisposable {
  readonly #o: ShipperOptions;
  readonly #uploader: Uploader;
  readonly #heads: HeadsQuestions;
  readonly #lanes = new Map<number, Lane>();
  readonly #doubtful = new Set<Hex128>();
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  /** Nothing was sent in this run yet. */
  #isFirst = true;

  constructor(options: ShipperOptions) {
    this.#o = options;
    const connector = options.spool.keyId;
    this.#uploader = new Uploader(options.spool, (stream, objects) =>
      this.#request({ kind: 'grant', connector, stream, objects }),
    );
    this.#heads = new HeadsQuestions((accounts) => this.#request({ kind: 'heads', connector, accounts }));
    options.spool.onFixed((batches) => {
      for (const stream of new Set(batches.map((batch) => batch.stream))) this.#lane(stream).ship();
    });
  }

  /** Starts listening, and sends what an earlier run left. */
  async start(): Promise<void> {
    this.#holdUnasked();
    await this.#o.uplink.listen((reply) => this.#onReply(reply));
    await this.#o.spool.fixWaiting();
    for (const stream of this.#o.spool.streams()) if (stream.archivedSeq < stream.fixedSeq) this.#lane(stream).ship();
    this.#timer = setInterval(() => this.#reconcile(), Math.max(50, this.#o.againAfterMs / 4));
    this.#timer.unref();
  }

  /**
   * Of a stream that was opened unasked nothing is sent before the log has answered: it would only tell of that stream then, and of
   * no earlier one.
   */
  #holdUnasked(): void {
    const { spool } = this.#o;
    for (const acct of spool.unasked()) {
      const current = spool.currentStream(acct);
      if (current !== undefined) this.hold(current);
    }
  }

  /** Asks the log where accounts stand. Resolves with what was answered within the time; accounts without an answer are absent. */
  async askHeads(accounts: readonly Hex128[], timeoutMs: number): Promise<ReadonlyMap<Hex128, AccountHead>> {
    const asked = [];
    for (let at = 0; at < accounts.length; at += MOST_ACCOUNTS)
      asked.push(this.#heads.ask(accounts.slice(at, at + MOST_ACCOUNTS), timeoutMs));
    return new Map((await Promise.all(asked)).flatMap((answers) => [...answers]));
  }

  /** Nothing of a stream is sent until it is released. */
  hold(stream: SpoolStream): void {
    this.#lane(stream).hold();
  }

  release(stream: SpoolStream): void {
    this.#lane(stream).release();
  }

  trouble(what: Parameters<ShipperEvents['trouble']>[0], code: string): void {
    this.#o.events.trouble(what, code);
  }

  #lane(stream: SpoolStream): Lane {
    const known = this.#lanes.get(stream.no);
    if (known !== undefined) return known;
    const lane = new Lane({
      spool: this.#o.spool,
      stream,
      send: (batch, again) => this.#send(batch, again),
      onFailure: (of, error) => this.#onSendFailure(of, error),
      isStopped: () => this.#stopped,
    });
    this.#lanes.set(stream.no, lane);
    return lane;
  }

  async #send(batch: FixedBatch, again: boolean): Promise<void> {
    const { spool, uplink, events } = this.#o;
    // The archiver takes a record only when the objects it names are there.
    await this.#uploader.upload(batch);
    if (this.#stopped || spool.hasEnded) return;
    const isFirst = this.#isFirst;
    const job: BatchJob = {
      kind: 'batch',
      statement: batch.statement,
      ...spool.outbox.content(batch),
      since: spool.receipts.since,
      // The archiver may remember a receipt of an earlier run that never arrived.
      again: again || isFirst,
    };
    this.#isFirst = false;
    try {
      await uplink.send(jobId(job), encodeJob(job));
    } catch (error) {
      this.#isFirst ||= isFirst;
      throw error;
    }
    events.shipped(job.records.length);
  }

  /** What is wrong with this spool is for a new start to repair, or for a new stream; all else is tried again. */
  #onSendFailure(stream: SpoolStream, error: unknown): void {
    if (this.#stopped) return;
    const code = codeOf(error);
    this.trouble(code === 'spool/upload' || code === 'spool/no-grant' ? 'upload' : 'send', code);
    if (error instanceof Failure && error.kind === 'fatal') this.#o.spool.fail(error);
    else if (code === 'spool/object-unreadable') this.#doubt(stream.stream);
    else if (code === 'ERR_SQLITE_ERROR' || error instanceof FormatError) this.#o.spool.fail(unreadable(error));
  }

  /** Sends again what waited too long for its receipt: a wiped Redis, a killed archiver, a lost reply. */
  #reconcile(): void {
    for (const stream of this.#o.spool.streams()) this.#lanes.get(stream.no)?.reconcile(this.#o.againAfterMs);
  }

  async #request(request: Request): Promise<void> {
    const at = toSeconds(this.#o.clock());
    const sig = signBytes(this.#o.signingKey, requestText(request, at)).toString('base64');
    const job = { ...request, at, sig };
    await this.#o.uplink.send(jobId(job), encodeJob(job));
  }

  async #onReply(text: string): Promise<void> {
    if (this.#stopped) return;
    let reply: Reply;
    try {
      reply = openReply(text, this.#o.spool.keyId, this.#o.archivers);
    } catch (error) {
      // Anybody may write to the return path; what no archiver signed is counted and ignored.
      this.trouble('reply', codeOfAny(error));
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
        return this.#uploader.granted(reply.stream, reply.grants);
      case 'denied':
        return this.#uploader.denied(reply.stream, reply.code);
      case 'refused':
        this.#o.events.refused(reply.code);
        return this.#isHopeless(reply.code, reply.stream) ? this.#doubt(reply.stream) : undefined;
      case 'heads':
        return this.#heads.answered(reply.heads);
      case 'readback':
        return this.#o.spool.receipts.acceptReadBack(reply.leaves).catch(() => undefined);
    }
  }

  #isHopeless(code: string, id: Hex128): boolean {
    if (code !== 'archive/retired-recipient') return HOPELESS.has(code);
    // While this spool seals by the earlier manifest itself, a new stream would be refused as well.
    const stream = this.#o.spool.stream(id);
    return stream !== undefined && this.#o.spool.isSealedToOthers(stream);
  }

  async #onReceipt(text: string): Promise<void> {
    try {
      const { archived, doubtful } = await this.#o.spool.receipts.accept(parseReceipt(text));
      for (const stream of archived) this.#lane(stream).moved();
      if (archived.length > 0) this.#o.events.archived(archived.length);
      for (const stream of doubtful) this.#doubt(stream);
    } catch (error) {
      if (error instanceof Failure) throw error;
      this.trouble('receipt', codeOfAny(error));
    }
  }

  #onWant(id: Hex128, seq: number): void {
    const stream = this.#o.spool.stream(id);
    if (stream === undefined) return;
    // The log is ahead of this spool: somebody else wrote this stream, or this is a restored copy.
    if (seq > stream.headSeq + 1) this.#doubt(id);
    // The log has less than it has proven: that is for its operators, and nothing here can cure it.
    else if (seq <= stream.archivedSeq) this.trouble('receipt', 'archive/behind-receipt');
    else this.#lane(stream).want(seq);
  }

  /** Not awaited: dealing with doubt asks the archiver, whose answer comes by the path that called this. */
  #doubt(stream: Hex128): void {
    if (this.#doubtful.has(stream)) return;
    this.#doubtful.add(stream);
    void this.#o
      .onDoubt(stream)
      .catch((error: unknown) => this.trouble('receipt', codeOf(error)))
      .finally(() => this.#doubtful.delete(stream));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#heads.stop();
    this.#uploader.stop();
    const idle = Promise.all([...this.#lanes.values()].map((lane) => lane.idle));
    await Promise.race([idle, new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
  }
}

function codeOfAny(error: unknown): string {
  return error instanceof FormatError ? error.code : codeOf(error);
}

function unreadable(cause: unknown): Failure {
  return new Failure('spool/damaged', {
    expected: 'records and batches that can be read',
    got: codeOfAny(cause),
    fix: 'start again: rows that rotted are replaced by a hole; look at the disk',
    cause,
  });
}
