// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ArchiverKit, keysOf, OTHER_CLASS, STANDBY, type Changes, type Running } from '../support/archiver-kit.ts';
import type { SentBatch } from '../support/batch-sender.ts';
import { auditorsFindings, checkAll, checkLog } from '../support/check-log.ts';
import { DirectLink } from '../support/direct-link.ts';
import type { Called } from '../support/strict-store.ts';
import { signingPair } from '../vectors/keys.ts';

let running: Running | null = null;
afterEach(async () => {
  await running?.archiver[Symbol.asyncDispose]();
  running = null;
});

async function started(kit: ArchiverKit, changes: Changes = {}): Promise<Running> {
  running = await kit.start(changes);
  return running;
}

describe('an archiver', () => {
  it('archives every record once and proves it, to an auditor too', async () => {
    const kit = new ArchiverKit();
    const { archiver, fatals } = await started(kit);
    const [a, b] = [kit.first.open(), kit.second.open()];
    kit.first.messages(a, 5);
    kit.second.messages(b, 3, OTHER_CLASS);
    for (const sender of kit.senders) await sender.sendAll();
    await archiver.flush();
    kit.first.add(a, [{ t: 'content' }, { t: 'hole', count: 4 }]);
    kit.first.add(a, [{ t: 'beat' }]);
    kit.second.add(b, [{ t: 'close' }]);
    for (const sender of kit.senders) await sender.sendAll();
    await archiver.flush();
    expect(checkAll(kit).orphans).toEqual([]);
    expect(fatals).toEqual([]);
    expect(await auditorsFindings(kit.bucket)).toEqual([]);
  });

  it('archives every record once, in whatever order batches come and however often', { timeout: 120_000 }, async () => {
    const order = fc.array(fc.nat({ max: 1000 }), { minLength: 5, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(order, fc.nat({ max: 10 }), async (picks, every) => {
        const kit = new ArchiverKit();
        const { archiver } = await kit.start();
        const batches: [typeof kit.first, SentBatch][] = [];
        for (const sender of kit.senders) {
          for (let streams = 0; streams < 2; streams += 1) {
            const stream = sender.open();
            for (let count = 0; count < 4; count += 1) sender.add(stream, [{ t: 'content' }, { t: 'hole', count: 2 }]);
            batches.push(...stream.batches.map((batch): [typeof sender, SentBatch] => [sender, batch]));
          }
        }
        const sending: Promise<void>[] = [];
        for (const [at, pick] of picks.entries()) {
          const [sender, batch] = batches[pick % batches.length] as [typeof kit.first, SentBatch];
          sending.push(sender.send(batch, { again: pick % 3 === 0 }));
          if (every > 0 && at % every === 0) await archiver.flush();
        }
        await Promise.all(sending);
        await archiver.flush();
        for (let round = 0; round < 3; round += 1) {
          for (const sender of kit.senders) await sender.sendAll(true);
          await archiver.flush();
        }
        const sent = kit.senders.flatMap((sender) => sender.ids());
        expect(checkLog(kit.bucket).ids.toSorted()).toEqual(sent.toSorted());
        expect(kit.backlog()).toBe(0);
        await archiver[Symbol.asyncDispose]();
      }),
      { numRuns: 60 },
    );
  });

  it('lets an account open one stream of a generation, also within one flush', async () => {
    const kit = new ArchiverKit();
    const { archiver, told } = await started(kit);
    const acct = 'a'.repeat(32);
    const [first, again, next] = [kit.first.open(acct, 5), kit.second.open(acct, 5), kit.second.open(acct, 6)];
    for (const sender of kit.senders) await sender.sendAll();
    expect(told.refusals).toEqual(['archive/old-generation']);
    await archiver.flush();
    expect([first, again, next].map(({ archived }) => archived)).toEqual([0, -1, 0]);
    expect(checkLog(kit.bucket).ids.length).toBe(2);
  });

  it('tells a connector what it refuses, if the connector said it', async () => {
    const kit = new ArchiverKit();
    const { archiver, told } = await started(kit);
    const stream = kit.first.open();
    await kit.first.sendAll();
    const batch = kit.first.messages(stream, 1);
    const { statement } = batch.job;
    const forged: SentBatch = { ...batch, job: { ...batch.job, statement: { ...statement, gen: 7 } } };
    await kit.first.send(forged);
    const stranger = kit.sender(signingPair('stranger'));
    await stranger.send(stranger.open().batches[0] as SentBatch);
    expect(kit.link.replies).toEqual([]);
    await kit.first.send({ ...batch, job: { ...batch.job, epochs: [] } });
    expect(kit.first.replies).toEqual([
      { kind: 'refused', stream: stream.stream, first: 1, code: 'archive/missing-epoch' },
    ]);
    expect(told.refusals).toEqual(['format/batch-signature', 'archive/unknown-signer', 'archive/missing-epoch']);
    await kit.first.sendAll();
    await archiver.flush();
    checkAll(kit);
  });

  it('asks for the record that it is waiting for', async () => {
    const kit = new ArchiverKit();
    await started(kit);
    const stream = kit.first.open();
    await kit.first.send(kit.first.messages(stream, 2));
    await kit.first.send(stream.batches[0] as SentBatch);
    await kit.first.send(kit.first.messages(stream, 2));
    const { stream: id } = stream;
    expect(kit.first.replies).toEqual([
      { kind: 'want', stream: id, seq: 0 },
      { kind: 'want', stream: id, seq: 1 },
    ]);
  });

  it('says nothing of a batch that waits for its segment, or is being written', async () => {
    const kit = new ArchiverKit();
    let release = (): void => undefined;
    const written = new Promise<void>((resolve) => (release = resolve));
    let isSlow = false;
    const before = async ({ call }: Called): Promise<void> => (isSlow && call === 'create' ? written : undefined);
    running = await kit.start({}, kit.store({ before }));
    const { archiver } = running;
    const stream = kit.first.open();
    await kit.first.sendAll();
    await archiver.flush();
    kit.first.replies.length = 0;
    kit.first.messages(stream, 1);
    await kit.first.sendAll();
    await kit.first.sendAll(true);
    isSlow = true;
    const flushed = archiver.flush();
    for (let turns = 0; turns < 20; turns += 1) await turn();
    await kit.first.sendAll(true);
    for (let turns = 0; turns < 20; turns += 1) await turn();
    expect(kit.first.replies).toEqual([]);
    release();
    await flushed;
    expect(kit.first.replies[0]?.kind).toBe('receipt');
  });

  it('ends although a connector’s way is blocked', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start();
    kit.link.beforeReply = () => new Promise(() => undefined);
    kit.first.open();
    await kit.first.sendAll();
    await archiver[Symbol.asyncDispose]();
    expect(checkLog(kit.bucket).ids.length).toBe(1);
  });
});

describe('a standby', () => {
  it('follows, and takes over when the active one ends', async () => {
    const kit = new ArchiverKit();
    const active = await kit.start();
    const stream = kit.first.open();
    await kit.first.sendAll();
    await active.archiver.flush();
    const link = new DirectLink();
    const standby = await kit.start({ keys: keysOf(STANDBY) }, kit.store(), link);
    kit.first.messages(stream, 2);
    await kit.first.sendAll();
    await active.archiver.flush();
    await active.archiver[Symbol.asyncDispose]();
    // It has not seen the last segment: its first flush ends it, and its next start follows.
    link.listen(kit.first.id, () => undefined);
    kit.first.messages(stream, 1);
    for (const batch of stream.batches) await link.send(kit.first.job(batch, { again: true }));
    await expect(standby.archiver.flush()).rejects.toMatchObject({ code: 'archive/superseded' });
    expect(standby.fatals.length).toBe(1);
    await standby.archiver[Symbol.asyncDispose]();
    running = await kit.drain({ keys: keysOf(STANDBY) });
    checkAll(kit);
    expect(await auditorsFindings(kit.bucket)).toEqual([]);
  });
});
