// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterEach, describe, expect, it } from 'vitest';
import { mediaKey } from '../../src/record/layout.ts';
import { ArchiverKit, CLASS, OTHER_CLASS, type Running } from '../support/archiver-kit.ts';
import { objectOf, type SentBatch } from '../support/batch-sender.ts';
import { checkAll } from '../support/check-log.ts';
import type { StrictStore } from '../support/strict-store.ts';

const LOCK = { mode: 'COMPLIANCE', until: '2040-01-01T00:00:00Z' } as const;

let running: Running | null = null;
afterEach(async () => {
  await running?.archiver[Symbol.asyncDispose]();
  running = null;
});

async function started(kit: ArchiverKit, store: StrictStore = kit.store()): Promise<Running> {
  running = await kit.start({}, store);
  return running;
}

/** An object on its way: granted, uploaded, and to be named by a record. */
async function upload(kit: ArchiverKit, stream: string, bytes: Buffer): Promise<{ h: string; n: number }> {
  const reply = await kit.first.ask({ kind: 'grant', connector: kit.first.id, stream, objects: [objectOf(bytes)] });
  expect(reply?.kind).toBe('granted');
  const { sha256, size } = objectOf(bytes);
  kit.bucket.upload(mediaKey(sha256), bytes);
  return { h: sha256, n: size };
}

describe('a record that names an object', () => {
  it('is taken once the object is there, under the lock of its class', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await started(kit);
    const stream = kit.first.open();
    const bytes = kit.random.bytes(500);
    const { sha256, size } = objectOf(bytes);
    kit.first.add(stream, [{ t: 'content', ret: OTHER_CLASS, obj: [{ h: sha256, n: size }] }]);
    await kit.first.send(stream.batches[0] as SentBatch);
    await expect(kit.first.send(stream.batches[1] as SentBatch)).rejects.toMatchObject({
      code: 'archive/object-missing',
      kind: 'retry',
    });
    await upload(kit, stream.stream, bytes);
    await kit.first.sendAll();
    await archiver.flush();
    checkAll(kit);
    // It was granted for the shorter class.
    const object = kit.bucket.winner(mediaKey(sha256))?.lock?.until ?? '';
    const segment =
      kit.bucket.winner(kit.bucket.keys('log/agency.example/test/segment/').at(-1) as string)?.lock?.until ?? '';
    expect(object >= '2041-11-22').toBe(true);
    expect(segment > object).toBe(true);
  });

  it.each([
    [
      'has other bytes',
      (kit: ArchiverKit, key: string, n: number) => kit.bucket.add(key, kit.random.bytes(n), LOCK),
      'archive/other-object',
    ],
    [
      'has another length',
      (kit: ArchiverKit, key: string, n: number) => kit.bucket.add(key, kit.random.bytes(n + 1), LOCK),
      'archive/other-object',
    ],
  ])('is refused when the object %s, and the archiver goes on', async (_what, put, code) => {
    const kit = new ArchiverKit();
    const { archiver, told, fatals } = await started(kit);
    const stream = kit.first.open();
    const bytes = kit.random.bytes(500);
    const { sha256, size } = objectOf(bytes);
    put(kit, mediaKey(sha256), size);
    kit.first.add(stream, [{ t: 'content', obj: [{ h: sha256, n: size }] }]);
    await kit.first.sendAll();
    expect([told.refusals, fatals]).toEqual([[code], []]);
    expect(kit.first.replies).toEqual([{ kind: 'refused', stream: stream.stream, first: 1, code }]);
    kit.second.messages(kit.second.open(), 1);
    await kit.second.sendAll();
    await archiver.flush();
    expect(kit.second.backlog()).toBe(0);
  });

  it('is refused when the object is not locked', async () => {
    const kit = new ArchiverKit();
    const { told } = await started(kit);
    const stream = kit.first.open();
    const bytes = kit.random.bytes(500);
    const { sha256, size } = objectOf(bytes);
    kit.bucket.add(mediaKey(sha256), bytes, null);
    kit.first.add(stream, [{ t: 'content', obj: [{ h: sha256, n: size }] }]);
    await kit.first.sendAll();
    expect(told.refusals).toEqual(['archive/unlocked-object']);
  });

  it('may name an object that another stream brought', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await started(kit);
    const [mine, theirs] = [kit.first.open(), kit.second.open()];
    const object = await upload(kit, mine.stream, kit.random.bytes(400));
    kit.first.add(mine, [{ t: 'content', obj: [object] }]);
    kit.second.add(theirs, [{ t: 'content', ret: OTHER_CLASS, obj: [object] }]);
    for (const sender of kit.senders) await sender.sendAll();
    await archiver.flush();
    checkAll(kit);
  });

  it('does not let another batch of the stream by while the object is confirmed', async () => {
    const kit = new ArchiverKit();
    let release = (): void => undefined;
    const confirming = new Promise<void>((resolve) => (release = resolve));
    const before = async ({ call }: { call: string }): Promise<void> => (call === 'state' ? confirming : undefined);
    const { archiver } = await started(kit, kit.store({ before }));
    const stream = kit.first.open();
    const object = await upload(kit, stream.stream, kit.random.bytes(400));
    kit.first.add(stream, [{ t: 'content', obj: [object] }]);
    kit.first.messages(stream, 2);
    const sending = Promise.all(stream.batches.map((batch) => kit.first.send(batch)));
    release();
    await sending;
    await archiver.flush();
    checkAll(kit);
    expect(kit.first.replies.filter(({ kind }) => kind === 'want')).toEqual([]);
  });

  it('is judged again once the object is confirmed', async () => {
    const kit = new ArchiverKit();
    let release = (): void => undefined;
    const confirming = new Promise<void>((resolve) => (release = resolve));
    const before = async ({ call }: { call: string }): Promise<void> => (call === 'state' ? confirming : undefined);
    const { archiver, told } = await started(kit, kit.store({ before }));
    const object = await upload(kit, 'a'.repeat(32), kit.random.bytes(400));
    const acct = 'b'.repeat(32);
    kit.first.open(acct, 1, [{ t: 'content', obj: [object] }]);
    kit.second.open(acct, 1);
    const sending = kit.first.sendAll();
    await kit.second.sendAll();
    release();
    await sending;
    expect(told.refusals).toEqual(['archive/old-generation']);
    await archiver.flush();
    expect([kit.first.backlog(), kit.second.backlog()]).toEqual([1, 0]);
  });

  it('costs no request for a longer lock when it comes within half a day of its grant', async () => {
    const kit = new ArchiverKit();
    let extended = 0;
    const count = ({ call }: { call: string }): undefined => void (extended += call === 'extend' ? 1 : 0);
    const { archiver } = await started(kit, kit.store({ fault: count }));
    const stream = kit.first.open();
    for (const [hours, expected] of [
      [11, 0],
      [13, 1],
    ] as const) {
      const object = await upload(kit, stream.stream, kit.random.bytes(400 + hours));
      kit.pass(hours * 3_600_000);
      kit.first.add(stream, [{ t: 'content', ret: CLASS, obj: [object] }]);
      await kit.first.sendAll();
      await archiver.flush();
      expect([hours, kit.first.backlog(), extended]).toEqual([hours, 0, expected]);
    }
    checkAll(kit);
  });

  it('stops the archiver when the store itself cannot be trusted', async () => {
    const kit = new ArchiverKit();
    const { fatals } = await started(
      kit,
      kit.store({ fault: ({ call }) => (call === 'extend' ? 'persisted' : undefined) }),
    );
    const stream = kit.first.open();
    const object = await upload(kit, stream.stream, kit.random.bytes(400));
    kit.first.add(stream, [{ t: 'content', ret: OTHER_CLASS, obj: [object] }]);
    await kit.first.sendAll();
    expect(fatals.length).toBe(1);
  });
});
