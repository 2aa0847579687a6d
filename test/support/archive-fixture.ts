// SPDX-License-Identifier: AGPL-3.0-or-later
import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Archiver } from '../../src/archive/archiver.ts';
import { openDirStore } from '../../src/archive/dir-store.ts';
import type { ArchiveStore } from '../../src/archive/store.ts';
import type { Capture } from '../../src/connectors/connector.ts';
import { InProcessLink } from '../../src/queue/in-process.ts';
import { openManifest, signersOf, signManifest } from '../../src/record/manifest.ts';
import type { View } from '../../src/record/message.ts';
import { noteKey } from '../../src/record/note.ts';
import type { Trust } from '../../src/record/trust.ts';
import type { App } from '../../src/record/vocabulary.ts';
import type { AccountSpool } from '../../src/spool/account.ts';
import { Shipper } from '../../src/spool/shipper.ts';
import { Spool } from '../../src/spool/spool.ts';
import type { SpoolStream } from '../../src/spool/streams.ts';
import { WatermarkGate } from '../../src/spool/watermark.ts';
import {
  ARCHIVER,
  CONNECTOR,
  ESCROW,
  LOG,
  ORIGIN,
  READER,
  READER_SIGNING,
  ROOT,
  signingPair,
} from '../vectors/keys.ts';

// A small archive as the real spool, queue and archiver write it, on a clock of its own. Keys are those of the vectors.

export const OFFICER = signingPair('officer');
export const SECOND_OFFICER = signingPair('second officer');
export const SECOND_CONNECTOR = signingPair('second connector');
export const LONG_CLASS = 'GRS-6.1-011';
export const SHORT_CLASS = 'GRS-6.1-012';
export const TRUST: Trust = { origin: ORIGIN, root: ROOT.key, log: noteKey(ORIGIN, LOG.key) };

const HOUR_MS = 3_600_000;
const START_MS = Date.parse('2026-11-22T09:00:00Z');
const pub = ({ key }: { key: { raw: Buffer } }): string => key.raw.toString('base64');

export const MANIFEST = signManifest(
  {
    origin: ORIGIN,
    n: 0,
    at: '2026-11-22T08:00:00Z',
    previous: null,
    evaluation: true,
    recipients: [READER.recipient, ESCROW.recipient],
    signers: [
      { role: 'archiver', name: 'archiver', pub: pub(ARCHIVER) },
      { role: 'connector', name: 'connector', pub: pub(CONNECTOR) },
      { role: 'connector', name: 'second-connector', pub: pub(SECOND_CONNECTOR) },
      { role: 'officer', name: 'officer', pub: pub(OFFICER) },
      { role: 'officer', name: 'second-officer', pub: pub(SECOND_OFFICER) },
      { role: 'reader', name: 'reader-signing', pub: pub(READER_SIGNING) },
    ],
  },
  ROOT.privateKey,
);

/** Counts and codes that operators would see; here nobody looks, but a refusal is a bug of the fixture. */
function quietEvents<T extends object>(loud: readonly string[], fail: (name: string) => void): T {
  return new Proxy({} as T, {
    get: (_target, name) => (): void => {
      if (loud.includes(String(name))) fail(String(name));
    },
  });
}

/** The writer's side of an archive that is being made. */
export class ArchiveMaker implements AsyncDisposable {
  readonly directory: string;
  nowMs = START_MS;
  #archiver!: Archiver;
  #spool!: Spool;
  #shipper!: Shipper;
  #process!: SpoolStream;
  /** For others that send to the archiver. */
  readonly link = new InProcessLink();
  #failed: string | null = null;
  #count = 0;

  readonly #openStore: () => Promise<ArchiveStore>;

  /** Spool and archive lie in `directory`, unless `openStore` says where the archive is. */
  constructor(
    directory: string,
    openStore: () => Promise<ArchiveStore> = () => openDirStore(join(directory, 'archive'), this.#clock),
  ) {
    this.directory = directory;
    this.#openStore = openStore;
  }

  get archiver(): Archiver {
    return this.#archiver;
  }

  readonly #clock = (): number => this.nowMs;

  async start(): Promise<void> {
    const { link } = this;
    const fail = (what: string): void => void (this.#failed ??= what);
    this.#archiver = await Archiver.start({
      store: await this.#openStore(),
      downlink: link.downlink(),
      origin: ORIGIN,
      root: ROOT.key,
      logKey: TRUST.log,
      keys: { log: LOG.privateKey, archiver: ARCHIVER.privateKey, archiverPublic: ARCHIVER.key },
      manifest: MANIFEST,
      schedules: [
        { class: LONG_CLASS, mode: 'COMPLIANCE', period: 'P7Y', max: 'P10Y', authority: 'NARA GRS 6.1 item 011' },
        { class: SHORT_CLASS, mode: 'COMPLIANCE', period: 'P3Y', max: 'P5Y', authority: 'NARA GRS 6.1 item 012' },
      ],
      confirmedRetention: true,
      // Segments are written when the fixture says so.
      rhythm: { maxBytes: 4 * 2 ** 20, maxDelayMs: HOUR_MS },
      headsEveryMs: 2 * HOUR_MS,
      readBackAfterMs: HOUR_MS,
      clock: this.#clock,
      events: quietEvents(['refused', 'trouble', 'unscheduledClass'], fail),
      onFatal: (error) => fail(String(error)),
    });
    this.#spool = await Spool.open({
      directory: join(this.directory, 'spool'),
      origin: ORIGIN,
      manifest: openManifest(MANIFEST, ROOT.key, ORIGIN),
      logKey: TRUST.log,
      signingKey: CONNECTOR.privateKey,
      hostKey: createSecretKey(randomBytes(32)),
      deploymentKey: createSecretKey(randomBytes(32)),
      clock: this.#clock,
      gate: () =>
        new WatermarkGate(
          async () => ({ used: 1, total: 10 }),
          { alarm: 0.8, stop: 0.9 },
          () => undefined,
        ),
      onFatal: (failure) => fail(failure.code),
      events: quietEvents([], fail),
    });
    this.#shipper = new Shipper({
      spool: this.#spool,
      uplink: link.uplink(this.#spool.keyId),
      signingKey: CONNECTOR.privateKey,
      archivers: signersOf(openManifest(MANIFEST, ROOT.key, ORIGIN), 'archiver'),
      clock: this.#clock,
      againAfterMs: HOUR_MS,
      events: quietEvents(['refused'], fail),
      onDoubt: async () => fail('doubt'),
    });
    await this.#shipper.start();
    const { acct } = this.#spool.account('holdfast', 'connector', LONG_CLASS);
    this.#process = await this.#spool.openStream({ acct, app: 'holdfast', role: 'process', last: null, lastGen: 0 });
  }

  /** An account with an open stream. */
  async account(app: App, account: string, ret: string): Promise<AccountSpool> {
    const sink = this.#spool.account(app, account, ret);
    await this.#spool.openStream({ acct: sink.acct, app, role: 'account', last: null, lastGen: 0 });
    return sink;
  }

  /** Messages that arrive together, and so go into one batch. */
  async say(sink: AccountSpool, ...texts: readonly string[]): Promise<void> {
    await sink.deliver(texts.map((text) => this.#content(text)));
  }

  #content(text: string): Capture {
    this.#count += 1;
    const native = { chat: 'chat', sender: 'sender', id: String(this.#count), kind: 'message', revision: '0' };
    const capture = { type: 'content' as const, native, via: 'webhook', atMs: this.nowMs, view: viewOf(text) };
    return { ...capture, raw: Buffer.from(text) };
  }

  async send(sink: AccountSpool, bytes: Buffer): Promise<void> {
    this.#count += 1;
    await sink.deliverMedia({
      native: { chat: 'chat', sender: 'sender', id: String(this.#count), kind: 'attachment', revision: '0' },
      via: 'webhook',
      atMs: this.nowMs,
      view: () => viewOf('an attachment'),
      raw: Buffer.alloc(0),
      bytes: (async function* () {
        yield bytes;
      })(),
    });
  }

  /** Opens a gap over the account, or closes the one with id `ref`. */
  async gap(sink: AccountSpool, ref?: string): Promise<string> {
    const times = { atMs: this.nowMs, fromMs: this.nowMs - 60_000, toMs: this.nowMs };
    const state = ref === undefined ? ('open' as const) : ('closed' as const);
    const gap = {
      type: 'gap',
      cause: 'unlinked',
      scope: 'account',
      state,
      via: 'rest',
      raw: Buffer.alloc(0),
      ...times,
    } as const;
    const [delivered] = await sink.deliver([{ ...gap, view: viewOf('a gap'), ...(ref === undefined ? {} : { ref }) }]);
    return delivered?.id ?? '';
  }

  /** Closes the account's stream and opens the next one behind it. */
  async reopen(sink: AccountSpool, app: App): Promise<void> {
    const old = this.#spool.currentStream(sink.acct) as SpoolStream;
    await this.#spool.closeStream(old, 'superseded');
    const last = { stream: old.stream, seq: old.headSeq, id: old.headId };
    await this.#spool.openStream({ acct: sink.acct, app, role: 'account', last, lastGen: old.gen });
  }

  async beat(): Promise<void> {
    await this.#spool.beat(this.#process);
  }

  /** An hour passes, and the process says that it lives. */
  async hour(): Promise<void> {
    this.nowMs += HOUR_MS;
    await this.beat();
  }

  /** Everything that was captured is in the log when this resolves. */
  async archive(): Promise<void> {
    for (let round = 0; this.#spool.backlog() > 0; round += 1) {
      if (this.#failed !== null) throw new Error(`the fixture failed: ${this.#failed}`);
      if (round > 1000) throw new Error('the fixture does not drain');
      await sleep(10);
      await this.#archiver.flush();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#shipper[Symbol.asyncDispose]();
    await this.#archiver[Symbol.asyncDispose]();
    await this.#spool[Symbol.asyncDispose]();
  }
}

function viewOf(text: string): View {
  return {
    v: 1,
    app: 'signal',
    account: { id: null },
    direction: 'in',
    chat: null,
    sender: null,
    sentAtMs: 0,
    serverAtMs: null,
    kind: 'unknown',
    reason: text,
  };
}

/**
 * Two accounts of two classes, a media object, a body too large for a pack, a gap that opens and closes, hourly beats, a stream that
 * is closed and followed by another, and heads. Resolves with the archive's folder.
 */
export async function makeArchive(directory: string): Promise<string> {
  await using maker = new ArchiveMaker(directory);
  await maker.start();
  const signal = await maker.account('signal', '+12025550100', LONG_CLASS);
  const whatsapp = await maker.account('whatsapp', '+12025550101', SHORT_CLASS);
  await maker.say(signal, 'one', 'two', 'three', 'four', 'five', 'six');
  await maker.say(whatsapp, 'first');
  await maker.beat();
  await maker.archive();
  await maker.hour();
  await maker.send(signal, randomBytes(70_000));
  const gap = await maker.gap(whatsapp);
  await maker.say(signal, 'between');
  await maker.archive();
  await maker.hour();
  await maker.gap(whatsapp, gap);
  await maker.say(whatsapp, randomBytes(90_000).toString('base64'));
  await maker.reopen(signal, 'signal');
  await maker.say(signal, 'on a new device');
  await maker.archive();
  await maker.hour();
  await maker.say(whatsapp, 'again', 'and again');
  await maker.say(whatsapp, 'and once more', 'and on');
  await maker.say(signal, 'and goes on');
  await maker.archive();
  await maker.hour();
  await maker.say(signal, 'the end');
  await maker.archive();
  return join(directory, 'archive');
}

/** A folder that goes with the scope. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-verify-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
