// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { join } from 'node:path';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLockedBucket, s3Client } from '../services/ceph.ts';
import { Guard } from '../services/guard.ts';
import { freePort } from '../services/ports.ts';
import { sharedS3, uniqueName } from '../services/shared.ts';
import { DEPLOY } from './compose-file.ts';

const bucket = uniqueName('door');
const guard = new Guard('door');
const bytes = Buffer.alloc(300_000, 'sealed');
const hash = createHash('sha256').update(bytes).digest('hex');
const key = `holdfast/media/${hash.slice(0, 2)}/${hash}`;
let door = '';
let client: S3Client;

beforeAll(async () => {
  await createLockedBucket(sharedS3(), bucket);
  const port = await freePort();
  const options = [
    `--listen=${port}`,
    '--host=127.0.0.1',
    `--store=${sharedS3().endpoint}`,
    `--prefix=/${bucket}/holdfast/media/`,
  ];
  const args = [
    '--disable-sigusr1',
    '--permission',
    '--allow-fs-read=*',
    join(DEPLOY, 'compose', 'upload-door.ts'),
    ...options,
  ];
  const service = guard.start('door', process.execPath, args);
  door = `http://127.0.0.1:${port}`;
  await service.ready(async () => (await put(`${door}/x`, {}, Buffer.alloc(0))) === 403, 20_000);
  // Signs for the door's address, as the archiver signs for the name that both networks know.
  client = s3Client({ ...sharedS3(), endpoint: door });
});
afterAll(async () => {
  client?.destroy();
  await guard.end();
});

/** One plain HTTP request; 0 where there is no answer. */
function put(url: string, headers: Record<string, string>, body: Buffer, method = 'PUT'): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(url, { method, headers }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.on('error', () => resolve(0)).end(body);
  });
}

/** A grant as the archiver gives it: every header that matters is signed. */
async function grant(name: string): Promise<{ url: string; headers: Record<string, string> }> {
  const until = new Date(Math.ceil(Date.now() / 1000) * 1000 + 60_000);
  const headers = {
    'content-length': String(bytes.length),
    'content-md5': createHash('md5').update(bytes).digest('base64'),
    'x-amz-object-lock-mode': 'COMPLIANCE',
    'x-amz-object-lock-retain-until-date': until.toISOString().replace('.000Z', 'Z'),
  };
  const command = new PutObjectCommand({
    Bucket: bucket,
    Key: name,
    ContentLength: bytes.length,
    ContentMD5: headers['content-md5'],
    ObjectLockMode: 'COMPLIANCE',
    ObjectLockRetainUntilDate: until,
  });
  const url = await getSignedUrl(client, command, { expiresIn: 60, unhoistableHeaders: new Set(Object.keys(headers)) });
  return { url, headers };
}

describe('the door for uploads', () => {
  it('lets a granted upload through, lock and all', async () => {
    const { url, headers } = await grant(key);
    expect(await put(url, headers, bytes)).toBe(200);
    const direct = s3Client(sharedS3());
    const kept = await direct.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    expect([kept.ContentLength, kept.ObjectLockMode]).toEqual([bytes.length, 'COMPLIANCE']);
    const { Body } = await direct.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(bytes)).toBe(true);
    direct.destroy();
  });

  it('leaves the judgement of a grant to the store', async () => {
    const { url, headers } = await grant(key);
    expect(await put(url, headers, Buffer.alloc(bytes.length, 'forged'))).toBe(400);
    expect(await put(url, { ...headers, 'x-amz-object-lock-mode': 'GOVERNANCE' }, bytes)).toBe(403);
    expect(await put(url.replace(/Signature=.{8}/, 'Signature=00000000'), headers, bytes)).toBe(403);
  });

  it('is shut for everything else, whoever signed it', async () => {
    const { url, headers } = await grant(key);
    const elsewhere = await grant('holdfast/log/o/segment/0000000000000000');
    const { pathname, search } = new URL(url);
    const shut: readonly (readonly [url: string, headers: Record<string, string>, method: string])[] = [
      [url, headers, 'GET'],
      [url, headers, 'DELETE'],
      [url, headers, 'POST'],
      [elsewhere.url, elsewhere.headers, 'PUT'],
      [url, { ...headers, authorization: 'AWS4-HMAC-SHA256 Credential=x' }, 'PUT'],
      [`${door}${pathname}`, headers, 'PUT'],
      [`${url}&acl`, headers, 'PUT'],
      [`${url}&versionId=x`, headers, 'PUT'],
      [`${url}&retention=`, headers, 'PUT'],
      [`${door}${pathname}?acl${search.replace('?', '&')}`, headers, 'PUT'],
      [`${door}${pathname}/more${search}`, headers, 'PUT'],
      [`${door}/`, {}, 'GET'],
    ];
    for (const [place, sent, method] of shut)
      expect([method, place, await put(place, sent, bytes, method)]).toEqual([method, place, 403]);
  });

  it.each(['%2e%2e/', '../media/', '/', './', '%2f'])('is not climbed over by %s', async (step) => {
    const { url, headers } = await grant(key);
    const { search, port } = new URL(url);
    // As it stands in the request line: URL would tidy it.
    const path = `/${bucket}/holdfast/media/${step}${hash.slice(0, 2)}/${hash}${search}`;
    const status = await new Promise<number>((resolve) => {
      request({ port, host: '127.0.0.1', path, method: 'PUT', headers }, ({ statusCode = 0 }) => resolve(statusCode))
        .on('error', () => resolve(0))
        .end(bytes);
    });
    expect(status).toBe(403);
  });
});
