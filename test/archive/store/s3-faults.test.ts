// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openS3Store } from '../../../src/archive/s3-store.ts';
import type { FailureCode } from '../../../src/base/failure.ts';
import { type Exchange, type Fault, startFaultProxy } from '../../faults/http-fault-proxy.ts';
import { sharedS3 } from '../../services/shared.ts';
import { s3Error } from './modern-s3.ts';
import { newBucket, s3Subject } from './s3-subject.ts';
import { drained, expectFailure, failureOf, freshKey, listed, lockFor, textOf } from './subject.ts';

const proxy = await startFaultProxy(sharedS3().endpoint);
const config = await newBucket(proxy.url);
const { store, open } = await s3Subject(config);
const BYTES = Buffer.from('the bytes of a segment');
const MIB = 1024 * 1024;

beforeEach(() => proxy.reset());
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

const isCreate = ({ method, path }: Exchange) =>
  method === 'PUT' && !path.includes('?retention') && !path.includes('legal-hold');
const isGet = ({ method, path }: Exchange) => method === 'GET' && path.includes('versionId');
const isListing = ({ path }: Exchange) => path.includes('versions');
const isRetention = ({ path }: Exchange) => path.includes('retention');
const puts = () => proxy.seen.filter(isCreate).length;
const answering = (status: number, code: string, forwarded = false): Fault => ({
  kind: 'answer',
  answer: s3Error(status, code),
  forwarded,
});
const html: Fault = {
  kind: 'answer',
  forwarded: false,
  answer: { status: 503, headers: { 'content-type': 'text/html' }, body: Buffer.from('<html>busy</html>') },
};

describe('a create whose PUT fails', () => {
  const faults: [string, Fault, FailureCode, number][] = [
    ['is answered by nobody, though it happened', { kind: 'lose-answer' }, 'store/unknown-outcome', 1],
    ['never arrives', { kind: 'lose-request' }, 'store/unknown-outcome', 0],
    ['is answered 500, though it happened', answering(500, 'InternalError', true), 'store/unknown-outcome', 1],
    ['is answered 500', answering(500, 'InternalError'), 'store/unknown-outcome', 0],
    ['is answered 502 by something in between', answering(502, 'BadGateway', true), 'store/unknown-outcome', 1],
    ['is answered 503 by something that is no S3', html, 'store/unknown-outcome', 0],
    ['is answered 503 SlowDown', answering(503, 'SlowDown'), 'store/unreachable', 0],
    ['is answered 503 ServiceUnavailable', answering(503, 'ServiceUnavailable'), 'store/unreachable', 0],
    ['arrives damaged', answering(400, 'BadDigest'), 'store/damaged-in-transit', 0],
    ['is forbidden', answering(403, 'AccessDenied'), 'store/denied', 0],
    ['exceeds a quota', answering(403, 'QuotaExceeded'), 'store/full', 0],
    ['is answered in an unknown way', answering(418, 'Teapot'), 'store/unexpected-answer', 0],
    ['is redirected', answering(301, 'PermanentRedirect'), 'store/unexpected-answer', 0],
  ];

  it.each(faults)('because it %s: is sent once, tells the kind, and converges', async (_, fault, code, landed) => {
    const key = freshKey();
    const lock = await lockFor(store);
    proxy.once(isCreate, fault);
    await expectFailure(store.create(key, BYTES, lock), code);
    expect(puts()).toBe(1);
    expect(await listed(store, key)).toHaveLength(landed);
    await converges(key);
  });

  it.each(Array.from({ length: 12 }, (_, index) => index))('converges after faults in any order (%i)', async (seed) => {
    const key = freshKey();
    const picks = [seed % 3, (seed + 1) % 5, (seed * 7) % 5]
      .map((index) => faults[index]?.[1])
      .filter((fault) => fault !== undefined);
    for (const fault of picks) {
      proxy.once(isCreate, fault);
      await failureOf(store.create(key, BYTES, await lockFor(store)));
    }
    await converges(key);
  });

  it('because the server is slower than the deadline: the late arrival wins nothing', async () => {
    const key = freshKey();
    const lock = await lockFor(store);
    await using hasty = await openS3Store({ ...config, timeouts: { callMs: 300 } }, store.abilities);
    proxy.once(isCreate, { kind: 'delay', beforeMs: 1_200 });
    await expectFailure(hasty.create(key, Buffer.from('late'), lock), 'store/unknown-outcome');
    const { won, version } = await store.create(key, BYTES, lock);
    expect(won).toBe(true);
    await sleep(1_500);
    expect(await listed(store, key)).toHaveLength(2);
    expect(await store.read(key)).toMatchObject({ version });
    expect(await hasty.create(key, Buffer.from('late'), lock)).toEqual({ won: false, version });
  });

  it('because the server is slower than the deadline: the early arrival wins all', async () => {
    const key = freshKey();
    const lock = await lockFor(store);
    await using hasty = await openS3Store({ ...config, timeouts: { callMs: 300 } }, store.abilities);
    proxy.once(isCreate, { kind: 'delay', afterMs: 800 });
    await expectFailure(hasty.create(key, BYTES, lock), 'store/unknown-outcome');
    expect((await store.create(key, Buffer.from('other bytes'), lock)).won).toBe(false);
    expect((await store.create(key, BYTES, lock)).won).toBe(true);
    expect(textOf(await store.read(key))).toBe(String(BYTES));
  });

  it('because somebody else is at the key at the same moment: waits and goes on', async () => {
    const key = freshKey();
    proxy.once(isCreate, answering(409, 'ConditionalRequestConflict'));
    proxy.once(isCreate, answering(409, 'ConditionalRequestConflict'));
    expect((await store.create(key, BYTES, await lockFor(store))).won).toBe(true);
    expect(puts()).toBe(3);
    proxy.rule = (exchange) => (isCreate(exchange) ? answering(409, 'ConditionalRequestConflict') : null);
    await expectFailure(store.create(freshKey(), BYTES, await lockFor(store)), 'store/unreachable');
  });

  async function converges(key: string): Promise<void> {
    await using next = await open();
    const { won, version } = await next.create(key, BYTES, await lockFor(next));
    expect(won).toBe(true);
    const versions = await listed(next, key);
    expect(versions.at(-1)?.version).toBe(version);
    for (const one of versions) {
      expect(String(await drained(await next.readStream(key, one.version)))).toBe(String(BYTES));
      expect((await next.state(key, one.version))?.lock).not.toBeNull();
    }
    expect(await next.create(key, Buffer.from('another segment'), await lockFor(next))).toEqual({
      won: false,
      version,
    });
    expect(textOf(await next.read(key))).toBe(String(BYTES));
  }
});

describe('a create whose read-back fails', () => {
  const changed = (change: (body: Buffer) => Buffer): Fault => ({
    kind: 'change',
    change: (answer) => ({
      ...answer,
      headers: { ...answer.headers, 'content-length': '' },
      body: change(answer.body),
    }),
  });

  it.each([
    ['other bytes', changed((body) => Buffer.from(body.map((byte) => byte ^ 1))), 'store/readback'],
    ['no object', answering(404, 'NoSuchKey'), 'store/readback'],
  ] as const)('with %s: never says that it succeeded', async (_, fault, code) => {
    proxy.rule = (exchange) => (isGet(exchange) ? fault : null);
    await expectFailure(store.create(freshKey(), BYTES, await lockFor(store)), code);
  });

  it('with a lock that is not there: says so', async () => {
    proxy.rule = (exchange) =>
      isGet(exchange)
        ? {
            kind: 'change',
            change: (answer) => ({ ...answer, headers: { ...answer.headers, 'x-amz-object-lock-mode': '' } }),
          }
        : null;
    await expectFailure(store.create(freshKey(), BYTES, await lockFor(store)), 'store/lock-ignored');
  });

  it('once: reads again and does not write again', async () => {
    proxy.once(isGet, { kind: 'truncate', bytes: 5, honest: false });
    proxy.once(isListing, { kind: 'lose-answer' });
    proxy.once(isListing, html);
    expect((await store.create(freshKey(), BYTES, await lockFor(store))).won).toBe(true);
    expect(puts()).toBe(1);
  });

  it('for good: asks to be repeated, and converges', async () => {
    const key = freshKey();
    proxy.rule = (exchange) => (isListing(exchange) ? { kind: 'lose-answer' } : null);
    await expectFailure(store.create(key, BYTES, await lockFor(store)), 'store/unreachable');
    proxy.reset();
    expect((await store.create(key, BYTES, await lockFor(store))).won).toBe(true);
  });

  it('by a server without versions: refuses it', async () => {
    proxy.once(isCreate, {
      kind: 'change',
      change: (answer) => ({ ...answer, headers: { 'content-length': '0' } }),
    });
    await expectFailure(store.create(freshKey(), BYTES, await lockFor(store)), 'store/lock-disabled');
  });
});

describe('a read that fails', () => {
  const listings: [string, Fault][] = [
    ['nothing at all', { kind: 'truncate', bytes: 0, honest: true }],
    ['a listing cut in the middle', { kind: 'truncate', bytes: 300, honest: true }],
    [
      'another document',
      {
        kind: 'answer',
        forwarded: false,
        answer: { status: 200, headers: {}, body: Buffer.from('<html>welcome</html>') },
      },
    ],
  ];

  it.each(listings)('is never taken for an empty archive: %s', async (_, fault) => {
    const key = freshKey();
    await store.create(key, BYTES, await lockFor(store));
    proxy.rule = (exchange) => (isListing(exchange) ? fault : null);
    await expectFailure(store.read(key), 'store/unreachable');
    await expectFailure(store.state(key, ''), 'store/unreachable');
    await expectFailure(listed(store, key), 'store/unreachable');
  });

  it.each([true, false])(
    'in the middle of a stream ends the stream with a failure (headers agree: %s)',
    async (honest) => {
      const key = freshKey('media/aa');
      await store.create(key, Buffer.alloc(2 * MIB, 1), await lockFor(store));
      proxy.once(isGet, { kind: 'truncate', bytes: MIB, honest });
      await expectFailure(drained(await store.readStream(key, '')), 'store/unreachable');
      proxy.once(isGet, { kind: 'truncate', bytes: MIB, honest: false });
      const { version } = (await store.state(key, '')) ?? { version: '' };
      await expectFailure(drained(await store.readStream(key, version)), 'store/unreachable');
    },
  );

  it('short of what was listed gives nothing', async () => {
    const key = freshKey();
    await store.create(key, BYTES, await lockFor(store));
    proxy.once(isGet, { kind: 'truncate', bytes: 5, honest: true });
    await expectFailure(store.read(key), 'store/unreachable');
  });

  it('is repeated a few times, and not for ever', async () => {
    const key = freshKey();
    await store.create(key, BYTES, await lockFor(store));
    for (let times = 0; times < 3; times += 1) proxy.once(isGet, answering(503, 'SlowDown'));
    expect(textOf(await store.read(key))).toBe(String(BYTES));
    proxy.reset();
    proxy.rule = (exchange) => (isGet(exchange) ? { kind: 'lose-answer' } : null);
    await expectFailure(store.read(key), 'store/unreachable');
    expect(proxy.seen.filter(isGet)).toHaveLength(4);
  });

  it('because an object is too large for memory is refused before it is loaded', async () => {
    const key = freshKey();
    await store.create(key, BYTES, await lockFor(store));
    proxy.once(isGet, {
      kind: 'change',
      change: (answer) => ({
        ...answer,
        headers: { ...answer.headers, 'content-length': String(300 * MIB) },
        body: Buffer.alloc(0),
      }),
    });
    await expectFailure(store.read(key), 'store/too-large');
  });
});

describe('a lock or a hold whose answer is lost', () => {
  it('is lengthened all the same, since a repetition does no harm', async () => {
    const key = freshKey();
    const { version } = await store.create(key, BYTES, await lockFor(store));
    const faults: Fault[] = [{ kind: 'lose-answer' }, { kind: 'lose-request' }, answering(500, 'UnknownError')];
    for (const [index, fault] of faults.entries()) {
      const lock = await lockFor(store, index + 2);
      proxy.once(isRetention, fault);
      await store.extend(key, version, lock);
      expect((await store.state(key, version))?.lock).toEqual(lock);
    }
    proxy.rule = (exchange) => (isRetention(exchange) ? { kind: 'lose-request' } : null);
    await expectFailure(store.extend(key, version, await lockFor(store, 6)), 'store/unreachable');
  });

  it('ends the process where a hold is meant', async () => {
    const key = freshKey();
    const { version } = await store.create(key, BYTES, await lockFor(store));
    proxy.once(({ path }) => path.includes('legal-hold'), { kind: 'lose-answer' });
    await expectFailure(store.setLegalHold(key, version, true), 'store/unknown-outcome');
  });

  it('is not believed when the server only says that it did it', async () => {
    const key = freshKey();
    const { version } = await store.create(key, BYTES, await lockFor(store));
    const done: Fault = {
      kind: 'answer',
      forwarded: false,
      answer: { status: 200, headers: {}, body: Buffer.alloc(0) },
    };
    proxy.rule = ({ path }) => (path.includes('retention') || path.includes('legal-hold') ? done : null);
    await expectFailure(store.extend(key, version, await lockFor(store, 2)), 'store/lock-ignored');
    await expectFailure(store.setLegalHold(key, version, true), 'store/lock-ignored');
    await expectFailure(store.create(key, BYTES, await lockFor(store, 2)), 'store/lock-ignored');
  });
});
