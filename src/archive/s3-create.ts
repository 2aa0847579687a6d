// SPDX-License-Identifier: AGPL-3.0-or-later
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../base/failure.ts';
import { answerOf, s3Failure } from './s3-failure.ts';
import { getObject, headObject, lengthenLock } from './s3-objects.ts';
import { findWinner, type Winner } from './s3-versions.ts';
import type { S3Wire } from './s3-wire.ts';
import { bodyCheck, type BodyCheck, checkFields, md5Of } from './store-digest.ts';
import { covers, joined, lockIgnored, untilDate } from './store-lock.ts';
import type { Created, Lock, ObjectState, StoreAbilities } from './store.ts';

const CONFLICT_ATTEMPTS = 6;
const CONFLICT_PAUSE_MS = 50;

interface Content {
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

/** What a PUT that demands a free key came to. */
export type PutOutcome =
  | { readonly kind: 'stored'; readonly version: string }
  /** The key was taken; nothing was written. */
  | { readonly kind: 'taken' }
  /** Another writer was at it at the same moment; nothing was written. */
  | { readonly kind: 'conflict' };

/**
 * PUT, then at once its read-back and the listing that says who was first. The listing is needed everywhere: servers without the
 * precondition let every racer through, and servers with it let a writer through that stands behind a delete marker.
 */
export async function createOnce(
  wire: S3Wire,
  abilities: StoreAbilities,
  key: string,
  bytes: Uint8Array,
  lock: Lock,
): Promise<Created> {
  const content = { bytes, sha256: hash('sha256', bytes, 'hex') };
  const put = await putUntilSettled(wire, abilities, key, content, lock);
  if (put.kind === 'stored') {
    const [winner] = await Promise.all([
      findWinner(wire, key),
      confirmVersion(wire, abilities, key, put.version, content, lock),
    ]);
    if (winner?.version === put.version) return { won: true, version: put.version };
    return judge(wire, abilities, key, winner, content, lock);
  }
  return judge(wire, abilities, key, await findWinner(wire, key), content, lock);
}

/** One PUT under a lock, with the precondition, whose body the server can check. Sent exactly once. */
export async function putLocked(
  wire: S3Wire,
  key: string,
  bytes: Uint8Array,
  lock: Lock,
  check: BodyCheck,
): Promise<PutOutcome> {
  const command = new PutObjectCommand({
    ...wire.place(key),
    Body: bytes,
    ContentLength: bytes.length,
    IfNoneMatch: '*',
    ObjectLockMode: lock.mode,
    ObjectLockRetainUntilDate: untilDate(lock, key),
    ...checkFields(check),
  });
  return wire.write(key, 'outcome', bytes.length, async (client, options) => {
    try {
      const { VersionId } = await client.send(command, options);
      if (VersionId !== undefined && VersionId !== 'null') return { kind: 'stored', version: VersionId };
    } catch (error) {
      const status = answerOf(error)?.status;
      if (status === 412) return { kind: 'taken' };
      if (status === 409) return { kind: 'conflict' };
      throw s3Failure(error, key, 'outcome');
    }
    throw new Failure('store/lock-disabled', {
      expected: 'a version id',
      got: 'none',
      where: key,
      fix: 'use a bucket with versioning and Object Lock',
    });
  });
}

async function putUntilSettled(
  wire: S3Wire,
  abilities: StoreAbilities,
  key: string,
  content: Content,
  lock: Lock,
): Promise<PutOutcome> {
  const md5 = abilities.checksumSha256 ? null : md5Of(content.bytes);
  const check = bodyCheck(content.sha256, md5, abilities.checksumSha256);
  for (let attempt = 1; ; attempt += 1) {
    const put = await putLocked(wire, key, content.bytes, lock, check);
    if (put.kind !== 'conflict') return put;
    if (attempt === CONFLICT_ATTEMPTS) {
      throw new Failure('store/unreachable', { expected: 'the race at the key to end', got: '409', where: key });
    }
    await sleep(CONFLICT_PAUSE_MS * attempt);
  }
}

/** What the server says it keeps, against what it was asked to keep. */
async function confirmVersion(
  wire: S3Wire,
  abilities: StoreAbilities,
  key: string,
  version: string,
  content: Content,
  lock: Lock,
): Promise<void> {
  const kept = await stateWithHash(wire, abilities, key, { version, size: content.bytes.length });
  if (kept === null || kept.size !== content.bytes.length || kept.sha256 !== content.sha256) {
    throw new Failure('store/readback', {
      expected: `${content.bytes.length} bytes as sent`,
      got:
        kept === null
          ? 'nothing'
          : `${kept.size} bytes${kept.size === content.bytes.length ? ' of other content' : ''}`,
      where: key,
      fix: 'do not use this store: it loses or changes objects',
    });
  }
  if (!covers(kept.lock, lock)) throw lockIgnored(key, lock, kept.lock);
}

/** Another version was first. If it has our bytes, it is ours in all that matters, and it must be locked for as long. */
async function judge(
  wire: S3Wire,
  abilities: StoreAbilities,
  key: string,
  winner: Winner | null,
  content: Content,
  lock: Lock,
): Promise<Created> {
  if (winner === null) {
    throw new Failure('store/readback', { expected: 'a version of a key that is taken', got: 'none', where: key });
  }
  const lost = { won: false, version: winner.version };
  if (winner.size !== content.bytes.length) return lost;
  const kept = await stateWithHash(wire, abilities, key, winner);
  if (kept?.sha256 !== content.sha256) return lost;
  if (!covers(kept.lock, lock)) await lengthenLock(wire, key, winner.version, joined(kept.lock, lock));
  return { won: true, version: winner.version };
}

/** By HEAD where the server keeps the hash, otherwise by reading the bytes back. */
async function stateWithHash(
  wire: S3Wire,
  abilities: StoreAbilities,
  key: string,
  { version, size }: Winner,
): Promise<ObjectState | null> {
  if (abilities.checksumSha256) {
    const state = await headObject(wire, key, version);
    if (state === null || state.sha256 !== null) return state;
  }
  return (await getObject(wire, key, version, size))?.state ?? null;
}
