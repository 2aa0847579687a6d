// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openDirStore } from '../archive/dir-store.ts';
import { assertUsable, type ProbeReport } from '../archive/probe.ts';
import { openS3Store, probeBucket } from '../archive/s3-store.ts';
import type { S3StoreConfig } from '../archive/s3-wire.ts';
import type { ArchiveStore } from '../archive/store.ts';
import type { Config } from '../base/config.ts';
import { Failure } from '../base/failure.ts';
import { readSecret } from '../base/secrets.ts';

export type ArchiveConfig = Config['archive'];
export type S3Settings = NonNullable<ArchiveConfig['s3']>;

/** Access key id, secret access key and optional session token, one per line. */
export function readCredentials(path: string): S3StoreConfig['credentials'] {
  const [accessKeyId, secretAccessKey, sessionToken] = readSecret(path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new Failure('config/key-unusable', {
      expected: 'access key id and secret access key on two lines',
      got: 'fewer lines',
      where: path,
    });
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

/** `s3://bucket/prefix` and how to reach it, as the S3 store takes it. */
export function s3Config(url: string, settings: S3Settings): S3StoreConfig {
  const { hostname: bucket, pathname } = new URL(url);
  const prefix = pathname.replace(/^\/+/, '').replace(/([^/])\/*$/, '$1/');
  const { endpoint, region, pathStyle, credentials, ca, maxRetainDays } = settings;
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    region,
    bucket,
    prefix,
    pathStyle,
    credentials: readCredentials(credentials),
    ...(ca === undefined ? {} : { ca: readFileSync(ca, 'utf8') }),
    maxRetainDays,
  };
}

/** Opens the archive for writing. An S3 bucket is probed first, and refused if it does not keep what it accepts. */
export async function openArchive(archive: ArchiveConfig): Promise<ArchiveStore> {
  if (archive.s3 === undefined) return openDirStore(fileURLToPath(archive.url));
  const config = s3Config(archive.url, archive.s3);
  const report = await probeBucket(config);
  assertUsable(report);
  return openS3Store(config, report.abilities);
}

export type { ProbeReport };
