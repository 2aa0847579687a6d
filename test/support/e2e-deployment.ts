// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stringify } from 'yaml';
import type { ConnectorStatus } from '../../src/main/housekeeping.ts';
import type { S3Settings } from '../../src/main/stores.ts';
import { startSignalEmulator, type SignalEmulator } from '../emulators/signal/emulator.ts';
import { reached } from '../emulators/signal/history.ts';
import type { SignalEmulatorOptions } from '../emulators/signal/options.ts';
import { account, dana, groupId, kessler } from '../emulators/signal/test-world.ts';
import { createLockedBucket } from '../services/ceph.ts';
import { Guard } from '../services/guard.ts';
import { freePort } from '../services/ports.ts';
import { sharedRedisUrl, sharedS3, uniqueName, type S3Access } from '../services/shared.ts';
import { ArchiveView } from './e2e-archive.ts';
import { HOLDERS, sharedCeremony, type Ceremony, type Holder } from './e2e-ceremony.ts';
import { Daemon, runHoldfast, until, type Finished, type Surroundings } from './e2e-process.ts';

export type IntakeName = 'webhook' | 'websocket' | 'journal';
type Settings = { readonly [name: string]: unknown };

const ROLES = ['connect', 'archive', 'up'] as const;

export const OWNER = { uuid: '7c0e2c1a-5b1e-4f0e-9a53-1d1b7f0a9e01', number: account };

export interface DeploymentOptions {
  readonly label: string;
  /** `file`: a directory; else a bucket of its own, on the shared Ceph unless another is given. */
  readonly archive?: 'file' | S3Access;
  /** What the roles reach it by, where something stands in front of it. */
  readonly endpoint?: string;
  /** Port of a Redis of the test's own; else the shared one, with a prefix of its own. */
  readonly redisPort?: number;
  readonly intakes?: readonly IntakeName[];
  readonly ceremony?: Ceremony;
  /** The account that is archived. */
  readonly owner?: { readonly uuid: string; readonly number: string };
  readonly mode?: 'COMPLIANCE' | 'GOVERNANCE';
  readonly emulator?: Partial<SignalEmulatorOptions>;
  readonly archiveSettings?: Settings;
  readonly signalSettings?: Settings;
  readonly logLevel?: 'debug' | 'info';
  /** `cli.ts` of another build. */
  readonly cli?: string;
  /** Processes that end are started again. */
  readonly isKept?: boolean;
}

/** Clocks that suit a test: nothing waits longer than it must. */
const QUICK: Settings = {
  intervals: {
    accounts: '500ms',
    journal: '100ms',
    identities: '1s',
    groups: '2s',
    contacts: '2s',
    devices: '2s',
    sweep: '250ms',
    report: '1h',
    alive: '1s',
    retry: '100ms',
    linkPoll: '100ms',
  },
  timeouts: { rest: '4s', restRetry: '50ms' },
  thresholds: { outage: '1s', attachmentDelete: '500ms', attachmentMissing: '1s', attachmentShort: '1s' },
};

/**
 * Holdfast as an agency runs it: connector and archiver as processes of their own with the keys of their own role, Redis between them,
 * S3 with Object Lock behind, an emulated signal-cli-rest-api in front.
 */
export class Deployment implements AsyncDisposable {
  readonly options: DeploymentOptions;
  readonly guard: Guard;
  readonly ceremony: Ceremony;
  readonly emulator: SignalEmulator;
  readonly url: string;
  readonly bucket: string | null;
  readonly connector: Daemon;
  readonly archiver: Daemon;
  /** All roles in one process, instead of the two. */
  readonly up: Daemon;
  readonly surroundings: Surroundings;
  /** In front of its keys in Redis. */
  readonly redisPrefix = uniqueName('e2e');
  /** All that commands printed which ended by themselves. */
  readonly commands: Finished[] = [];
  readonly #s3: S3Access | null;
  #view: ArchiveView | null = null;

  private constructor(
    options: DeploymentOptions,
    parts: { guard: Guard; ceremony: Ceremony; emulator: SignalEmulator },
  ) {
    const { guard, ceremony, emulator } = parts;
    const { archive = sharedS3(), cli, isKept = false } = options;
    this.options = options;
    this.guard = guard;
    this.ceremony = ceremony;
    this.emulator = emulator;
    this.#s3 = archive === 'file' ? null : archive;
    this.bucket = this.#s3 === null ? null : uniqueName(options.label);
    this.url = this.bucket === null ? pathToFileURL(join(guard.dir, 'stored')).href : `s3://${this.bucket}/agency`;
    this.surroundings = { guard, ...(cli === undefined ? {} : { cli }) };
    const daemon = (role: string): Daemon =>
      new Daemon({
        ...this.surroundings,
        args: [role, '--config', this.configOf(role)],
        cwd: join(guard.dir, role),
        isKept,
      });
    this.connector = daemon('connect');
    this.archiver = daemon('archive');
    this.up = daemon('up');
  }

  static async make(options: DeploymentOptions): Promise<Deployment> {
    const guard = new Guard(options.label);
    const ceremony = options.ceremony ?? (await sharedCeremony({ guard }));
    const emulator = await startSignalEmulator({
      dataDir: join(guard.dir, 'signal'),
      seed: 7,
      trustNewIdentities: 'always',
      accounts: [
        {
          ...(options.owner ?? OWNER),
          contacts: [dana, { ...kessler, isContact: false }],
          groups: [{ internalId: groupId, name: 'Field Office Ops & Co', members: [dana.uuid, kessler.uuid] }],
        },
      ],
      ...options.emulator,
    });
    const deployment = new Deployment(options, { guard, ceremony, emulator });
    await deployment.#configure();
    return deployment;
  }

  get spool(): string {
    return join(this.guard.dir, 'connect', 'spool');
  }

  get archiveDir(): string {
    return join(this.guard.dir, 'stored');
  }

  configOf(role: string): string {
    return join(this.guard.dir, role, 'holdfast.yaml');
  }

  get credentials(): string {
    return join(this.guard.dir, 'archive', 's3-credentials');
  }

  /** How a reader reaches the archive: never through what stands in front of it for the roles. */
  get s3(): S3Settings | null {
    return this.#s3 === null ? null : settingsFor(this.#s3, this.credentials);
  }

  async #configure(): Promise<void> {
    for (const role of ROLES) mkdirSync(join(this.guard.dir, role), { recursive: true, mode: 0o700 });
    if (this.#s3 !== null && this.bucket !== null) {
      await createLockedBucket(this.#s3, this.bucket);
      writeFileSync(this.credentials, `${this.#s3.accessKeyId}\n${this.#s3.secretAccessKey}\n`, { mode: 0o600 });
    }
    const { owner = OWNER } = this.options;
    const { webhook, signal } = await this.#signal();
    const keysOf = (holder: Holder): Settings =>
      Object.fromEntries(HOLDERS[holder].map((name) => [name, join(this.ceremony.holder(holder), `${name}.key`)]));
    const accounts = [
      { name: 'duty-phone', app: 'signal', account: owner.number, backend: 'main', retention: 'GRS-6.1-011' },
    ];
    const capture = {
      spool: { directory: this.spool },
      connector: {
        name: 'connector',
        againAfter: '2s',
      },
      accounts,
      signal: { main: signal },
    };
    const { redis, ...common } = this.#common();
    this.#write('connect', { ...common, redis, keys: keysOf('connector'), ...capture });
    this.#write('archive', { ...common, redis, keys: keysOf('archiver') });
    this.#write('up', { ...common, keys: { ...keysOf('connector'), ...keysOf('archiver') }, ...capture });
    if (webhook !== null) this.emulator.webhookUrl = `http://127.0.0.1:${webhook}/`;
  }

  #write(role: string, config: Settings): void {
    writeFileSync(this.configOf(role), stringify(config), { mode: 0o600 });
  }

  #common(): Settings & { readonly redis: Settings } {
    const { redisPort, endpoint, mode = 'COMPLIANCE', logLevel = 'debug', archiveSettings } = this.options;
    const s3 = this.#s3 === null ? {} : { s3: { ...this.s3, endpoint: endpoint ?? this.#s3.endpoint } };
    const port = redisPort ?? Number(new URL(sharedRedisUrl()).port);
    return {
      origin: this.ceremony.origin,
      trust: this.ceremony.trust,
      manifest: this.ceremony.manifest,
      archive: { url: this.url, ...s3, flushAfter: '300ms', ...archiveSettings },
      redis: { host: '127.0.0.1', port, prefix: this.redisPrefix },
      retention: [{ class: 'GRS-6.1-011', period: 'P1D', mode, authority: 'NARA GRS 6.1 item 011' }],
      log: { level: logLevel },
    };
  }

  async #signal(): Promise<{ webhook: number | null; signal: Settings }> {
    const { intakes = ['webhook', 'websocket', 'journal'], signalSettings = {} } = this.options;
    const webhook = intakes.includes('webhook') ? await freePort() : null;
    const signal = {
      api: this.emulator.url,
      ...(webhook === null ? {} : { webhook: { host: '127.0.0.1', port: webhook } }),
      ...(intakes.includes('journal') ? { journal: this.emulator.journalPath } : {}),
      websocket: intakes.includes('websocket'),
      ...merged(QUICK, signalSettings),
    };
    return { webhook, signal };
  }

  /** Both roles; resolves when the account is being captured. */
  async start(): Promise<void> {
    await Promise.all([this.archiver.started(), this.connector.started()]);
    await this.capturing();
  }

  async capturing(daemon = this.connector): Promise<void> {
    const said = (): string => String(daemon.events('account.state').at(-1)?.['state']);
    const { intakes = ['webhook', 'websocket', 'journal'] } = this.options;
    const isLossy = !intakes.includes('webhook') && !intakes.includes('journal');
    await until(
      () => `the account to be captured; it is ${said()}`,
      () => said() === (isLossy ? 'degraded' : 'capturing'),
    );
    if (intakes.includes('websocket')) await until('the socket', () => this.emulator.webSocketCount > 0);
  }

  status(): ConnectorStatus | null {
    const file = join(this.spool, 'connector.status.json');
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ConnectorStatus) : null;
  }

  /** Runs a command of the connector's operator to its end. */
  async command(...args: string[]): Promise<Finished> {
    const finished = await runHoldfast(args, this.surroundings);
    this.commands.push(finished);
    return finished;
  }

  /** `holdfast verify` on the real store, as an auditor with the archiver's credentials. */
  verify(...args: string[]): Promise<Finished> {
    return this.command('verify', this.url, '--trust', this.ceremony.trust, ...this.storeOptions(), ...args);
  }

  storeOptions({ credentials = this.credentials, endpoint = this.#s3?.endpoint ?? '' } = {}): string[] {
    return this.#s3 === null ? [] : ['--credentials', credentials, '--endpoint', endpoint, '--path-style'];
  }

  /** What the holder of the reader key sees. */
  async view(): Promise<ArchiveView> {
    this.#view ??= await ArchiveView.open(this.url, this.s3, this.ceremony.origin, this.ceremony.reader);
    return this.#view.refresh();
  }

  /** Bytes of all messages that signal-cli handed to an intake which took them: what must not be lost. */
  handedOver(): string[] {
    const { intakes = ['webhook', 'websocket', 'journal'] } = this.options;
    const names = { webhook: 'webhook', websocket: 'web-socket', journal: 'journal' } as const;
    return this.emulator.history
      .filter((message) => intakes.some((intake) => reached(message, names[intake])))
      .map(({ params }) => params);
  }

  /** Waits until all that was handed over is archived, and the connector knows it. Resolves with a view of the archive. */
  async drained(timeoutMs = 90_000): Promise<ArchiveView> {
    const view = await this.view();
    const missing = (): number => new Set(this.handedOver()).difference(new Set(view.native())).size;
    const wait = (): string => `${missing()} messages to be archived; status ${JSON.stringify(this.status())}`;
    await until(wait, async () => missing() === 0 || (await view.refresh(), missing() === 0), timeoutMs);
    const sinceMs = Date.now();
    const isDone = (): boolean => {
      const status = this.status();
      return status !== null && Date.parse(status.at) > sinceMs && status.waiting === 0;
    };
    await until(wait, isDone, timeoutMs);
    return view.refresh();
  }

  /** Both roles in good order. */
  async stop(): Promise<void> {
    await this.connector.end('SIGTERM');
    await this.archiver.end('SIGTERM');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.connector, this.archiver, this.up].map((daemon) => daemon.end('SIGKILL')));
    await this.#view?.[Symbol.asyncDispose]();
    await this.emulator[Symbol.asyncDispose]();
    await this.guard.end();
  }
}

export function settingsFor({ endpoint, region }: S3Access, credentials: string): S3Settings {
  return { endpoint, region, pathStyle: true, credentials, maxRetainDays: 60 };
}

function merged(base: Settings, over: Settings): Settings {
  const result: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const below = base[name];
    const isNested = typeof value === 'object' && value !== null && typeof below === 'object' && below !== null;
    result[name] = isNested && !Array.isArray(value) ? { ...below, ...value } : value;
  }
  return result;
}
