// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { contentFor } from '../emulators/signal/attachments.ts';
import { startFaultProxy, type Exchange, type Fault, type HttpFaultProxy } from '../faults/http-fault-proxy.ts';
import { startRedis, type RedisServer } from '../services/redis.ts';
import { sharedS3 } from '../services/shared.ts';
import type { ArchiveView } from './e2e-archive.ts';
import { Deployment } from './e2e-deployment.ts';
import { Load } from './e2e-load.ts';
import { until, type Daemon } from './e2e-process.ts';
import { SeededRandom } from './random.ts';

const STOPPED_MS = 1500;
const MOST_FAULTS = 8;
const PATIENCE_MS = 4000;
const REFUSED: Fault = {
  kind: 'answer',
  answer: {
    status: 503,
    headers: { 'content-type': 'application/xml' },
    body: Buffer.from('<Error><Code>SlowDown</Code></Error>'),
  },
  forwarded: false,
};

/** What happens in a round. Everything comes back by itself, as under systemd or compose. */
export const HAPPENINGS = [
  'connector killed',
  'archiver killed',
  'both killed',
  'redis killed',
  'redis emptied',
  'redis away at the start',
  'signal container gone',
  'archiver killed between pack and segment',
  'archiver killed with its segment stored',
  'connector killed between commit and shipping',
  's3 loses the answer to a segment',
  's3 refuses',
  's3 loses requests and answers',
  's3 is slow',
  'processes paused',
] as const;
export type Happening = (typeof HAPPENINGS)[number];

const isPut = ({ method }: Exchange): boolean => method === 'PUT';
const isSegmentPut = (exchange: Exchange): boolean => isPut(exchange) && exchange.path.includes('/segment/');

/** A deployment under load to which things happen, and the judgement on it afterwards. */
export class CrashRun implements AsyncDisposable {
  readonly deployment: Deployment;
  readonly load: Load;
  readonly #random: SeededRandom;
  readonly #redis: RedisServer;
  readonly #proxy: HttpFaultProxy;
  rounds = 0;
  /** Times that Redis was emptied to go on sooner. */
  wipes = 0;
  /** Requests that S3 refused, lost, did not answer or was slow at. */
  s3Faults = 0;

  private constructor(deployment: Deployment, redis: RedisServer, proxy: HttpFaultProxy, random: SeededRandom) {
    this.deployment = deployment;
    this.#redis = redis;
    this.#proxy = proxy;
    this.#random = random;
    this.load = new Load(deployment.emulator, random);
  }

  static async begin(seed: number): Promise<CrashRun> {
    const redis = await startRedis();
    const proxy = await startFaultProxy(sharedS3().endpoint);
    const deployment = await Deployment.make({
      label: 'crash',
      redisPort: redis.port,
      endpoint: proxy.url,
      isKept: true,
      logLevel: 'info',
    });
    const run = new CrashRun(deployment, redis, proxy, new SeededRandom(seed));
    await deployment.start();
    return run;
  }

  /** All happenings in an order of their own, again and again: as many as asked for. */
  order(rounds: number): Happening[] {
    const order: Happening[] = [];
    while (order.length < rounds) {
      const rest: Happening[] = [...HAPPENINGS];
      while (rest.length > 0) order.push(...rest.splice(this.#random.below(rest.length), 1));
    }
    return order.slice(0, rounds);
  }

  async round(happening: Happening): Promise<void> {
    this.rounds += 1;
    await this.#flowing();
    await sleep(this.#random.below(600));
    await this.#happen(happening);
    const { connector, archiver } = this.deployment;
    await until(
      () => `both roles to be back after: ${happening}`,
      () => connector.hasStarted && archiver.hasStarted,
    );
  }

  /** What happens shall happen to something: waits until segments are written again. */
  async #flowing(): Promise<void> {
    const { archiver } = this.deployment;
    const before = archiver.count('segment.written');
    const flows = (): boolean => archiver.count('segment.written') > before;
    const isPatient = until('a segment', flows, PATIENCE_MS)
      .then(() => true)
      .catch(() => false);
    if (await isPatient) return;
    // Jobs that a killed archiver held come free after its hold only. Without them all is sent again at once.
    this.wipes += 1;
    await this.#redis.flushall();
    await until('segments to be written again', flows);
  }

  async #happen(happening: Happening): Promise<void> {
    const { connector, archiver, emulator } = this.deployment;
    switch (happening) {
      case 'connector killed':
        return this.#killed(connector);
      case 'archiver killed':
        return this.#killed(archiver);
      case 'both killed':
        return void (await Promise.all([this.#killed(connector), this.#killed(archiver)]));
      case 'redis killed':
        await this.#redis.kill();
        await this.#pause();
        return this.#redis.start();
      case 'redis emptied':
        return this.#redis.flushall();
      case 'redis away at the start':
        await this.#redis.kill();
        await Promise.all([this.#killed(connector), this.#killed(archiver)]);
        await this.#pause();
        return this.#redis.start();
      case 'signal container gone':
        await emulator.exitProcess();
        await this.#pause();
        return emulator.startProcess({ redialMs: this.#random.below(400) });
      case 'archiver killed between pack and segment':
        return this.#killedAt(isSegmentPut, 'lose-request');
      case 'archiver killed with its segment stored':
        return this.#killedAt(isSegmentPut, 'lose-answer');
      case 'connector killed between commit and shipping':
        await this.#redis.kill();
        await this.#pause();
        await this.#killed(connector);
        return this.#redis.start();
      case 's3 loses the answer to a segment':
        return this.#lostAnswer();
      case 's3 refuses':
        return this.#s3(() => REFUSED);
      case 's3 loses requests and answers':
        return this.#s3((draw) => (draw < 3 ? { kind: draw < 1 ? 'lose-request' : 'lose-answer' } : null));
      case 's3 is slow':
        return this.#s3((draw) => ({ kind: 'delay', beforeMs: 40 * draw, afterMs: 40 * draw }));
      case 'processes paused':
        for (const daemon of [connector, archiver]) daemon.signal('SIGSTOP');
        await sleep(STOPPED_MS);
        for (const daemon of [connector, archiver]) daemon.signal('SIGCONT');
    }
  }

  #pause(): Promise<void> {
    return sleep(this.#random.below(800));
  }

  async #killed(daemon: Daemon): Promise<void> {
    daemon.signal('SIGKILL');
    await until('the end of a killed process', () => !daemon.hasStarted);
  }

  /** Kills the archiver at the moment of one of its requests, which then arrives or does not. */
  async #killedAt(matches: (exchange: Exchange) => boolean, kind: 'lose-request' | 'lose-answer'): Promise<void> {
    const { archiver } = this.deployment;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#proxy.rule = (exchange) => {
      if (!matches(exchange)) return null;
      this.#proxy.rule = () => null;
      archiver.signal('SIGKILL');
      resolve();
      return { kind };
    };
    await promise;
    await until('the end of the killed archiver', () => !archiver.hasStarted);
  }

  /** What became of the segment is unknown then: the archiver ends by itself, and its next start finds out. */
  async #lostAnswer(): Promise<void> {
    const ends = this.deployment.archiver.ends.length;
    this.#proxy.once(isSegmentPut, { kind: 'lose-answer' });
    await until('the archiver to end by itself', () => this.deployment.archiver.ends.length > ends);
  }

  /** `draw` is a number below ten. */
  async #s3(fault: (draw: number) => Fault | null): Promise<void> {
    const before = this.s3Faults;
    this.#proxy.rule = () => {
      const found = fault(this.#random.below(10));
      this.s3Faults += found === null ? 0 : 1;
      return found;
    };
    await until('S3 to be at fault', () => this.s3Faults >= before + MOST_FAULTS);
    this.#proxy.rule = () => null;
  }

  /** The load ends; resolves when all that signal-cli had is archived, every file is fetched, and no job is left in Redis. */
  async drain(): Promise<ArchiveView> {
    await this.load.stop();
    const { emulator } = this.deployment;
    await until('signal-cli to hand over what waited', async () => {
      await emulator.whenIdle();
      return emulator.messages.every(({ state }) => state === 'acknowledged');
    });
    await this.deployment.drained(120_000);
    const files = (): string[] => readdirSync(emulator.attachmentsDir);
    await until(
      () => `${files().length} files to be fetched and removed`,
      () => files().length === 0,
    );
    const view = await this.deployment.drained();
    // A job that a killed archiver held comes free when its hold runs out.
    let left = {};
    await until(
      () => `jobs to be done: ${JSON.stringify(left)}`,
      async () => {
        left = await this.#jobs();
        return Object.keys(left).length === 0;
      },
    );
    return view;
  }

  /** Jobs in Redis by where they are, the failed among them. */
  async #jobs(): Promise<Record<string, number>> {
    const client = new Redis(this.#redis.url);
    const key = (name: string): string => `${this.deployment.redisPrefix}:jobs:${name}`;
    try {
      const lists = ['wait', 'active', 'paused'].map(async (name) => [name, await client.llen(key(name))] as const);
      const sets = ['delayed', 'failed', 'completed', 'prioritized'].map(
        async (name) => [name, await client.zcard(key(name))] as const,
      );
      return Object.fromEntries((await Promise.all([...lists, ...sets])).filter(([, count]) => count > 0));
    } finally {
      client.disconnect();
    }
  }

  /** What a reader key shows of the archive, held against what signal-cli handed over. All of it must be empty. */
  async faults(view: ArchiveView): Promise<Record<string, readonly unknown[]>> {
    const { emulator, connector } = this.deployment;
    const handedOver = new Set(this.deployment.handedOver());
    const archived = view.native();
    const seen = new Set<string>();
    const files = await view.files();
    const listed = emulator.messages.flatMap(({ params }) => [...params.matchAll(/"id":"(\d+\.bin)","size":(\d+)/g)]);
    const wanted = new Map(listed.map(([, id = '', size]) => [id, Number(size)]));
    const content = (id: string, size: number): Buffer => contentFor(id, { id, size, contentType: '', text: null });
    return {
      lost: [...handedOver.difference(new Set(archived))],
      unknown: [...new Set(archived).difference(handedOver)],
      twice: archived.filter((raw) => seen.size === seen.add(raw).size),
      notHandedOver: emulator.messages.filter(({ params }) => !handedOver.has(params)),
      files: [...wanted].filter(([id, size]) => files.get(id)?.equals(content(id, size)) !== true),
      doubts: connector.events('stream.opened').filter(({ cause }) => cause !== 'first'),
      refused: [connector, this.deployment.archiver].flatMap((daemon) => daemon.events('batch.refused')),
      connectorEnded: connector.ends.filter((end) => end !== 'SIGKILL'),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.load.stop();
    await this.deployment[Symbol.asyncDispose]();
    await this.#proxy[Symbol.asyncDispose]();
    await this.#redis.stop();
  }
}
