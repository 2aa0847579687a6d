// SPDX-License-Identifier: AGPL-3.0-or-later

import { randomBytes } from 'node:crypto';

/** Set by the test command for the tests it starts; JSON of an `S3Access` in the second. */
export const REDIS_VARIABLE = 'HOLDFAST_TEST_REDIS_URL';
export const S3_VARIABLE = 'HOLDFAST_TEST_S3';

export interface S3Access {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The directory of the Ceph behind it. */
  readonly dir: string;
}

/** The Redis all tests share: a test MUST use keys of its own (`uniqueName`), and MUST NOT empty, stop or configure it. */
export function sharedRedisUrl(): string {
  return variable(REDIS_VARIABLE, 'Redis');
}

/** The S3 server with Object Lock that all tests share: a test MUST use buckets of its own (`uniqueName`). */
export function sharedS3(): S3Access {
  return JSON.parse(variable(S3_VARIABLE, 'Ceph')) as S3Access;
}

/** A key prefix, queue or bucket name no other test has. */
export function uniqueName(label: string): string {
  return `${label}-${randomBytes(6).toString('hex')}`;
}

function variable(name: string, service: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  throw new Error(
    `this test needs ${service}: run it with "npm test -- <file>", which starts the services ("npm run test:unit" is for tests that need none); ${name} is not set`,
  );
}
