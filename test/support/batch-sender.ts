// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import {
  encodeJob,
  requestText,
  type BatchJob,
  type ObjectRequest,
  type Request,
  type SealedRecord,
} from '../../src/queue/job.ts';
import { openReply, type Reply } from '../../src/queue/reply.ts';
import { signBatch } from '../../src/record/batch.ts';
import type { Checkpoint } from '../../src/record/checkpoint.ts';
import { encodeEntry, entryId, genesisOf } from '../../src/record/entry.ts';
import type { Entry, Hex128, Hex256 } from '../../src/record/entry-types.ts';
import { FormatError } from '../../src/record/format-error.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { signBytes, type KeyId, type SigningKey } from '../../src/record/key.ts';
import type { Recipient } from '../../src/record/manifest.ts';
import type { NoteKey } from '../../src/record/note.ts';
import { toSeconds } from '../../src/record/period.ts';
import { parseReceipt, verifyReceipt } from '../../src/record/receipt.ts';
import type { SigningPair } from '../vectors/keys.ts';
import type { DirectLink } from './direct-link.ts';
import type { SeededRandom } from './random.ts';
import { standInEpoch } from './stand-in-epoch.ts';

export interface SenderParts {
  readonly origin: string;
  readonly logKey: NoteKey;
  readonly archivers: ReadonlyMap<KeyId, SigningKey>;
  readonly recipients: readonly Recipient[];
  readonly pair: SigningPair;
  readonly link: DirectLink;
  readonly random: SeededRandom;
  readonly clock: () => number;
}

export interface SentBatch {
  readonly job: Omit<BatchJob, 'since' | 'again'>;
  /** Sequence number of its last record. */
  readonly last: number;
  readonly ids: readonly Hex256[];
}

export interface SentStream {
  readonly stream: Hex128;
  readonly acct: Hex128;
  readonly gen: number;
  readonly batches: SentBatch[];
  seq: number;
  prev: Hex256;
  archived: number;
}

/** What a record is to be; the sender fills in its place. */
export type Plan =
  | {
      readonly t: 'content';
      readonly ret?: string;
      readonly size?: number;
      readonly body?: Buffer;
      readonly obj?: readonly { h: Hex256; n: number }[];
    }
  | { readonly t: 'beat' | 'close' }
  | { readonly t: 'hole'; readonly count: number };

type Loose = Record<string, unknown>;

/**
 * A connector as the archiver sees one: it signs batches, keeps each until a receipt proves it archived, and believes nothing else.
 * Bodies are random bytes: to the archiver they are nothing else.
 */
export class BatchSender {
  readonly parts: SenderParts;
  readonly streams: SentStream[] = [];
  readonly replies: Reply[] = [];
  /** Codes of receipts that did not verify. */
  readonly badReceipts: string[] = [];
  readonly checkpoints: string[] = [];
  last: Checkpoint | null = null;
  readBack = 0;
  readonly #epoch: string;
  #i = 0;
  /** Until a receipt was accepted in this run, the archiver may remember one that never arrived. */
  #heard = false;

  constructor(parts: SenderParts) {
    this.parts = parts;
    const kids = parts.recipients.map(({ kid }) => kid);
    this.#epoch = standInEpoch(kids, parts.random.hex(48));
    parts.link.listen(this.id, (text) => this.#onReply(text));
  }

  get id(): KeyId {
    return this.parts.pair.key.id;
  }

  get since(): number {
    return this.last?.size ?? 0;
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** Ids of all records so far, in the order of their streams. */
  ids(): Hex256[] {
    return this.streams.flatMap(({ batches }) => batches.flatMap(({ ids }) => ids));
  }

  backlog(): number {
    return this.streams.reduce(
      (sum, { batches, archived }) => sum + batches.filter(({ last }) => last > archived).length,
      0,
    );
  }

  /** Opens a stream with a batch of its `open` record, and others if given. */
  open(acct: Hex128 = this.parts.random.hex(16), gen = 1, plans: readonly Plan[] = []): SentStream {
    const { origin, random } = this.parts;
    const stream = random.hex(16);
    const opened = { stream, acct, gen, batches: [], seq: -1, prev: genesisOf(origin, stream), archived: -1 };
    this.streams.push(opened);
    const open = this.#record(opened, { t: 'open', acct, app: 'signal', role: 'account', gen, key: this.id });
    this.#fix(opened, [open, ...plans.map((plan) => this.#planned(opened, plan))]);
    return opened;
  }

  /** Adds one batch of these records. */
  add(stream: SentStream, plans: readonly Plan[]): SentBatch {
    return this.#fix(
      stream,
      plans.map((plan) => this.#planned(stream, plan)),
    );
  }

  /** A batch of `count` messages. */
  messages(stream: SentStream, count: number, ret = 'GRS-6.1-011', size = 300): SentBatch {
    return this.add(
      stream,
      Array.from({ length: count }, () => ({ t: 'content', ret, size })),
    );
  }

  #planned(stream: SentStream, plan: Plan): SealedRecord {
    switch (plan.t) {
      case 'beat':
        return this.#record(stream, { t: 'beat', heads: [], part: [1, 1] });
      case 'close':
        return this.#record(stream, { t: 'close', reason: 'retired' });
      case 'hole':
        return this.#record(stream, { t: 'hole', count: plan.count, last: this.parts.random.hex(32) });
      case 'content': {
        const { random } = this.parts;
        const body = plan.body ?? random.bytes(plan.size ?? 300);
        const sealed = {
          body: { h: sha256Hex(body), n: body.length },
          com: random.hex(32),
          epoch: sha256Hex(this.#epoch),
          i: this.#i++,
        };
        const rest = {
          ret: plan.ret ?? 'GRS-6.1-011',
          tag: random.hex(16),
          ...(plan.obj === undefined ? {} : { obj: plan.obj }),
        };
        return this.#record(stream, { t: 'content', ...sealed, ...rest }, body);
      }
    }
  }

  #record(stream: SentStream, members: Loose, body: Buffer | null = null): SealedRecord {
    const at = toSeconds(this.parts.clock());
    const placed = { v: 1, at, stream: stream.stream, seq: stream.seq + 1, prev: stream.prev, ...members };
    const line = encodeEntry(placed as unknown as Entry);
    const isHole = members['t'] === 'hole';
    stream.seq += isHole ? (members['count'] as number) : 1;
    stream.prev = isHole ? (members['last'] as string) : entryId(line).toString('hex');
    return { line, body };
  }

  #fix(stream: SentStream, records: readonly SealedRecord[]): SentBatch {
    const ids = records.map(({ line }) => entryId(line).toString('hex'));
    const first = (JSON.parse((records[0] as SealedRecord).line) as { seq: number }).seq;
    const { stream: id, gen } = stream;
    const batch = {
      origin: this.parts.origin,
      stream: id,
      gen,
      first,
      count: records.length,
      last: ids.at(-1) as string,
      key: this.id,
    };
    const epochs = records.some(({ body }) => body !== null) ? [this.#epoch] : [];
    const statement = signBatch(batch, this.parts.pair.privateKey);
    const fixed: SentBatch = { job: { kind: 'batch', statement, epochs, records }, last: stream.seq, ids };
    stream.batches.push(fixed);
    return fixed;
  }

  /** A batch as a job, with what the connector says of itself, or something else. */
  job(batch: SentBatch, said: Partial<Pick<BatchJob, 'since' | 'again'>> = {}): string {
    return encodeJob({ ...batch.job, since: this.since, again: !this.#heard, ...said });
  }

  async send(batch: SentBatch, said: Partial<Pick<BatchJob, 'since' | 'again'>> = {}): Promise<void> {
    await this.parts.link.send(this.job(batch, said));
  }

  /** Sends, in order, everything that has no receipt. What the archiver could not take now is left for the next time. */
  async sendAll(again = false): Promise<void> {
    for (const { batches, archived } of this.streams) {
      for (const batch of batches.filter(({ last }) => last > archived)) {
        await this.send(batch, again ? { again } : {}).catch(() => undefined);
      }
    }
  }

  /** A restart of the connector: it keeps what is on its disk. */
  restart(): void {
    this.#heard = false;
    this.parts.link.listen(this.id, (text) => this.#onReply(text));
  }

  request(request: Request, atMs = this.parts.clock()): string {
    const at = toSeconds(atMs);
    const sig = signBytes(this.parts.pair.privateKey, requestText(request, at)).toString('base64');
    return encodeJob({ ...request, at, sig });
  }

  /** Asks for grants and resolves with the last reply. */
  async ask(request: Request): Promise<Reply | undefined> {
    await this.parts.link.send(this.request(request));
    return this.replies.at(-1);
  }

  #onReply(text: string): void {
    const reply = openReply(text, this.id, this.parts.archivers);
    this.replies.push(reply);
    if (reply.kind === 'readback') this.readBack = Math.max(this.readBack, reply.leaves);
    if (reply.kind === 'receipt') this.#accept(reply.receipt);
  }

  #accept(text: string): void {
    const receipt = parseReceipt(text);
    this.checkpoints.push(receipt.checkpoint);
    try {
      this.last = verifyReceipt(receipt, this.parts.logKey, this.last);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.badReceipts.push(error.code);
      return;
    }
    this.#heard = true;
    for (const { stream: id, seq, id: leafId } of receipt.items) {
      const stream = this.streams.find((one) => one.stream === id);
      const batch = stream?.batches.find(({ last }) => last === seq);
      if (stream !== undefined && batch?.ids.at(-1) === leafId) stream.archived = Math.max(stream.archived, seq);
      else this.badReceipts.push('a receipt for another record');
    }
  }
}

/** An object and how its connector asks for it. */
export function objectOf(bytes: Buffer, ret = 'GRS-6.1-011'): ObjectRequest {
  const md5 = createHash('md5').update(bytes).digest('base64');
  return { sha256: sha256Hex(bytes), md5, size: bytes.length, ret };
}
