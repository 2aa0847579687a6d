// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3ServiceException,
  type GetObjectCommandOutput,
  type HeadObjectCommandOutput,
  type ListObjectVersionsCommandInput,
  type ListObjectVersionsCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { s3Client } from '../services/ceph.ts';
import type { S3Access } from '../services/shared.ts';

/** One stored version as the server lists it. */
export interface Version {
  readonly key: string;
  readonly version: string;
  readonly isMarker: boolean;
}

/** A bucket as anybody with an S3 client sees it: none of Holdfast's own code. */
export class Bucket implements Disposable {
  readonly name: string;
  readonly client: S3Client;

  constructor(access: S3Access, name: string) {
    this.name = name;
    this.client = s3Client(access);
  }

  /** Every version and delete marker, in the order of the server. */
  async versions(prefix = ''): Promise<Version[]> {
    const found: Version[] = [];
    for await (const page of pagesOf(this.client, this.name, prefix)) {
      for (const { Key = '', VersionId = '' } of page.Versions ?? [])
        found.push({ key: Key, version: VersionId, isMarker: false });
      for (const { Key = '', VersionId = '' } of page.DeleteMarkers ?? [])
        found.push({ key: Key, version: VersionId, isMarker: true });
    }
    return found;
  }

  head({ key, version }: Version): Promise<HeadObjectCommandOutput> {
    return this.client.send(new HeadObjectCommand({ Bucket: this.name, Key: key, VersionId: version }));
  }

  async get({ key, version }: Version): Promise<{ answer: GetObjectCommandOutput; bytes: Buffer }> {
    const answer = await this.client.send(new GetObjectCommand({ Bucket: this.name, Key: key, VersionId: version }));
    return { answer, bytes: Buffer.from((await answer.Body?.transformToByteArray()) ?? []) };
  }

  async put(key: string, bytes: Buffer): Promise<void> {
    await this.client.send(new PutObjectCommand({ Bucket: this.name, Key: key, Body: bytes }));
  }

  /** Deletes a version for good, or without one hides the object. Resolves with the status, or the server's word for a refusal. */
  async remove(key: string, version?: string, bypass = false): Promise<string> {
    const which = version === undefined ? {} : { VersionId: version };
    const how = bypass ? { BypassGovernanceRetention: true } : {};
    try {
      const { $metadata } = await this.client.send(
        new DeleteObjectCommand({ Bucket: this.name, Key: key, ...which, ...how }),
      );
      return String($metadata.httpStatusCode);
    } catch (error) {
      if (error instanceof S3ServiceException) return error.name;
      throw error;
    }
  }

  /** A copy of the newest versions in a directory, as a backup tool would make it. */
  async copyTo(directory: string, prefix: string): Promise<void> {
    const seen = new Set<string>();
    for (const version of await this.versions(prefix)) {
      if (version.isMarker || seen.has(version.key)) continue;
      seen.add(version.key);
      const file = join(directory, version.key.slice(prefix.length));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, (await this.get(version)).bytes);
    }
  }

  [Symbol.dispose](): void {
    this.client.destroy();
  }
}

async function* pagesOf(
  client: S3Client,
  bucket: string,
  prefix: string,
): AsyncGenerator<ListObjectVersionsCommandOutput> {
  let marker: Pick<ListObjectVersionsCommandInput, 'KeyMarker' | 'VersionIdMarker'> | null = {};
  while (marker !== null) {
    const command = new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, ...marker });
    const page: ListObjectVersionsCommandOutput = await client.send(command);
    yield page;
    const { NextKeyMarker, NextVersionIdMarker, IsTruncated } = page;
    marker = IsTruncated === true ? { KeyMarker: NextKeyMarker, VersionIdMarker: NextVersionIdMarker } : null;
  }
}
