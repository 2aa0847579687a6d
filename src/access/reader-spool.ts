// SPDX-License-Identifier: AGPL-3.0-or-later
import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { codeOf, Failure } from '../base/failure.ts';
import { encodeJob, jobId, type ApprovedJob } from '../queue/job.ts';
import type { Uplink } from '../queue/link.ts';
import type { KeyId, SigningKey } from '../record/key.ts';
import { signersOf, type Manifest } from '../record/manifest.ts';
import type { NoteKey } from '../record/note.ts';
import type { AccessCapture, AccountSpool } from '../spool/account.ts';
import { Attachments } from '../spool/attach.ts';
import { Shipper } from '../spool/shipper.ts';
import { Spool } from '../spool/spool.ts';
import { volumeUsage, WatermarkGate, WATERMARKS } from '../spool/watermark.ts';
import { Turn } from './turn.ts';

export interface ReaderSpoolOptions {
  readonly directory: string;
  readonly origin: string;
  /** Origin of the log that this one goes on from. */
  readonly before?: string | undefined;
  readonly beforeEnd?: number | undefined;
  readonly manifest: Manifest;
  readonly logKey: NoteKey;
  /** Signs what this reader does; the manifest names it as `reader`. */
  readonly signingKey: KeyObject;
  /** The reader's label in the config. */
  readonly name: string;
  /** Class of the records. */
  readonly retention: string;
  readonly clock: () => number;
  /** The way to the archiver, made anew each time the spool is opened; null where this process has none: records wait then. */
  readonly uplink: ((reader: KeyId) => Promise<Uplink>) | null;
  readonly events: ReaderSpoolEvents;
}

/** What operators are told: counts and codes. */
export interface ReaderSpoolEvents {
  shipped(records: number): void;
  refused(code: string): void;
  trouble(what: string, code: string): void;
  doubtful(what: string, count: number): void;
  streamOpened(reader: string, stream: string, cause: string): void;
}

const AGAIN_AFTER_MS = 30_000;
/** The log is asked where this reader's stream stands; whoever waits for an answer does not wait for that. */
const HEADS_TIMEOUT_MS = 1000;

/**
 * A reader's own spool, open for a while: the connector's, with the same promises, for what a reader may sign. Doubt about it opens a
 * new stream as there; what the old one held unsent is recorded again as `access`.
 */
export class ReaderSpool implements AsyncDisposable {
  readonly turn: Turn;
  readonly #spool: Spool;
  readonly #sink: AccountSpool;
  readonly #uplink: Uplink;
  readonly #rest: AsyncDisposableStack;

  private constructor(
    turn: Turn,
    { spool, sink, uplink }: { spool: Spool; sink: AccountSpool; uplink: Uplink },
    rest: AsyncDisposableStack,
  ) {
    this.turn = turn;
    this.#spool = spool;
    this.#sink = sink;
    this.#uplink = uplink;
    this.#rest = rest;
  }

  /** `onFatal`: what was acknowledged is on the disk, and nothing more can be: this spool is to be opened anew. */
  static async open(options: ReaderSpoolOptions, onFatal: () => void, waitMs?: number): Promise<ReaderSpool> {
    await using parts = new AsyncDisposableStack();
    const turn = parts.use(await Turn.take(options.directory, waitMs));
    const spool = parts.use(await openSpool(options, onFatal));
    const sink = spool.account('holdfast', options.name, options.retention);
    const uplink = await attach(options, spool, sink, parts);
    return new ReaderSpool(turn, { spool, sink, uplink }, parts.move());
  }

  /** Resolves once all are durable. */
  async record(captures: readonly AccessCapture[]): Promise<void> {
    if (this.#spool.gate.level === 'stop') {
      throw new Failure('spool/full', { expected: 'space for the records of looks', got: 'a full volume' });
    }
    await this.#sink.deliverWith(captures, {});
  }

  /** Records that have no receipt yet. */
  get backlog(): number {
    return this.#spool.backlog();
  }

  /** Sends something that is no record of this spool's. Resolves when the transport has it, which is not "logged". */
  async carry(job: ApprovedJob): Promise<void> {
    await this.#uplink.send(jobId(job), encodeJob(job));
  }

  /** Removes what is archived, read back and a week old. */
  prune(): Promise<number> {
    return this.#spool.prune();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rest[Symbol.asyncDispose]();
  }
}

function openSpool(options: ReaderSpoolOptions, onFatal: () => void): Promise<Spool> {
  const { directory, origin, before, beforeEnd, manifest, logKey, signingKey, clock, events } = options;
  return Spool.open({
    directory,
    origin,
    before,
    beforeEnd,
    manifest,
    logKey,
    signingKey,
    role: 'reader',
    hostKey: ownKey(signingKey, 'host'),
    deploymentKey: ownKey(signingKey, 'pseudonyms'),
    clock,
    gate: (ownBytes) =>
      new WatermarkGate(volumeUsage(directory, ownBytes), WATERMARKS, (level) => {
        if (level !== 'normal') events.trouble('reader-spool', `spool/${level}`);
      }),
    onFatal,
    events: { doubtful: (what, count) => events.doubtful(what, count) },
  });
}

/** Pseudonyms of a reader need no secret that connectors share: what only its signing key gives is its own. */
function ownKey(signingKey: KeyObject, what: string): KeyObject {
  const seed = Buffer.from(String(signingKey.export({ format: 'jwk' }).d), 'base64url');
  return createSecretKey(Buffer.from(hkdfSync('sha256', seed, '', `holdfast reader ${what} v1`, 32)));
}

/** Gives the reader its stream, and ships what waits if there is a way. */
async function attach(
  { name, uplink, signingKey, manifest, clock, events }: ReaderSpoolOptions,
  spool: Spool,
  sink: AccountSpool,
  parts: AsyncDisposableStack,
): Promise<Uplink> {
  const late: { attachments?: Attachments } = {};
  const archivers: ReadonlyMap<KeyId, SigningKey> = signersOf(manifest, 'archiver');
  // Disposed of after the shipper has stopped, whose questions it waits for.
  parts.defer(async () => late.attachments?.settled());
  const way = parts.use(uplink === null ? noWay() : await uplink(spool.keyId));
  const shipper = parts.use(
    new Shipper({
      spool,
      uplink: way,
      signingKey,
      archivers,
      clock,
      againAfterMs: AGAIN_AFTER_MS,
      events: {
        shipped: (records) => events.shipped(records),
        archived: () => undefined,
        refused: (code) => events.refused(code),
        trouble: (what, code) => {
          if (uplink !== null) events.trouble(what, code);
        },
      },
      onDoubt: (stream) => late.attachments?.doubt(stream) ?? Promise.resolve(),
    }),
  );
  late.attachments = new Attachments(
    spool,
    shipper,
    [{ app: 'holdfast', name, sink }],
    clock,
    { streamOpened: (account, stream, cause) => events.streamOpened(account, stream, cause) },
    { headsTimeoutMs: uplink === null ? 0 : HEADS_TIMEOUT_MS, doubtPauseMs: 60_000 },
  );
  await shipper.start();
  await late.attachments.attach();
  return way;
}

/** Where this process has no way to the archiver: what is recorded waits on the disk for one that has. */
function noWay(): Uplink {
  return {
    connected: false,
    send: async () => {
      throw new Failure('queue/closed', { expected: 'a way to the archiver', got: 'none in this process' });
    },
    listen: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

export function unrecorded(cause: unknown): Failure {
  return new Failure('access/unrecorded', {
    expected: 'the record of this look on the disk of the reader’s spool',
    got: codeOf(cause),
    fix: 'nothing was shown: look at `reader.spool`, its disk and its permissions',
    cause,
  });
}
