// SPDX-License-Identifier: AGPL-3.0-or-later

// Creates the archive's bucket with Object Lock and sets its policy; may be run again. For evaluation and for S3 servers on
// premises: in a cloud the bucket belongs to another account, and its owner's own tools create it (see ../cloud).

import {
  CreateBucketCommand,
  GetObjectLockConfigurationCommand,
  PutBucketPolicyCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const PATIENCE_MS = 60_000;
const PAUSE_MS = 1000;

const { values } = parseArgs({
  options: {
    endpoint: { type: 'string' },
    region: { type: 'string', default: 'us-east-1' },
    bucket: { type: 'string' },
    credentials: { type: 'string' },
    policy: { type: 'string' },
  },
});

function given(name: 'endpoint' | 'bucket' | 'credentials' | 'policy'): string {
  const value = values[name];
  if (value === undefined) throw new Error(`expected --${name}`);
  return value;
}

async function main(): Promise<void> {
  const bucket = given('bucket');
  const [accessKeyId = '', secretAccessKey = ''] = readFileSync(given('credentials'), 'utf8').split('\n');
  const client = new S3Client({
    endpoint: given('endpoint'),
    region: values.region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  await create(client, bucket);
  const { ObjectLockConfiguration: lock } = await client.send(
    new GetObjectLockConfigurationCommand({ Bucket: bucket }),
  );
  if (lock?.ObjectLockEnabled !== 'Enabled')
    throw new Error(`expected Object Lock on ${bucket}, got none: use another bucket`);
  const policy = readFileSync(given('policy'), 'utf8').replaceAll('@BUCKET@', bucket);
  await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: policy }));
  client.destroy();
  console.log(`${bucket}: Object Lock is on, the policy is set`);
}

/** A server that has just started refuses connections, then answers 5xx; that it knows the bucket already is as good. */
async function create(client: S3Client, bucket: string): Promise<void> {
  const giveUpMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true }));
      return;
    } catch (error) {
      const answered = error instanceof S3ServiceException ? (error.$metadata.httpStatusCode ?? 0) : 0;
      // Of a bucket that is not ours, the next request says so.
      if (answered === 409) return;
      if ((answered >= 400 && answered < 500) || performance.now() > giveUpMs) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

await main();
