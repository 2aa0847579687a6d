// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterEach, describe, expect, it } from 'vitest';
import type { GrantLimits } from '../../src/archive/grant-quota.ts';
import { encodeJob, requestText, type GrantJob } from '../../src/queue/job.ts';
import { signBytes } from '../../src/record/key.ts';
import { mediaKey } from '../../src/record/layout.ts';
import { ArchiverKit, CLASS, OTHER_CLASS, type Changes, type Running } from '../support/archiver-kit.ts';
import { objectOf } from '../support/batch-sender.ts';
import type { StrictStore } from '../support/strict-store.ts';
import { CONNECTOR, signingPair } from '../vectors/keys.ts';

const MINUTE_MS = 60_000;
const LIMITS: GrantLimits = {
  maxObjectBytes: 1000,
  maxOutstandingBytes: 1500,
  maxConnectorBytes: 4000,
  maxConnectorObjects: 100,
  lapseMs: 86_400_000,
};

let running: Running | null = null;
afterEach(async () => {
  await running?.archiver[Symbol.asyncDispose]();
  running = null;
});

async function started(kit: ArchiverKit, changes: Changes = {}, store: StrictStore = kit.store()): Promise<Running> {
  running = await kit.start({ grantLimits: LIMITS, ...changes }, store);
  return running;
}

function grantJob(kit: ArchiverKit, stream: string, objects: readonly Buffer[], ret = CLASS): GrantJob {
  return { kind: 'grant', connector: kit.first.id, stream, objects: objects.map((bytes) => objectOf(bytes, ret)) };
}

/** An object on its way: granted, uploaded, and to be named by a record. */
async function upload(kit: ArchiverKit, stream: string, bytes: Buffer): Promise<{ h: string; n: number }> {
  const reply = await kit.first.ask(grantJob(kit, stream, [bytes]));
  expect(reply?.kind).toBe('granted');
  const { sha256, size } = objectOf(bytes);
  kit.bucket.upload(mediaKey(sha256), bytes);
  return { h: sha256, n: size };
}

describe('a request for heads', () => {
  it('is answered with what is in the log, and not with what waits', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await started(kit);
    const stream = kit.first.open();
    await kit.first.sendAll();
    const ask = (): Promise<unknown> =>
      kit.first.ask({ kind: 'heads', connector: kit.first.id, accounts: [stream.acct, 'f'.repeat(32)] });
    const nothing = { acct: 'f'.repeat(32), gen: 0, head: null };
    expect(await ask()).toEqual({ kind: 'heads', heads: [{ acct: stream.acct, gen: 0, head: null }, nothing] });
    await archiver.flush();
    const { seq, prev } = stream;
    const head = { stream: stream.stream, seq, id: prev };
    expect(await ask()).toEqual({ kind: 'heads', heads: [{ acct: stream.acct, gen: 1, head }, nothing] });
  });
});

describe('a request for grants', () => {
  it('is answered with the lock of its class and half a day, by the store’s clock', async () => {
    const kit = new ArchiverKit();
    await started(kit);
    const bytes = Buffer.from('an object');
    const stream = 'a'.repeat(32);
    await kit.first.ask(grantJob(kit, stream, [bytes]));
    await kit.first.ask(grantJob(kit, stream, [Buffer.from('another')], OTHER_CLASS));
    await kit.first.ask(grantJob(kit, stream, [Buffer.from('a third')], 'unscheduled'));
    expect([...kit.bucket.grants.values()].map(({ lock }) => lock.until)).toEqual([
      '2033-11-23T03:02:04Z',
      '2041-11-23T03:02:04Z',
      '2027-02-20T15:02:04Z',
    ]);
    expect(kit.bucket.grants.get(mediaKey(objectOf(bytes).sha256))?.digest).toEqual({
      ...objectOf(bytes),
      ret: undefined,
    });
  });

  it('is denied beyond the limits, with a code, and granted again once objects are logged', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await started(kit);
    const stream = kit.first.open();
    const [x, y] = [kit.random.bytes(900), kit.random.bytes(700)];
    expect(await kit.first.ask(grantJob(kit, stream.stream, [kit.random.bytes(1001)]))).toEqual({
      kind: 'denied',
      stream: stream.stream,
      code: 'archive/grant-limit',
    });
    const object = await upload(kit, stream.stream, x);
    expect(await kit.first.ask(grantJob(kit, stream.stream, [y]))).toMatchObject({
      kind: 'denied',
      code: 'archive/grant-limit',
    });
    kit.first.add(stream, [{ t: 'content', obj: [object] }]);
    await kit.first.sendAll();
    expect(await kit.first.ask(grantJob(kit, stream.stream, [y]))).toMatchObject({ kind: 'denied' });
    await archiver.flush();
    expect(await kit.first.ask(grantJob(kit, stream.stream, [y]))).toMatchObject({ kind: 'granted' });
  });

  it('is denied for a stream of another connector', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await started(kit);
    const stream = kit.second.open();
    await kit.second.sendAll();
    await archiver.flush();
    const reply = await kit.first.ask(grantJob(kit, stream.stream, [Buffer.from('x')]));
    expect(reply).toEqual({ kind: 'denied', stream: stream.stream, code: 'archive/other-key' });
  });

  it('is denied while the store is away', async () => {
    const kit = new ArchiverKit();
    await started(kit, {}, kit.store({ fault: ({ call }) => (call === 'grant' ? 'lost' : undefined) }));
    expect(await kit.first.ask(grantJob(kit, 'a'.repeat(32), [Buffer.from('x')]))).toMatchObject({
      kind: 'denied',
      code: 'store/unreachable',
    });
  });
});

describe('a request that no connector signed just now', () => {
  const heads = (kit: ArchiverKit) => ({ kind: 'heads' as const, connector: kit.first.id, accounts: ['a'.repeat(32)] });

  it.each([-16 * MINUTE_MS, 16 * MINUTE_MS, -86_400_000])(
    'is not answered when it is dated %d ms from now',
    async (ms) => {
      const kit = new ArchiverKit();
      const { told } = await started(kit);
      await kit.link.send(kit.first.request(heads(kit), kit.bucket.nowMs + ms));
      expect([kit.link.replies.length, told.refusals]).toEqual([0, ['archive/unknown-signer']]);
    },
  );

  it.each([-14 * MINUTE_MS, 0, 14 * MINUTE_MS])('is answered when it is dated %d ms from now', async (ms) => {
    const kit = new ArchiverKit();
    await started(kit);
    await kit.link.send(kit.first.request(heads(kit), kit.bucket.nowMs + ms));
    expect(kit.link.replies.length).toBe(1);
  });

  it.each([
    ['a date that is none', { at: 'yesterday' }],
    ['another date', { at: '2026-11-22T15:02:04Z' }],
    ['another account', { accounts: ['b'.repeat(32)] }],
    ['another connector’s name', { connector: '0'.repeat(32) }],
    ['no signature', { sig: '' }],
  ])('is not answered with %s', async (_what, change) => {
    const kit = new ArchiverKit();
    await started(kit);
    const job = JSON.parse(kit.first.request(heads(kit))) as object;
    await kit.link.send(JSON.stringify({ ...job, ...change }));
    expect(kit.link.replies).toEqual([]);
  });

  it('is not answered, and does not come again, when its date is none although it is signed', async () => {
    const kit = new ArchiverKit();
    await started(kit);
    const at = 'some day';
    const sig = signBytes(CONNECTOR.privateKey, requestText(heads(kit), at)).toString('base64');
    await kit.link.send(encodeJob({ ...heads(kit), at, sig }));
    expect(kit.link.replies).toEqual([]);
  });

  it('is not answered, and does not come again, when it has no canonical form', async () => {
    const kit = new ArchiverKit();
    await started(kit);
    const job = kit.first.request(grantJob(kit, 'a'.repeat(32), [Buffer.from('x')]));
    await kit.link.send(job.replace(`"ret":"${CLASS}"`, '"ret":"\\ud800"'));
    expect(kit.link.replies).toEqual([]);
  });

  it('is not answered when a stranger signed it', async () => {
    const kit = new ArchiverKit();
    await started(kit);
    const stranger = kit.sender(signingPair('stranger'));
    await kit.link.send(stranger.request({ ...heads(kit), connector: stranger.id }));
    await kit.link.send(stranger.request(heads(kit)));
    expect(kit.link.replies).toEqual([]);
  });

  it('costs nothing more when it is replayed', async () => {
    const kit = new ArchiverKit();
    await started(kit);
    const job = kit.first.request(grantJob(kit, 'a'.repeat(32), [kit.random.bytes(900)]));
    for (let round = 0; round < 5; round += 1) await kit.link.send(job);
    expect(kit.first.replies.map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => 'granted'));
    kit.pass(20 * MINUTE_MS);
    await kit.link.send(job);
    expect(kit.first.replies.length).toBe(5);
  });
});
