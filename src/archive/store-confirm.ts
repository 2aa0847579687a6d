// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import { covers, joined, lockIgnored } from './store-lock.ts';
import type { ArchiveStore, Lock, ObjectState, UploadGrant } from './store.ts';

/**
 * Whether a granted upload has arrived, by what the store keeps and not by what the uploader says: the winning version's size, hash
 * and lock. Null if there is nothing yet. The lock of an earlier grant is lengthened to this one's. Throws `store/readback` if it
 * is another object, `store/lock-ignored` if it has no lock: the object must not be logged then.
 */
export async function confirmUpload(
  store: ArchiveStore,
  grant: Pick<UploadGrant, 'key' | 'sha256' | 'size'>,
  lock: Lock,
): Promise<ObjectState | null> {
  const { key } = grant;
  const state = await store.state(key, '');
  if (state === null) return null;
  const sha256 = state.size === grant.size ? (state.sha256 ?? (await hashOf(store, key, state.version))) : null;
  if (sha256 !== grant.sha256) {
    throw new Failure('store/readback', {
      expected: `${grant.size} bytes as granted`,
      got: `${state.size} bytes${sha256 === null ? '' : ' of other content'}`,
      where: key,
    });
  }
  return { ...state, sha256, lock: store.abilities.locks ? await lengthened(store, state, lock) : null };
}

async function lengthened(store: ArchiveStore, { key, version, lock: kept }: ObjectState, asked: Lock): Promise<Lock> {
  if (kept === null) throw lockIgnored(key, asked, kept);
  if (covers(kept, asked)) return kept;
  const longer = joined(kept, asked);
  await store.extend(key, version, longer);
  return longer;
}

async function hashOf(store: ArchiveStore, key: string, version: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of await store.readStream(key, version)) hash.update(chunk);
  return hash.digest('hex');
}
