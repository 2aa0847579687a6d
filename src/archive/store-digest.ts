// SPDX-License-Identifier: AGPL-3.0-or-later
import { getFips, hash } from 'node:crypto';

/** Headers by which a server can check the body it receives. */
export interface BodyCheck {
  readonly md5?: string;
  readonly sha256?: string;
}

/** Base64, as in `content-md5`, or null where FIPS mode forbids MD5: the signature binds the body as well. */
export function md5Of(bytes: Uint8Array): string | null {
  return getFips() === 0 ? hash('md5', bytes, 'base64') : null;
}

export function base64Of(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}

/** One check and not two: SHA-256 where the server keeps it, MD5 where it does not and we may compute it. */
export function bodyCheck(sha256: string, md5: string | null, checksumSha256: boolean): BodyCheck {
  if (checksumSha256) return { sha256: base64Of(sha256) };
  return md5 === null ? {} : { md5 };
}

export function checkFields({ md5, sha256 }: BodyCheck): { ContentMD5?: string; ChecksumSHA256?: string } {
  return {
    ...(md5 === undefined ? {} : { ContentMD5: md5 }),
    ...(sha256 === undefined ? {} : { ChecksumSHA256: sha256 }),
  };
}

export function checkHeaders({ md5, sha256 }: BodyCheck): Record<string, string> {
  return {
    ...(md5 === undefined ? {} : { 'content-md5': md5 }),
    ...(sha256 === undefined ? {} : { 'x-amz-checksum-sha256': sha256 }),
  };
}
