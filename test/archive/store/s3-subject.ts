// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import axios from 'axios';
import { Readable } from 'node:stream';
import { openS3Store } from '../../../src/archive/s3-store.ts';
import type { S3StoreConfig } from '../../../src/archive/s3-wire.ts';
import type { ObjectDigest, Lock, UploadGrant } from '../../../src/archive/store.ts';
import { sharedS3, uniqueName } from '../../services/shared.ts';
import type { Others, Subject } from './subject.ts';

const STREAMED_BYTES = 1 << 20;
export const PREFIX = 'agency/archive/';

/** A new bucket on the shared Ceph; `endpoint` where something stands in front of it. */
export async function newBucket(endpoint?: string, isLocked = true): Promise<S3StoreConfig> {
  const { endpoint: direct, region, accessKeyId, secretAccessKey } = sharedS3();
  const bucket = uniqueName('store');
  const config: S3StoreConfig = {
    endpoint: endpoint ?? direct,
    region,
    bucket,
    prefix: PREFIX,
    pathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    maxRetainDays: 1,
  };
  const client = plainClient({ ...config, endpoint: direct });
  await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: isLocked }));
  client.destroy();
  return config;
}

/** The SDK as somebody else would use it. */
export function plainClient({ endpoint, region, credentials }: S3StoreConfig): S3Client {
  return new S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    region,
    credentials,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
}

export async function s3Subject(config: S3StoreConfig): Promise<Subject> {
  const store = await openS3Store(config);
  const open: Subject['open'] = (change = {}) => openS3Store({ ...config, ...change }, store.abilities);
  return { store, open, upload, others: othersIn(config) };
}

function othersIn(config: S3StoreConfig): Others {
  const client = plainClient(config);
  const place = (key: string) => ({ Bucket: config.bucket, Key: config.prefix + key });
  const strangers = new Set<string>();
  return {
    strangers,
    async addVersion(key, bytes) {
      const { VersionId = '' } = await client.send(new PutObjectCommand({ ...place(key), Body: bytes }));
      strangers.add(VersionId);
      return VersionId;
    },
    async addDeleteMarker(key) {
      await client.send(new DeleteObjectCommand(place(key)));
    },
    async deleteVersion(key, version) {
      const command = new DeleteObjectCommand({ ...place(key), VersionId: version, BypassGovernanceRetention: false });
      try {
        return (await client.send(command)).$metadata.httpStatusCode ?? 0;
      } catch (error) {
        return error instanceof S3ServiceException ? (error.$metadata.httpStatusCode ?? 0) : 0;
      }
    },
    presignCarelessly: (key, digest, lock) => presignCarelessly(client, place(key), key, digest, lock),
  };
}

async function presignCarelessly(
  client: S3Client,
  place: { Bucket: string; Key: string },
  key: string,
  { sha256, size }: ObjectDigest,
  lock: Lock,
): Promise<UploadGrant> {
  const command = new PutObjectCommand({
    ...place,
    ObjectLockMode: lock.mode,
    ObjectLockRetainUntilDate: new Date(lock.until),
  });
  const url = await getSignedUrl(client, command, { expiresIn: 60 });
  return { key, sha256, size, url, headers: {}, expires: '' };
}

/** With nothing but the grant, as a connector: large objects from a stream, small ones whole. */
export async function upload(grant: UploadGrant, bytes: Uint8Array, headers = grant.headers): Promise<number> {
  if (bytes.length < STREAMED_BYTES) {
    const response = await fetch(grant.url, { method: 'PUT', headers, body: Buffer.from(bytes) });
    await response.arrayBuffer();
    return response.status;
  }
  const body = Readable.from([bytes.subarray(0, STREAMED_BYTES), bytes.subarray(STREAMED_BYTES)]);
  const response = await axios.put(grant.url, body, { headers, maxRedirects: 0, validateStatus: () => true });
  return response.status;
}
