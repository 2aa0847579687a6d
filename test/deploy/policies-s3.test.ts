// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  S3ServiceException,
  type S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLockedBucket, createUser, s3Client } from '../services/ceph.ts';
import { sharedS3, uniqueName } from '../services/shared.ts';
import { PLACES, readPolicy, ROLES, type Statement } from './policy.ts';

// Ceph knows no roles and few condition keys. So every role is a user, an exception for a role is one for its user, and statements
// with conditions that this server does not judge are left to the simulator of `policies.test.ts`. Names of actions it does check.

const bucket = uniqueName('policies');
const key = `${PLACES.PREFIX}/log/o/segment/0000000000000000`;
const names: Record<string, string> = Object.fromEntries(ROLES.map((role) => [role, uniqueName(role)]));
const clients = new Map<string, S3Client>();
const UNJUDGED = /if-none-match|object-lock|SecureTransport/;
let version = '';

const arn = (role: string): string => `arn:aws:iam:::user/${names[role] ?? role}`;

function bucketStatements(): object[] {
  return readPolicy('cloud/bucket-policy.json', { BUCKET: bucket })
    .filter(({ Condition }) => !UNJUDGED.test(JSON.stringify(Condition)))
    .map(({ Condition, Principal, ...rest }) => {
      const [exempt = ''] = Condition['ArnNotEquals']?.['aws:PrincipalArn'] ?? [];
      const role = exempt.replace(/^.*role\/holdfast-/, '');
      return Condition['ArnNotEquals'] === undefined
        ? { ...rest, Principal }
        : { ...rest, NotPrincipal: { AWS: [arn(role)] } };
    });
}

function roleStatements(role: string): object[] {
  const own = readPolicy(`cloud/${role}.json`, { BUCKET: bucket });
  return own.map(({ Condition: _none, ...rest }: Statement) => ({
    ...rest,
    Sid: `${role}${rest.Sid}`,
    Principal: { AWS: [arn(role)] },
  }));
}

beforeAll(async () => {
  const ceph = sharedS3();
  await createLockedBucket(ceph, bucket);
  const owner = s3Client(ceph);
  clients.set('owner', owner);
  for (const role of ROLES) clients.set(role, s3Client(await createUser(ceph, names[role] ?? '')));
  const Statement = [...bucketStatements(), ...ROLES.flatMap(roleStatements)];
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
  await owner.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
  const until = new Date(Date.now() + 3_600_000);
  const lock = { ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: until } as const;
  const written = await client('archiver').send(
    new PutObjectCommand({ Bucket: bucket, Key: key, Body: 'sealed', ...lock }),
  );
  version = written.VersionId ?? '';
}, 60_000);
afterAll(() => clients.forEach((one) => one.destroy()));

function client(who: string): S3Client {
  const found = clients.get(who);
  if (found === undefined) throw new Error(`no client of ${who}`);
  return found;
}

type Call = (client: S3Client) => Promise<unknown>;
const object = { Bucket: bucket, Key: key };
const later = () => new Date(Date.now() + 7_200_000);

const CALLS: Readonly<Record<string, Call>> = {
  write: (s3) => s3.send(new PutObjectCommand({ ...object, Key: `${key}-${uniqueName('x')}`, Body: 'x' })),
  'write elsewhere': (s3) => s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'elsewhere', Body: 'x' })),
  read: (s3) => s3.send(new GetObjectCommand(object)),
  'read a version': (s3) => s3.send(new GetObjectCommand({ ...object, VersionId: version })),
  'read a lock': (s3) => s3.send(new GetObjectRetentionCommand({ ...object, VersionId: version })),
  'list versions': (s3) => s3.send(new ListObjectVersionsCommand({ Bucket: bucket })),
  hold: (s3) => s3.send(new PutObjectLegalHoldCommand({ ...object, VersionId: version, LegalHold: { Status: 'ON' } })),
  'lift a hold': (s3) =>
    s3.send(new PutObjectLegalHoldCommand({ ...object, VersionId: version, LegalHold: { Status: 'OFF' } })),
  extend: (s3) =>
    s3.send(
      new PutObjectRetentionCommand({
        ...object,
        VersionId: version,
        Retention: { Mode: 'GOVERNANCE', RetainUntilDate: later() },
      }),
    ),
  hide: (s3) => s3.send(new DeleteObjectCommand(object)),
  delete: (s3) => s3.send(new DeleteObjectCommand({ ...object, VersionId: version })),
  'delete with bypass': (s3) =>
    s3.send(new DeleteObjectCommand({ ...object, VersionId: version, BypassGovernanceRetention: true })),
  'open to all': (s3) => s3.send(new PutObjectAclCommand({ ...object, ACL: 'public-read' })),
  expire: (s3) =>
    s3.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: bucket,
        LifecycleConfiguration: {
          Rules: [{ ID: 'x', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 1 } }],
        },
      }),
    ),
  'unlock the bucket': (s3) =>
    s3.send(
      new PutObjectLockConfigurationCommand({
        Bucket: bucket,
        ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled' },
      }),
    ),
};

/** `denied` where the server said so; anything else it says is a fault of the test. */
async function outcome(who: string, what: string): Promise<'done' | 'denied'> {
  try {
    await CALLS[what]?.(client(who));
    return 'done';
  } catch (error) {
    if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 403) return 'denied';
    throw error;
  }
}

describe('the policies on a real server', () => {
  const matrix: readonly (readonly [what: string, ...who: string[]])[] = [
    ['write', 'archiver'],
    ['write elsewhere'],
    ['read', 'archiver', 'reader', 'auditor', 'steward'],
    ['read a version', 'archiver', 'reader', 'auditor', 'steward'],
    ['read a lock', 'archiver', 'reader', 'auditor', 'steward'],
    ['list versions', 'archiver', 'reader', 'auditor', 'steward'],
    ['hold', 'steward'],
    ['lift a hold', 'steward'],
    ['extend', 'archiver'],
    ['hide'],
    ['delete'],
    ['delete with bypass'],
    ['open to all'],
    ['expire'],
    ['unlock the bucket'],
  ];

  it.each(matrix)('let %s: %s %s %s %s', async (what, ...who) => {
    const done: string[] = [];
    for (const role of ROLES) if ((await outcome(role, what)) === 'done') done.push(role);
    expect(done).toEqual(ROLES.filter((role) => who.includes(role)));
  });

  it.each([
    'write',
    'hold',
    'extend',
    'hide',
    'delete',
    'delete with bypass',
    'open to all',
    'expire',
    'unlock the bucket',
  ])('bind the owner of the bucket: no %s', async (what) => {
    expect(await outcome('owner', what)).toBe('denied');
  });
});

describe('the policy of the evaluation', () => {
  const evaluation = uniqueName('evaluation');

  it('binds the owner of the bucket too', async () => {
    const ceph = sharedS3();
    await createLockedBucket(ceph, evaluation);
    const owner = client('owner');
    const statements = readPolicy('compose/bucket-policy.json', { BUCKET: evaluation });
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: statements });
    await owner.send(new PutBucketPolicyCommand({ Bucket: evaluation, Policy }));
    const { VersionId } = await owner.send(new PutObjectCommand({ Bucket: evaluation, Key: 'x', Body: 'x' }));
    for (const command of [
      new DeleteObjectCommand({ Bucket: evaluation, Key: 'x' }),
      new DeleteObjectCommand({ Bucket: evaluation, Key: 'x', VersionId }),
    ]) {
      await expect(owner.send(command)).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
    }
  });
});
