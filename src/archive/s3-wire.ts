// SPDX-License-Identifier: AGPL-3.0-or-later
import { HeadBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, isFailure } from '../base/failure.ts';
import { ServerClock } from './s3-clock.ts';
import { s3Failure, type Stake } from './s3-failure.ts';
import { type Agents, openAgents } from './s3-sockets.ts';

/** Where the bucket is and how to reach it. Credentials are values: whoever calls this has read them from files. */
export interface S3StoreConfig {
  readonly endpoint?: string;
  readonly region: string;
  readonly bucket: string;
  /** In front of every key: empty, or parts that end with `/`. */
  readonly prefix: string;
  readonly pathStyle: boolean;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string;
  /** No lock goes further than this from the server's present. */
  readonly maxRetainDays: number;
  readonly maxClockSkewMs?: number;
  readonly grantSeconds?: number;
  readonly maxSockets?: number;
  /** Versions in one page of a listing, at most 1000. */
  readonly listPageSize?: number;
  readonly timeouts?: Partial<S3Timeouts>;
}

export interface S3Timeouts {
  readonly connectMs: number;
  /** Without a byte in either direction. */
  readonly idleMs: number;
  /** One call without its body; the body adds its share. */
  readonly callMs: number;
}

const TIMEOUTS: S3Timeouts = { connectMs: 5_000, idleMs: 20_000, callMs: 30_000 };
const SLOWEST_BYTES_PER_MS = 256;
const READ_ATTEMPTS = 4;
const FIRST_PAUSE_MS = 100;
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

interface CallOptions {
  readonly abortSignal: AbortSignal;
}
type Call<T> = (client: S3Client, options: CallOptions) => Promise<T>;

/** One connection pool to one bucket: deadlines, repetition of reads, and errors without secrets. */
export class S3Wire {
  readonly bucket: string;
  readonly prefix: string;
  readonly client: S3Client;
  readonly agents: Agents;
  readonly clock: ServerClock;
  readonly pageSize: number;
  readonly #timeouts: S3Timeouts;

  constructor(config: S3StoreConfig, clock: ServerClock = new ServerClock()) {
    this.bucket = config.bucket;
    this.prefix = config.prefix;
    this.clock = clock;
    this.pageSize = config.listPageSize ?? 1000;
    this.#timeouts = { ...TIMEOUTS, ...config.timeouts };
    const { connectMs, idleMs } = this.#timeouts;
    const ca = config.ca === undefined ? {} : { ca: config.ca };
    this.agents = openAgents({ maxSockets: config.maxSockets ?? 16, connectTimeoutMs: connectMs, ...ca });
    this.client = openClient(config, this.agents, idleMs);
    this.client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        clock.observe((result.response as { headers?: Record<string, string> }).headers?.['date']);
        return result;
      },
      { step: 'deserialize', priority: 'low', name: 'observeServerClock' },
    );
  }

  /** A call that changes nothing. Repeated a few times, since a restart for one lost read would be a waste. */
  async read<T>(where: string, bodyBytes: number, call: Call<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once(where, 'nothing', bodyBytes, call);
      } catch (error) {
        if (attempt === READ_ATTEMPTS || !isFailure(error, 'retry') || error.code !== 'store/unreachable') throw error;
        await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1));
      }
    }
  }

  /** A call that writes, sent exactly once. */
  async write<T>(where: string, stake: Stake, bodyBytes: number, call: Call<T>): Promise<T> {
    return this.#once(where, stake, bodyBytes, call);
  }

  /** The smallest question to the server: is the bucket there for us, and what time is it. */
  async reach(): Promise<void> {
    const where = 'the bucket';
    try {
      await this.read(where, 0, (client, options) =>
        client.send(new HeadBucketCommand({ Bucket: this.bucket }), options),
      );
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'store/not-found') throw error;
      const { expected, got } = { expected: 'the configured bucket', got: error.detail.got };
      throw new Failure('store/no-bucket', { expected, got, where, fix: 'create it with Object Lock' });
    }
  }

  place(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: this.prefix + key };
  }

  close(): void {
    this.client.destroy();
    this.agents.close();
  }

  async #once<T>(where: string, stake: Stake, bodyBytes: number, call: Call<T>): Promise<T> {
    const deadlineMs = this.#timeouts.callMs + Math.ceil(bodyBytes / SLOWEST_BYTES_PER_MS);
    try {
      return await call(this.client, { abortSignal: AbortSignal.timeout(deadlineMs) });
    } catch (error) {
      throw s3Failure(error, where, stake);
    }
  }
}

function openClient(config: S3StoreConfig, agents: Agents, idleMs: number): S3Client {
  return new S3Client({
    region: config.region,
    credentials: config.credentials,
    forcePathStyle: config.pathStyle,
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    maxAttempts: 1,
    // Checksums are ours to choose: older servers refuse the trailing ones that the SDK adds.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With agents of our own the SDK sends the header and does not wait for the answer.
    expectContinueHeader: false,
    logger: SILENT,
    requestHandler: {
      httpAgent: agents.httpAgent,
      httpsAgent: agents.httpsAgent,
      socketTimeout: idleMs,
      logger: SILENT,
    },
  });
}
