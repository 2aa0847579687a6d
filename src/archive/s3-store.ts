// SPDX-License-Identifier: AGPL-3.0-or-later
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import { assertUsable, probeStore, type ProbeReport } from './probe.ts';
import { createOnce } from './s3-create.ts';
import { presignUpload } from './s3-grant.ts';
import { assertWhole, getObject, headObject, lengthenLock, putLegalHold, streamObject } from './s3-objects.ts';
import { findWinner, listVersions } from './s3-versions.ts';
import { type S3StoreConfig, S3Wire } from './s3-wire.ts';
import { assertDerived, assertKey, assertLocked, assertPrefix, objectClass } from './store-key.ts';
import { assertLockInRange, covers, shown, untilDate } from './store-lock.ts';
import type {
  ArchiveStore,
  Created,
  Lock,
  ObjectDigest,
  ObjectState,
  ObjectVersion,
  RangedStore,
  StoreAbilities,
  StoredObject,
  UploadGrant,
} from './store.ts';

const GRANT_SECONDS = 900;
const MAX_CLOCK_SKEW_MS = 60_000;

/** What may be assumed by those who only read: who was first is found the same way in every bucket. */
export const UNPROBED: StoreAbilities = {
  kind: 's3',
  create: 'first-listed',
  locks: true,
  legalHold: true,
  versions: true,
  checksumSha256: false,
  grants: false,
};

/**
 * An archive in a bucket with Object Lock. Without `abilities` it probes the bucket first, which writes a few small objects under
 * `_probe/`, and refuses a store that cannot keep what it is given. Readers without the right to write pass the abilities of the
 * log's `store` entry, or `UNPROBED`.
 */
export async function openS3Store(
  config: S3StoreConfig,
  abilities?: StoreAbilities,
): Promise<ArchiveStore & RangedStore> {
  const wire = openWire(config);
  try {
    return new S3Store(wire, config, abilities ?? (await probed(wire, config)));
  } catch (error) {
    wire.close();
    throw error;
  }
}

/** The whole report, for `doctor`. Throws only where the bucket cannot be reached at all. */
export async function probeBucket(config: S3StoreConfig): Promise<ProbeReport> {
  const wire = openWire(config);
  try {
    return await probeStore(wire, randomUUID(), config.maxClockSkewMs ?? MAX_CLOCK_SKEW_MS);
  } finally {
    wire.close();
  }
}

function openWire(config: S3StoreConfig): S3Wire {
  assertPrefix(config.prefix);
  if (config.prefix === '' || config.prefix.endsWith('/')) return new S3Wire(config);
  throw new Failure('store/bad-key', { expected: 'a prefix that ends with a slash', got: 'another form' });
}

async function probed(wire: S3Wire, config: S3StoreConfig): Promise<StoreAbilities> {
  const report = await probeStore(wire, randomUUID(), config.maxClockSkewMs ?? MAX_CLOCK_SKEW_MS);
  assertUsable(report);
  return report.abilities;
}

class S3Store implements ArchiveStore, RangedStore {
  readonly abilities: StoreAbilities;
  readonly #wire: S3Wire;
  readonly #config: S3StoreConfig;

  constructor(wire: S3Wire, config: S3StoreConfig, abilities: StoreAbilities) {
    this.#wire = wire;
    this.#config = config;
    this.abilities = abilities;
  }

  async create(key: string, bytes: Uint8Array, lock: Lock): Promise<Created> {
    assertLocked(key);
    await this.#assertInRange(lock, key);
    return createOnce(this.#wire, this.abilities, key, bytes, lock);
  }

  async putDerived(key: string, bytes: Uint8Array): Promise<void> {
    assertDerived(key);
    const command = new PutObjectCommand({ ...this.#wire.place(key), Body: bytes, ContentLength: bytes.length });
    await this.#wire.write(key, 'harmless', bytes.length, (client, options) => client.send(command, options));
  }

  async read(key: string): Promise<StoredObject | null> {
    const winner = await this.#winning(key);
    const found = winner === null ? null : await getObject(this.#wire, key, winner.version, winner.size ?? 0);
    if (winner === null || found === null) return null;
    assertWhole(key, winner.size, found.bytes.length);
    return { bytes: found.bytes, version: found.state.version };
  }

  async readStream(key: string, version: string): Promise<AsyncIterable<Uint8Array>> {
    assertKey(key);
    if (version !== '') return streamObject(this.#wire, key, version, null);
    const winner = await this.#winning(key);
    if (winner === null) throw notFound(key);
    return streamObject(this.#wire, key, winner.version, winner.size);
  }

  async readFrom(key: string, version: string, from: number): Promise<AsyncIterable<Uint8Array>> {
    assertKey(key);
    const winner = version === '' ? await this.#winning(key) : { version, size: null };
    if (winner === null) throw notFound(key);
    return streamObject(this.#wire, key, winner.version, winner.size, from);
  }

  async *listVersions(prefix: string, after = ''): AsyncGenerator<ObjectVersion> {
    assertPrefix(prefix);
    yield* listVersions(this.#wire, prefix, after);
  }

  async state(key: string, version: string): Promise<ObjectState | null> {
    assertKey(key);
    if (version !== '') return headObject(this.#wire, key, version);
    const winner = await this.#winning(key);
    return winner === null ? null : headObject(this.#wire, key, winner.version);
  }

  async extend(key: string, version: string, lock: Lock): Promise<void> {
    assertLocked(key);
    await this.#assertInRange(lock, key);
    const present = await this.#present(key, version);
    if (present.lock !== null && !covers(lock, present.lock)) {
      throw new Failure('store/lock-shortened', {
        expected: `at least ${shown(present.lock)}`,
        got: shown(lock),
        where: key,
      });
    }
    if (covers(present.lock, lock)) return;
    await lengthenLock(this.#wire, key, present.version, lock);
  }

  async setLegalHold(key: string, version: string, on: boolean): Promise<void> {
    assertLocked(key);
    if (!this.abilities.legalHold) throw noAbility('legal holds', key);
    const present = await this.#present(key, version);
    await putLegalHold(this.#wire, key, present.version, on);
    const kept = await headObject(this.#wire, key, present.version);
    if (kept?.legalHold !== on) {
      throw new Failure('store/lock-ignored', {
        expected: `legal hold ${on ? 'on' : 'off'}`,
        got: 'the opposite',
        where: key,
        fix: 'use a server that honours legal holds, and allow s3:GetObjectLegalHold',
      });
    }
  }

  async grant(key: string, digest: ObjectDigest, lock: Lock): Promise<UploadGrant> {
    assertLocked(key);
    if (!this.abilities.grants) throw noAbility('presigned uploads under a lock', key);
    await this.#assertInRange(lock, key);
    return presignUpload(this.#wire, key, digest, lock, {
      grantSeconds: this.#config.grantSeconds ?? GRANT_SECONDS,
      nowMs: Date.now(),
      checksumSha256: this.abilities.checksumSha256,
    });
  }

  async serverTimeMs(): Promise<number> {
    return this.#wire.clock.timeMs() ?? (await this.#askTime());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wire.close();
  }

  async #askTime(): Promise<number> {
    await this.#wire.reach();
    const timeMs = this.#wire.clock.timeMs();
    if (timeMs !== null) return timeMs;
    throw new Failure('store/clock-skew', { expected: 'a Date header in the answer', got: 'none that can be read' });
  }

  async #assertInRange(lock: Lock, key: string): Promise<void> {
    untilDate(lock, key);
    assertLockInRange(lock, key, await this.serverTimeMs(), this.#config.maxRetainDays);
  }

  /** Of a derived object the current version, which the empty name stands for. */
  async #winning(key: string): Promise<{ version: string; size: number | null } | null> {
    assertKey(key);
    return objectClass(key) === 'derived' ? { version: '', size: null } : findWinner(this.#wire, key);
  }

  async #present(key: string, version: string): Promise<ObjectState> {
    const present = await this.state(key, version);
    if (present === null) throw notFound(key);
    return present;
  }
}

function notFound(where: string): Failure {
  return new Failure('store/not-found', { expected: 'an object', got: 'none', where });
}

function noAbility(what: string, where: string): Failure {
  return new Failure('store/no-ability', {
    expected: `a store with ${what}`,
    got: 'a bucket or credentials without',
    where,
    fix: 'see what `doctor` says about the bucket',
  });
}
