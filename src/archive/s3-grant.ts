// SPDX-License-Identifier: AGPL-3.0-or-later
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { s3Failure } from './s3-failure.ts';
import type { S3Wire } from './s3-wire.ts';
import { bodyCheck, checkFields, checkHeaders } from './store-digest.ts';
import { untilDate, untilFrom } from './store-lock.ts';
import type { Lock, ObjectDigest, UploadGrant } from './store.ts';

/**
 * A presigned PUT of exactly one object. Every header that matters is signed and stays a header: left to itself the presigner moves
 * `x-amz-…` headers into the query, where some servers ignore a lock without a word.
 */
export async function presignUpload(
  wire: S3Wire,
  key: string,
  { sha256, md5, size }: ObjectDigest,
  lock: Lock,
  options: { readonly grantSeconds: number; readonly nowMs: number; readonly checksumSha256: boolean },
): Promise<UploadGrant> {
  const check = bodyCheck(sha256, md5, options.checksumSha256);
  const headers = {
    'content-length': String(size),
    'if-none-match': '*',
    'x-amz-object-lock-mode': lock.mode,
    'x-amz-object-lock-retain-until-date': lock.until,
    ...checkHeaders(check),
  };
  const command = new PutObjectCommand({
    ...wire.place(key),
    ContentLength: size,
    IfNoneMatch: '*',
    ObjectLockMode: lock.mode,
    ObjectLockRetainUntilDate: untilDate(lock, key),
    ...checkFields(check),
  });
  try {
    const url = await getSignedUrl(wire.client, command, {
      expiresIn: options.grantSeconds,
      unhoistableHeaders: new Set(Object.keys(headers)),
    });
    return { key, sha256, size, url, headers, expires: untilFrom(options.nowMs + (options.grantSeconds - 1) * 1000) };
  } catch (error) {
    throw s3Failure(error, key, 'nothing');
  }
}
