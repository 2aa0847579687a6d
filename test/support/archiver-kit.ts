// SPDX-License-Identifier: AGPL-3.0-or-later
import { Archiver, type ArchiverEvents, type ArchiverOptions } from '../../src/archive/archiver.ts';
import type { Schedule } from '../../src/archive/schedule.ts';
import type { ArchiveStore } from '../../src/archive/store.ts';
import { manifestHash, openManifest, signersOf, signManifest, type Manifest } from '../../src/record/manifest.ts';
import { noteKey } from '../../src/record/note.ts';
import { ARCHIVER, AT, CONNECTOR, ESCROW, LOG, READER, ROOT, signingPair, type SigningPair } from '../vectors/keys.ts';
import { BatchSender, type SentStream } from './batch-sender.ts';
import { DirectLink } from './direct-link.ts';
import { SeededRandom } from './random.ts';
import { StrictBucket } from './strict-bucket.ts';
import { StrictStore, type StrictOptions } from './strict-store.ts';

export const ORIGIN = 'agency.example/test';
export const LOG_KEY = noteKey(ORIGIN, LOG.key);
export const SECOND_CONNECTOR = signingPair('second connector');
export const STANDBY = signingPair('standby archiver');
export const CLASS = 'GRS-6.1-011';
export const OTHER_CLASS = 'GRS-6.1-010';

export const SCHEDULES: readonly Schedule[] = [
  { class: CLASS, mode: 'COMPLIANCE', period: 'P7Y', max: 'P20Y', authority: 'NARA GRS 6.1 item 011' },
  { class: OTHER_CLASS, mode: 'COMPLIANCE', period: 'P15Y', max: 'P20Y', authority: 'NARA GRS 6.1 item 010' },
];

const named = (role: Manifest['signers'][number]['role'], name: string, { key }: SigningPair) => ({
  role,
  name,
  pub: key.raw.toString('base64'),
});

const FIRST: Manifest = {
  origin: ORIGIN,
  n: 0,
  at: AT,
  previous: null,
  evaluation: true,
  recipients: [READER.recipient, ESCROW.recipient],
  signers: [
    named('archiver', 'archiver', ARCHIVER),
    named('archiver', 'standby', STANDBY),
    named('connector', 'first', CONNECTOR),
    named('connector', 'second', SECOND_CONNECTOR),
  ],
};

export const MANIFEST = signManifest(FIRST, ROOT.privateKey);

/** The manifest behind `before`, changed. */
export function nextManifest(before: string, change: Partial<Manifest>): string {
  const manifest = openManifest(before, ROOT.key, ORIGIN);
  return signManifest({ ...manifest, n: manifest.n + 1, previous: manifestHash(before), ...change }, ROOT.privateKey);
}

/** What the archiver told operators. */
export class Told implements ArchiverEvents {
  readonly refusals: string[] = [];
  readonly troubles: string[] = [];
  readonly commits: {
    readonly first: number;
    readonly records: number;
    readonly puts: number;
    readonly size: number;
  }[] = [];
  readonly retentions: {
    readonly leaf: number;
    readonly end: number;
    readonly extended: number;
    readonly missing: number;
  }[] = [];
  unscheduled = 0;
  readBackLeaves = 0;
  recoveredSize = -1;

  recovered(size: number): void {
    this.recoveredSize = size;
  }
  committed: ArchiverEvents['committed'] = ({ first, records, puts }, size) =>
    void this.commits.push({ first, records, puts, size });
  refused(code: string): void {
    this.refusals.push(code);
  }
  unscheduledClass(count: number): void {
    this.unscheduled += count;
  }
  readBack(leaves: number): void {
    this.readBackLeaves = leaves;
  }
  retention: NonNullable<ArchiverEvents['retention']> = (progress) => void this.retentions.push(progress);
  trouble(what: string, code: string): void {
    this.troubles.push(`${what} ${code}`);
  }
}

export interface Running {
  readonly archiver: Archiver;
  readonly told: Told;
  readonly fatals: unknown[];
}

export type Changes = Partial<Omit<ArchiverOptions, 'events' | 'onFatal' | 'downlink'>>;

/** A bucket, connectors and the way between them; archivers come and go. */
export class ArchiverKit {
  readonly bucket = new StrictBucket();
  readonly link = new DirectLink();
  /** What any archiver of this kit ended with. */
  readonly fatals: unknown[] = [];
  readonly random: SeededRandom;
  readonly first: BatchSender;
  readonly second: BatchSender;

  constructor(seed = 1) {
    this.random = new SeededRandom(seed);
    this.first = this.sender(CONNECTOR);
    this.second = this.sender(SECOND_CONNECTOR);
  }

  get senders(): readonly BatchSender[] {
    return [this.first, this.second];
  }

  sender(pair: SigningPair, link: DirectLink = this.link): BatchSender {
    const manifest = openManifest(MANIFEST, ROOT.key, ORIGIN);
    return new BatchSender({
      origin: ORIGIN,
      logKey: LOG_KEY,
      archivers: signersOf(manifest, 'archiver'),
      recipients: manifest.recipients,
      pair,
      link,
      random: this.random,
      clock: () => this.bucket.nowMs,
    });
  }

  store(options: StrictOptions = {}): StrictStore {
    return new StrictStore(this.bucket, options);
  }

  /** Starts an archiver that writes only when told to. */
  async start(
    changes: Changes = {},
    store: ArchiveStore = this.store(),
    link: DirectLink = this.link,
  ): Promise<Running> {
    const told = new Told();
    const fatals: unknown[] = [];
    const options = archiverOptions({ store, clock: () => this.bucket.nowMs, ...changes });
    const archiver = await Archiver.start({
      ...options,
      downlink: link.downlink(),
      events: told,
      onFatal: (error) => {
        fatals.push(error);
        this.fatals.push(error);
      },
    });
    return { archiver, told, fatals };
  }

  /** Restarts, and repeats what connectors would until every record has its receipt. */
  async drain(changes: Changes = {}): Promise<Running> {
    const running = await this.start(changes);
    for (const sender of this.senders) sender.restart();
    for (let round = 0; round < 4 && this.backlog() > 0; round += 1) {
      for (const sender of this.senders) await sender.sendAll(true);
      await running.archiver.flush();
    }
    return running;
  }

  /** A batch of the first connector, in the log and with its receipt sent. */
  async ship({ archiver }: Running, stream: SentStream): Promise<void> {
    this.first.messages(stream, 2);
    await this.first.sendAll();
    await archiver.flush();
  }

  /** Flushes of the second connector, so that the log grows past what the first one has. */
  async othersWrite({ archiver }: Running, flushes: number): Promise<void> {
    const stream = this.second.streams[0] ?? this.second.open();
    for (let flush = 0; flush < flushes; flush += 1) {
      this.second.messages(stream, 5, OTHER_CLASS);
      await this.second.sendAll();
      await archiver.flush();
    }
  }

  backlog(): number {
    return this.senders.reduce((sum, sender) => sum + sender.backlog(), 0);
  }

  /** Lets the store's clock, and everybody's, go on. */
  pass(ms: number): void {
    this.bucket.nowMs += ms;
  }
}

/** Every archiver signs checkpoints with the log's key, and segments with its own. */
export function keysOf({ privateKey, key }: SigningPair): ArchiverOptions['keys'] {
  return { log: LOG.privateKey, archiver: privateKey, archiverPublic: key };
}

export function archiverOptions(
  changes: Changes & Pick<ArchiverOptions, 'store' | 'clock'>,
): Omit<ArchiverOptions, 'events' | 'onFatal' | 'downlink'> {
  return {
    origin: ORIGIN,
    root: ROOT.key,
    logKey: LOG_KEY,
    keys: keysOf(ARCHIVER),
    manifest: MANIFEST,
    schedules: SCHEDULES,
    confirmedRetention: true,
    rhythm: { maxBytes: 4 * 2 ** 20, maxDelayMs: 3_600_000 },
    headsEveryMs: 86_400_000,
    readBackAfterMs: 3_600_000,
    retentionPauseMs: 0,
    ...changes,
  };
}
