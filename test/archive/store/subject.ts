// SPDX-License-Identifier: AGPL-3.0-or-later
import { hash, randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { Failure, type FailureCode } from '../../../src/base/failure.ts';
import { untilFrom } from '../../../src/archive/store-lock.ts';
import type {
  ArchiveStore,
  Lock,
  ObjectDigest,
  ObjectVersion,
  StoredObject,
  UploadGrant,
} from '../../../src/archive/store.ts';

/** A store under test and what the suite must be able to do around it. */
export interface Subject {
  readonly store: ArchiveStore;
  /** Another opener of the same place, as a second process would be. The suite closes it. */
  readonly open: (change?: { readonly listPageSize?: number }) => Promise<ArchiveStore>;
  /** As an uploader with nothing but the grant. Resolves with the HTTP status; a directory answers 200. */
  readonly upload: (
    grant: UploadGrant,
    bytes: Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<number>;
  /** What others may do in the same bucket. Null where there are no versions. */
  readonly others: Others | null;
}

export interface Others {
  /** A version by somebody else, on top of what is there. */
  addVersion(key: string, bytes: Uint8Array): Promise<string>;
  addDeleteMarker(key: string): Promise<void>;
  /** Resolves with the status of the refusal, or 204. */
  deleteVersion(key: string, version: string): Promise<number>;
  /** A presigned PUT as the presigner makes it when nobody tells it about headers. */
  presignCarelessly(key: string, digest: ObjectDigest, lock: Lock): Promise<UploadGrant>;
  /** Versions written by `addVersion` and careless uploads: the only ones that may be without a lock. */
  readonly strangers: Set<string>;
}

const HOUR_MS = 3_600_000;

export async function lockFor(store: ArchiveStore, hours = 1, mode: Lock['mode'] = 'COMPLIANCE'): Promise<Lock> {
  return { mode, until: untilFrom((await store.serverTimeMs()) + hours * HOUR_MS) };
}

/** A key of the archive that no other row uses. */
export function freshKey(folder = 'log/origin.example/segment'): string {
  return `${folder}/${randomBytes(8).toString('hex')}`;
}

export function digestOf(bytes: Uint8Array): ObjectDigest {
  return { sha256: hash('sha256', bytes, 'hex'), md5: hash('md5', bytes, 'base64'), size: bytes.length };
}

export async function failureOf(action: Promise<unknown>): Promise<Failure> {
  try {
    await action;
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    return error as Failure;
  }
  throw new Error('it did not fail');
}

export async function expectFailure(action: Promise<unknown>, code: FailureCode): Promise<void> {
  expect((await failureOf(action)).code).toBe(code);
}

export async function listed(store: ArchiveStore, prefix: string, after?: string): Promise<ObjectVersion[]> {
  return Array.fromAsync(store.listVersions(prefix, after));
}

export async function drained(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}

/** What `read` gave, as text, or null. */
export function textOf(found: StoredObject | null): string | null {
  return found === null ? null : Buffer.from(found.bytes).toString();
}
