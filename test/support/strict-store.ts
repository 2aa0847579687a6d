// SPDX-License-Identifier: AGPL-3.0-or-later
import { setImmediate as turn } from 'node:timers/promises';
import { Failure } from '../../src/base/failure.ts';
import { covers, joined, untilDate } from '../../src/archive/store-lock.ts';
import type {
  ArchiveStore,
  Created,
  Lock,
  ObjectDigest,
  ObjectState,
  ObjectVersion,
  StoreAbilities,
  StoredObject,
  UploadGrant,
} from '../../src/archive/store.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { StrictBucket } from './strict-bucket.ts';

export type StoreCall = keyof Omit<ArchiveStore, 'abilities' | typeof Symbol.asyncDispose>;

/**
 * What goes wrong with one call. `lost`: it fails and nothing happened. `persisted`: it fails and happened all the same, like an
 * answer that timed out. `crash`: it happened, and the process is dead before it learns of it.
 */
export type StoreFault = 'lost' | 'persisted' | 'crash';

export interface Called {
  readonly call: StoreCall;
  readonly key: string;
  /** Counted from 0 for every opener of the bucket. */
  readonly index: number;
}

export interface StrictOptions {
  readonly create?: StoreAbilities['create'];
  readonly locks?: boolean;
  /** Asked before every call. */
  readonly fault?: (called: Called) => StoreFault | undefined;
  /** Awaited before every call: a slow store, or one that lets another process go first. */
  readonly before?: (called: Called) => Promise<void> | void;
}

/** One process's way into a {@link StrictBucket}. Every call takes a turn of the event loop, as I/O does. */
export class StrictStore implements ArchiveStore {
  readonly abilities: StoreAbilities;
  readonly bucket: StrictBucket;
  readonly calls: Called[] = [];
  isDead = false;
  readonly #options: StrictOptions;

  constructor(bucket: StrictBucket, options: StrictOptions = {}) {
    this.bucket = bucket;
    this.#options = options;
    const { create = 'if-none-match', locks = true } = options;
    this.abilities = { kind: 's3', create, locks, legalHold: true, versions: true, checksumSha256: true, grants: true };
  }

  /** How often each kind of call was made. */
  count(call: StoreCall): number {
    return this.calls.filter((one) => one.call === call).length;
  }

  async #call<T>(call: StoreCall, key: string, act: () => T): Promise<T> {
    const called = { call, key, index: this.calls.length };
    this.calls.push(called);
    await turn();
    await this.#options.before?.(called);
    const isWrite = WRITES.has(call);
    if (this.isDead) throw failure('store/unreachable', 'a process that is alive', key);
    const fault = this.#options.fault?.(called);
    if (fault === undefined) return act();
    if (fault === 'crash') this.isDead = true;
    if (fault !== 'lost') act();
    throw failure(isWrite ? 'store/unknown-outcome' : 'store/unreachable', 'an answer', key);
  }

  async create(key: string, bytes: Uint8Array, lock: Lock): Promise<Created> {
    const decides = this.abilities.create === 'first-listed' ? 'listing' : 'precondition';
    return this.#call('create', key, () => this.bucket.create(key, Buffer.from(bytes), lock, decides, this));
  }

  async putDerived(key: string, bytes: Uint8Array): Promise<void> {
    // What was signed has left the process, whether or not it is stored.
    this.bucket.sent.push({ key, text: Buffer.from(bytes).toString('utf8') });
    return this.#call('putDerived', key, () => this.bucket.putDerived(key, Buffer.from(bytes)));
  }

  async read(key: string): Promise<StoredObject | null> {
    return this.#call('read', key, () => {
      const winner = this.bucket.winner(key);
      return winner === null ? null : { bytes: Buffer.from(winner.bytes), version: winner.version };
    });
  }

  async readStream(key: string, version: string): Promise<AsyncIterable<Uint8Array>> {
    return this.#call('readStream', key, () => {
      const found = version === '' ? this.bucket.winner(key) : this.bucket.version(key, version);
      if (found === null) throw failure('store/not-found', 'an object', key);
      return inPieces(found.bytes);
    });
  }

  async *listVersions(prefix: string, after = ''): AsyncGenerator<ObjectVersion> {
    yield* await this.#call('listVersions', prefix, () => this.bucket.list(prefix, after));
  }

  async state(key: string, version: string): Promise<ObjectState | null> {
    return this.#call('state', key, () => {
      const found = version === '' ? this.bucket.winner(key) : this.bucket.version(key, version);
      if (found === null) return null;
      const { bytes, lock, legalHold } = found;
      return { key, version: found.version, size: bytes.length, lock, legalHold, sha256: sha256Hex(bytes) };
    });
  }

  async extend(key: string, _version: string, lock: Lock): Promise<void> {
    untilDate(lock, key);
    return this.#call('extend', key, () => {
      const winner = this.bucket.winner(key);
      if (winner === null) throw failure('store/not-found', 'an object', key);
      if (winner.lock !== null && !covers(lock, winner.lock))
        throw failure('store/lock-shortened', 'a longer lock', key);
      this.bucket.assertInRange(lock, key);
      winner.lock = joined(winner.lock, lock);
    });
  }

  async setLegalHold(key: string, _version: string, on: boolean): Promise<void> {
    return this.#call('setLegalHold', key, () => {
      const winner = this.bucket.winner(key);
      if (winner !== null) winner.legalHold = on;
    });
  }

  async grant(key: string, digest: ObjectDigest, lock: Lock): Promise<UploadGrant> {
    return this.#call('grant', key, () => {
      this.bucket.assertInRange(lock, key);
      this.bucket.grants.set(key, { digest, lock });
      const { sha256, size } = digest;
      return { key, sha256, size, url: `https://store.example/${key}`, headers: {}, expires: lock.until };
    });
  }

  async serverTimeMs(): Promise<number> {
    return this.#call('serverTimeMs', '', () => this.bucket.nowMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const WRITES: ReadonlySet<StoreCall> = new Set(['create', 'putDerived', 'extend', 'setLegalHold']);

function failure(
  code: 'store/unknown-outcome' | 'store/unreachable' | 'store/not-found' | 'store/lock-shortened',
  expected: string,
  where: string,
): Failure {
  return new Failure(code, { expected, got: 'none', where });
}

async function* inPieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}
