// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { checkpointKey, headsKey, mediaKey, packKey, segmentKey } from '../../src/record/layout.ts';
import { decide, PLACES, readPolicy, ROLES, type PolicyRequest, type Role } from './policy.ts';

const BUCKET = 'arn:aws:s3:::records';
const HASH = 'ab'.repeat(32);
const ORIGIN = 'records.agency.example/holdfast/2026';
const bucketPolicy = readPolicy('cloud/bucket-policy.json');

const LOCKED = [mediaKey(HASH), packKey(ORIGIN, HASH), segmentKey(ORIGIN, 0), headsKey(ORIGIN, 7)];
const DERIVED = [checkpointKey(ORIGIN), `log/${ORIGIN}/tile/0/000`];
const lock = (days: string, mode = 'COMPLIANCE') => ({
  's3:object-lock-mode': mode,
  's3:object-lock-remaining-retention-days': days,
});

function roleArn(role: string): string {
  return `arn:aws:iam::${PLACES.ACCOUNT}:role/holdfast-${role}`;
}

/** Both policies together: the role’s own has to allow it, and neither may deny. */
function may(role: Role, action: string, key: string | null, keys: PolicyRequest['keys'] = {}): boolean {
  const resource = key === null ? BUCKET : `${BUCKET}/${PLACES.PREFIX}/${key}`;
  const request = { principal: roleArn(role), action, resource, keys };
  const own = decide(readPolicy(`cloud/${role}.json`), request);
  return own === 'allow' && decide(bucketPolicy, request) !== 'deny';
}

describe('the bucket policy', () => {
  it.each(LOCKED)('lets the archiver create %s under a lock, once', (key) => {
    expect(may('archiver', 's3:PutObject', key, { 's3:if-none-match': '*', ...lock('2557') })).toBe(true);
    expect(may('archiver', 's3:PutObjectRetention', key, lock('2557'))).toBe(true);
    expect(may('archiver', 's3:PutObject', key, lock('2557'))).toBe(false);
    expect(may('archiver', 's3:PutObject', key, { 's3:if-none-match': '*' })).toBe(false);
    expect(may('archiver', 's3:PutObject', key, { 's3:if-none-match': '*', ...lock('2557', 'GOVERNANCE') })).toBe(
      false,
    );
  });

  it.each(DERIVED)('lets the archiver replace %s', (key) => {
    expect(may('archiver', 's3:PutObject', key)).toBe(true);
  });

  it('lets no lock go further than the config’s own cap', () => {
    const keys = { 's3:if-none-match': '*', ...lock('4001') };
    expect(may('archiver', 's3:PutObject', LOCKED[0] ?? '', keys)).toBe(false);
    expect(may('archiver', 's3:PutObjectRetention', LOCKED[0] ?? '', lock('4001'))).toBe(false);
    expect(may('archiver', 's3:PutObjectRetention', LOCKED[0] ?? '', lock('4000'))).toBe(true);
  });

  it.each([
    's3:DeleteObject',
    's3:BypassGovernanceRetention',
    's3:PutObjectAcl',
    's3:PutLifecycleConfiguration',
    's3:PutBucketObjectLockConfiguration',
    's3:PutBucketVersioning',
    's3:PutBucketPolicy',
    's3:DeleteBucketPolicy',
    's3:DeleteBucket',
  ])('denies %s to everybody, an administrator of the account too, but the break-glass role', (action) => {
    for (const resource of [BUCKET, `${BUCKET}/${PLACES.PREFIX}/${LOCKED[0]}`]) {
      for (const principal of [...ROLES.map(roleArn), `arn:aws:iam::${PLACES.ACCOUNT}:role/Admin`]) {
        expect(decide(bucketPolicy, { principal, action, resource })).toBe('deny');
      }
      expect(decide(bucketPolicy, { principal: roleArn('break-glass'), action, resource })).toBe('no-say');
    }
  });

  it('leaves deletion of versions and legal holds to the steward, and writing to the archiver', () => {
    const resource = `${BUCKET}/${PLACES.PREFIX}/${LOCKED[0]}`;
    const others = (own: string) => [...ROLES, 'break-glass', 'admin'].filter((role) => role !== own).map(roleArn);
    for (const action of ['s3:DeleteObjectVersion', 's3:PutObjectLegalHold']) {
      for (const principal of others('steward'))
        expect(decide(bucketPolicy, { principal, action, resource })).toBe('deny');
    }
    for (const action of ['s3:PutObject', 's3:PutObjectRetention']) {
      for (const principal of others('archiver'))
        expect(decide(bucketPolicy, { principal, action, resource })).toBe('deny');
    }
  });

  it('takes nothing that was not encrypted on its way', () => {
    const keys = { 'aws:SecureTransport': 'false' };
    const request = { principal: roleArn('auditor'), action: 's3:GetObject', resource: `${BUCKET}/x`, keys };
    expect(decide(bucketPolicy, request)).toBe('deny');
  });
});

describe('the roles', () => {
  const object: string | null = LOCKED[2] ?? '';
  const matrix: readonly { readonly action: string; readonly on: string | null; readonly who: readonly Role[] }[] = [
    { action: 's3:GetObject', on: object, who: ['archiver', 'reader', 'auditor', 'steward'] },
    { action: 's3:GetObjectVersion', on: object, who: ['archiver', 'reader', 'auditor', 'steward'] },
    { action: 's3:GetObjectRetention', on: object, who: ['archiver', 'reader', 'auditor', 'steward'] },
    { action: 's3:ListBucket', on: null, who: ['archiver', 'reader', 'auditor', 'steward'] },
    { action: 's3:ListBucketVersions', on: null, who: ['archiver', 'reader', 'auditor', 'steward'] },
    { action: 's3:GetBucketPolicy', on: null, who: ['auditor'] },
    { action: 's3:PutObjectLegalHold', on: object, who: ['steward'] },
    { action: 's3:DeleteObjectVersion', on: object, who: ['steward'] },
    { action: 's3:DeleteObject', on: object, who: [] },
    { action: 's3:PutObjectTagging', on: object, who: [] },
    { action: 's3:AbortMultipartUpload', on: object, who: [] },
    { action: 's3:BypassGovernanceRetention', on: object, who: [] },
  ];

  it.each(matrix)('may do $action on $on: $who', ({ action, on, who }) => {
    expect(ROLES.filter((role) => may(role, action, on))).toEqual(ROLES.filter((role) => who.includes(role)));
  });

  it('reach no other bucket and no other prefix', () => {
    for (const role of ROLES) {
      for (const { Resource } of readPolicy(`cloud/${role}.json`)) {
        for (const arn of Resource) expect([BUCKET, `${BUCKET}/${PLACES.PREFIX}/*`]).toContain(arn);
      }
    }
  });
});
