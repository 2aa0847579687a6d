// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { openS3Store, probeBucket } from '../../../src/archive/s3-store.ts';
import { type Answer, startFaultProxy } from '../../faults/http-fault-proxy.ts';
import { sharedS3 } from '../../services/shared.ts';
import { s3Error, startModernS3 } from './modern-s3.ts';
import { newBucket } from './s3-subject.ts';
import { expectFailure } from './subject.ts';

const proxy = await startFaultProxy(sharedS3().endpoint);
const config = await newBucket(proxy.url);
afterEach(() => proxy.reset());
afterAll(() => proxy[Symbol.asyncDispose]());

async function table(): Promise<Record<string, string>> {
  const { findings } = await probeBucket(config);
  return Object.fromEntries(findings.map(({ check, level, got }) => [check, `${level}: ${got}`]));
}

function withHeaders(answer: Answer, change: (name: string, value: string) => string | null): Answer {
  const all = Object.entries(answer.headers).map(([name, value]) => [name, change(name, value)]);
  return {
    ...answer,
    headers: Object.fromEntries(all.filter(([, value]) => value !== null)) as Record<string, string>,
  };
}

describe('the probe', () => {
  it('finds what Ceph Pacific does and does not', async () => {
    const { findings, abilities, skewMs } = await probeBucket(config);
    const rows = findings.map(({ check, level, got }) => [check, level, got]);
    expect(rows).toEqual([
      ['bucket versioning', 'ok', 'Enabled'],
      ['bucket Object Lock', 'ok', 'Enabled'],
      ['clock', 'ok', expect.stringMatching(/^-?\d s ahead of the server$/)],
      ['lock on PUT', 'ok', expect.stringMatching(/^COMPLIANCE until /)],
      ['wrong x-amz-checksum-sha256', 'note', 'accepted'],
      ['wrong content-md5', 'ok', 'refused'],
      ['create once', 'note', '8 of 8 writers, listed in order'],
      ['legal hold', 'ok', 'set and lifted'],
      ['presigned PUT', 'ok', 'honoured as signed only'],
    ]);
    expect(findings.every(({ level, fix }) => (level === 'ok') === (fix === ''))).toBe(true);
    expect(abilities).toEqual({
      kind: 's3',
      create: 'first-listed',
      locks: true,
      legalHold: true,
      versions: true,
      checksumSha256: false,
      grants: true,
    });
    expect(Math.abs(skewMs)).toBeLessThan(5_000);
    expect(proxy.seen.length).toBeLessThan(32);
    expect(proxy.seen.filter(({ method }) => method === 'PUT').every(({ path }) => path.includes('/_probe/'))).toBe(
      true,
    );
  });

  it('finds what today’s servers do', async () => {
    await using modern = await startModernS3(sharedS3().endpoint);
    const { findings, abilities } = await probeBucket({ ...config, endpoint: modern.url });
    expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
    expect(abilities).toMatchObject({ create: 'if-none-match', checksumSha256: true });
  });

  it('refuses a bucket without Object Lock', async () => {
    const plain = await newBucket(undefined, false);
    await expectFailure(openS3Store(plain), 'store/lock-disabled');
    const { findings, abilities } = await probeBucket(plain);
    expect(findings.filter(({ level }) => level === 'fail').map(({ check }) => check)).toEqual([
      'bucket versioning',
      'bucket Object Lock',
    ]);
    expect(abilities.locks).toBe(false);
  });

  it.each([
    ['forgets the lock', (name: string, value: string) => (name.startsWith('x-amz-object-lock') ? null : value)],
    ['weakens the mode', (name: string, value: string) => (name === 'x-amz-object-lock-mode' ? 'GOVERNANCE' : value)],
    [
      'shortens the date',
      (name: string, value: string) => (name.endsWith('until-date') ? '2020-01-01T00:00:00Z' : value),
    ],
  ])('refuses a server that takes a lock and %s', async (_, change) => {
    proxy.rule = () => ({ kind: 'change', change: (answer) => withHeaders(answer, change) });
    await expectFailure(openS3Store(config), 'store/lock-ignored');
    expect(await table()).toMatchObject({ 'lock on PUT': expect.stringMatching(/^fail: /) });
  });

  it('refuses a server whose clock or ours is wrong', async () => {
    const shift = (ms: number) => (name: string, value: string) =>
      name === 'date' ? new Date(Date.parse(value) + ms).toUTCString() : value;
    for (const ms of [-40_000, 40_000]) {
      proxy.rule = () => ({ kind: 'change', change: (answer) => withHeaders(answer, shift(ms)) });
      await expectFailure(openS3Store({ ...config, maxClockSkewMs: 20_000 }), 'store/clock-skew');
      await using tolerant = await openS3Store(config);
      expect(tolerant.abilities.locks).toBe(true);
    }
    proxy.rule = () => ({
      kind: 'answer',
      forwarded: false,
      answer: { status: 403, headers: { date: new Date(Date.now() + 3_600_000).toUTCString() }, body: Buffer.alloc(0) },
    });
    await expectFailure(openS3Store(config), 'store/clock-skew');
  });

  it('refuses a server where neither the precondition nor the order of versions decides', async () => {
    const reversed = (answer: Answer): Answer => {
      const versions = String(answer.body).match(/<Version>.*?<\/Version>/gs) ?? [];
      const text = String(answer.body).replace(/<Version>.*<\/Version>/s, versions.toReversed().join(''));
      return { ...answer, headers: withoutLength(answer), body: Buffer.from(text) };
    };
    proxy.rule = ({ path }) => (path.includes('versions') ? { kind: 'change', change: reversed } : null);
    await expectFailure(openS3Store(config), 'store/no-create-once');
  });

  it('does not trust a precondition that sometimes lets two through', async () => {
    let puts = 0;
    proxy.rule = ({ method, path }) => {
      if (method !== 'PUT' || !path.includes('/race')) return null;
      puts += 1;
      return puts <= 2 ? null : { kind: 'answer', forwarded: false, answer: s3Error(412, 'PreconditionFailed') };
    };
    await expectFailure(openS3Store(config), 'store/no-create-once');
  });

  it('notes that these credentials may not set holds', async () => {
    proxy.rule = ({ path }) =>
      path.includes('legal-hold') ? { kind: 'answer', forwarded: false, answer: s3Error(403, 'AccessDenied') } : null;
    expect(await table()).toMatchObject({ 'legal hold': 'note: 403 AccessDenied' });
    await using store = await openS3Store(config);
    expect(store.abilities.legalHold).toBe(false);
  });

  it('goes on where the bucket’s configuration may not be looked at', async () => {
    proxy.rule = ({ path }) =>
      /[?&](?:versioning|object-lock)/.test(path)
        ? { kind: 'answer', forwarded: false, answer: s3Error(403, 'AccessDenied') }
        : null;
    expect(await table()).toMatchObject({
      'bucket versioning': 'note: 403 AccessDenied',
      'lock on PUT': expect.stringMatching('ok'),
    });
  });

  it('warns of a default retention, which would lock every checkpoint', async () => {
    const body = Buffer.from(
      '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>',
    );
    proxy.rule = ({ path }) =>
      path.includes('object-lock')
        ? { kind: 'change', change: (answer) => ({ ...answer, headers: withoutLength(answer), body }) }
        : null;
    expect(await table()).toMatchObject({ 'default retention': 'note: COMPLIANCE' });
  });

  it('gives no grants where a presigned PUT is not bound to what was signed', async () => {
    proxy.rule = ({ path }) =>
      path.includes('X-Amz-Signature')
        ? { kind: 'answer', forwarded: false, answer: { status: 200, headers: {}, body: Buffer.alloc(0) } }
        : null;
    await using store = await openS3Store(config);
    expect(store.abilities.grants).toBe(false);
    expect(await table()).toMatchObject({ 'presigned PUT': 'note: 200' });
  });

  it('throws where the server cannot be asked', async () => {
    await expectFailure(openS3Store({ ...config, endpoint: 'http://127.0.0.1:1' }), 'store/unreachable');
    proxy.rule = () => ({ kind: 'lose-answer' });
    await expectFailure(openS3Store(config), 'store/unreachable');
  });
});

function withoutLength({ headers }: Answer): Record<string, string> {
  const { 'content-length': _, ...rest } = headers;
  return rest;
}
