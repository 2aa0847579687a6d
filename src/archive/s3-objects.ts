// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../base/failure.ts';
import { s3Failure } from './s3-failure.ts';
import type { S3Wire } from './s3-wire.ts';
import { covers, lockFrom, lockIgnored, untilDate } from './store-lock.ts';
import { type Lock, MAX_READ_BYTES, type ObjectState } from './store.ts';

const LENGTHEN_ATTEMPTS = 4;
const LENGTHEN_PAUSE_MS = 100;

/** An empty version is the current one. */
export interface Fetched {
  readonly bytes: Uint8Array;
  readonly state: ObjectState;
}

/** The state as HEAD tells it, or null if there is no such version. */
export async function headObject(wire: S3Wire, key: string, version: string): Promise<ObjectState | null> {
  try {
    return await wire.read(key, 0, async (client, options) => {
      const input = { ...wire.place(key), ...named(version), ChecksumMode: 'ENABLED' as const };
      return stateFrom(key, version, await client.send(new HeadObjectCommand(input), options));
    });
  } catch (error) {
    if (error instanceof Failure && error.code === 'store/not-found') return null;
    throw error;
  }
}

/** Bytes and state of a version in one request, or null if there is none. `size` is what a listing said, for the deadline. */
export async function getObject(wire: S3Wire, key: string, version: string, size: number): Promise<Fetched | null> {
  try {
    return await wire.read(key, size, async (client, options) => {
      const answer = await client.send(new GetObjectCommand({ ...wire.place(key), ...named(version) }), options);
      const announced = answer.ContentLength ?? 0;
      if (announced > MAX_READ_BYTES) {
        discard(answer);
        throw new Failure('store/too-large', {
          expected: `at most ${MAX_READ_BYTES} bytes`,
          got: `${announced}`,
          where: key,
          fix: 'stream it',
        });
      }
      const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
      return { bytes, state: stateFrom(key, version, answer, hash('sha256', bytes, 'hex')) };
    });
  } catch (error) {
    if (error instanceof Failure && error.code === 'store/not-found') return null;
    throw error;
  }
}

/**
 * The bytes of a version, asked for when the first chunk is: a stream nobody reads holds no connection. The deadline of a call
 * does not apply, a connection without a byte for too long ends it. `size` is what a listing said, if there was one.
 */
export async function* streamObject(
  wire: S3Wire,
  key: string,
  version: string,
  size: number | null,
  from = 0,
): AsyncGenerator<Uint8Array> {
  let received = from;
  const range = from === 0 ? {} : { Range: `bytes=${from}-` };
  try {
    const answer = await wire.read(key, 0, (client) =>
      client.send(new GetObjectCommand({ ...wire.place(key), ...named(version), ...range })),
    );
    // One that takes no notice of a range sends the whole.
    const body = answer.Body as Readable;
    if (from > 0 && answer.ContentRange?.startsWith(`bytes ${from}-`) !== true) {
      body.destroy();
      throw withoutRange(key);
    }
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      received += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw s3Failure(error, key, 'nothing');
  }
  assertWhole(key, size, received);
}

function withoutRange(where: string): Failure {
  return new Failure('store/unreachable', { expected: 'a part of an object', got: 'the whole', where });
}

/** A body shorter than its headers say ends in an error by itself; this is about headers that lie. */
export function assertWhole(where: string, size: number | null, received: number): void {
  if (size === null || size === received) return;
  throw new Failure('store/unreachable', { expected: `${size} bytes as listed`, got: `${received}`, where });
}

/**
 * Lengthens until the server shows it. A late arrival can only lengthen, so repeating is harmless, and it is needed: of racers some
 * servers fail all but one with 500, and the one with the earlier date is refused and finds the later one kept.
 */
export async function lengthenLock(wire: S3Wire, key: string, version: string, lock: Lock): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const failed = await putRetention(wire, key, version, lock);
    const kept = (await headObject(wire, key, version))?.lock ?? null;
    if (covers(kept, lock)) return;
    if (failed === null) throw lockIgnored(key, lock, kept);
    if (attempt === LENGTHEN_ATTEMPTS || failed.code !== 'store/unreachable') throw failed;
    await sleep(LENGTHEN_PAUSE_MS * attempt);
  }
}

async function putRetention(wire: S3Wire, key: string, version: string, lock: Lock): Promise<Failure | null> {
  const Retention = { Mode: lock.mode, RetainUntilDate: untilDate(lock, key) };
  try {
    await wire.write(key, 'harmless', 0, (client, options) =>
      client.send(new PutObjectRetentionCommand({ ...wire.place(key), ...named(version), Retention }), options),
    );
    return null;
  } catch (error) {
    return s3Failure(error, key, 'harmless');
  }
}

/** A late arrival can undo what came after it, so a lost answer is an unknown outcome. */
export async function putLegalHold(wire: S3Wire, key: string, version: string, on: boolean): Promise<void> {
  const LegalHold = { Status: on ? ('ON' as const) : ('OFF' as const) };
  await wire.write(key, 'outcome', 0, (client, options) =>
    client.send(new PutObjectLegalHoldCommand({ ...wire.place(key), ...named(version), LegalHold }), options),
  );
}

export function stateFrom(
  key: string,
  version: string,
  answer: HeadObjectCommandOutput | GetObjectCommandOutput,
  computed: string | null = null,
): ObjectState {
  return {
    key,
    version: answer.VersionId ?? version,
    size: answer.ContentLength ?? 0,
    lock: lockFrom(answer.ObjectLockMode, answer.ObjectLockRetainUntilDate),
    legalHold: answer.ObjectLockLegalHoldStatus === 'ON',
    sha256: computed ?? hexOf(answer.ChecksumSHA256),
  };
}

/** A checksum of parts has a count behind it and says nothing about the whole. */
function hexOf(base64: string | undefined): string | null {
  return base64 !== undefined && /^[A-Za-z0-9+/]{43}=$/.test(base64)
    ? Buffer.from(base64, 'base64').toString('hex')
    : null;
}

function named(version: string): { VersionId?: string } {
  return version === '' ? {} : { VersionId: version };
}

function discard(answer: GetObjectCommandOutput): void {
  const body: unknown = answer.Body;
  if (body !== null && typeof body === 'object' && 'destroy' in body && typeof body.destroy === 'function')
    body.destroy();
}
