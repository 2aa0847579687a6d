// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { encodeReply, type Reply } from '../../src/queue/reply.ts';
import { encodeReceipt } from '../../src/record/receipt.ts';
import { ARCHIVER, CONNECTOR, signingPair } from '../vectors/keys.ts';
import { temporaryDirectory, until } from '../support/spool-kit.ts';
import { message, SECOND_CONNECTOR } from '../support/spool-parts.ts';
import { readLog } from '../support/recovered.ts';
import { newFar, ShippingKit, type Far } from '../support/shipping-kit.ts';

const QUICK = { times: { headsTimeoutMs: 20, doubtPauseMs: 0 } };
const drained = (of: ShippingKit): Promise<void> => until('all is archived', () => of.spool.backlog() === 0);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function say(of: ShippingKit, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 1) await of.sink.deliver([message(`${at}`)]);
}

const answer = ({ log }: Far, reply: Reply): void => log.answer(CONNECTOR.key.id, reply);

describe('shipping', () => {
  it('sends each stream’s batches in their order, one after the other, each once while all goes well', async () => {
    const far = newFar();
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first', 'second']);
    await Promise.all(
      of.sinks.map(async (sink, no) => {
        for (let at = 0; at < 40; at += 1) await sink.deliver([message(`${no} ${at}`)]);
      }),
    );
    await drained(of);
    for (const stream of far.log.streams.keys()) {
      const own = far.log.batches
        .filter(({ statement }) => statement.stream === stream)
        .map(({ statement }) => statement.first);
      expect(own).toEqual([...new Set(own)].toSorted((a, b) => a - b));
    }
    expect(far.log.batches.reduce((sum, { statement }) => sum + statement.count, 0)).toBe(82);
    expect([far.log.violations, of.told.troubles]).toEqual([[], []]);
    expect(of.told.shippedRecords).toBe(82);
  });

  it('says “again” once a run, and where its receipts stand', async () => {
    const far = newFar();
    const directory = temporaryDirectory();
    for (let run = 0; run < 2; run += 1) {
      await using of = await ShippingKit.start(far, directory);
      await drained(of);
      await say(of, run * 3, run * 3 + 1);
      await drained(of);
      await say(of, run * 3 + 1, run * 3 + 2);
      await drained(of);
    }
    const flags = far.log.batches.map(({ again, since }) => [again, since]);
    expect(flags).toEqual([
      [true, 0],
      [false, 1],
      [false, 2],
      [true, 3],
      [false, 4],
    ]);
  });

  it('sends again what has no receipt: a lost job, a lost receipt, a transport that was away', async () => {
    const far = newFar();
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first'], { againAfterMs: 100 });
    await drained(of);
    far.link.faults = { lose: 1, repeat: 0, late: 0 };
    await say(of, 0, 3);
    await sleep(50);
    far.link.faults = { lose: 0, repeat: 0, late: 0 };
    await drained(of);
    far.log.withholds = true;
    await say(of, 3, 5);
    await until('they are in the log', () => far.log.size === 6);
    far.log.withholds = false;
    await drained(of);
    far.link.isAway = true;
    await say(of, 5, 7);
    await until('it was told', () => of.told.troubles.includes('send store/unreachable'));
    far.link.isAway = false;
    await drained(of);
    expect(far.log.all().map(({ entry }) => entry.seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(far.log.violations).toEqual([]);
  });

  it.each([11, 12, 13])(
    'loses nothing and repeats nothing over a transport that loses, repeats and reorders (seed %i)',
    async (seed) => {
      const far = newFar(seed);
      far.link.faults = { lose: 0.3, repeat: 0.2, late: 0.5 };
      await using of = await ShippingKit.start(far, temporaryDirectory(), ['first', 'second', 'third'], {
        againAfterMs: 100,
      });
      const expected: string[] = [];
      await Promise.all(
        of.sinks.map(async (sink, no) => {
          for (let at = 0; at < 100; at += 1) {
            expected.push(`raw bytes of ${no} ${at}`);
            await sink.deliver([message(`${no} ${at}`)]);
            if (at % 10 === 0) await sleep(5);
          }
        }),
      );
      await until('all is archived', () => of.spool.backlog() === 0, 60_000);
      const { direct, orphaned, gaps } = await readLog(far.log);
      expect([direct.toSorted(), orphaned, gaps]).toEqual([expected.toSorted(), [], []]);
      expect([far.log.violations, of.kit.fatal, of.told.refusals]).toEqual([[], [], []]);
    },
  );

  it('starts again where the log wants it, and does not run in circles however often it is told', async () => {
    const far = newFar();
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first'], { againAfterMs: 60_000 });
    await drained(of);
    far.link.faults = { lose: 1, repeat: 0, late: 0 };
    await say(of, 0, 1);
    await sleep(20);
    far.link.faults = { lose: 0, repeat: 0, late: 0 };
    // The next one arrives too early; the log’s “want” brings both, long before the reconciler would.
    await say(of, 1, 2);
    await drained(of);
    const [stream] = [...far.log.streams.keys()];
    const before = far.link.sent;
    for (const seq of [0, 1, 2, 3, 3, 3, 3])
      for (let round = 0; round < 50; round += 1) answer(far, { kind: 'want', stream: stream ?? '', seq });
    await sleep(300);
    expect(far.link.sent - before).toBeLessThanOrEqual(1);
    expect(of.told.troubles.every((trouble) => trouble === 'receipt archive/behind-receipt')).toBe(true);
    expect(of.spool.streams()).toHaveLength(1);
  });

  it('lets one stream wait without holding up the others', async () => {
    const far = newFar();
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first', 'second']);
    await drained(of);
    const [held] = of.spool.streams();
    if (held === undefined) throw new Error('no stream');
    of.shipper.hold(held);
    await Promise.all(of.sinks.map((sink, no) => sink.deliver([message(`${no}`)])));
    await until('the other is archived', () => of.spool.backlog() === 1);
    of.shipper.release(held);
    await drained(of);
  });

  it('gives up nothing for a refusal that may pass, and opens a new stream for one that will not', async () => {
    const far = newFar();
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first'], { againAfterMs: 50, ...QUICK });
    await drained(of);
    far.log.refuse = () => 'archive/foreign-recipient';
    await say(of, 0, 2);
    await until('it was refused twice', () => of.told.refusals.length > 2);
    expect(of.spool.streams()).toHaveLength(1);
    far.log.refuse = () => null;
    await drained(of);
    const [stream] = [...far.log.streams.keys()];
    far.log.refuse = ({ statement }) => (statement.stream === stream ? 'archive/closed-stream' : null);
    await say(of, 2, 4);
    await until('there is another stream', () => of.spool.streams().length === 2);
    await of.attachments.settled();
    await until(
      'the old one is dealt with',
      () => of.spool.streams()[0]?.archivedSeq === of.spool.streams()[0]?.headSeq,
    );
    await drained(of);
    const { direct, orphaned } = await readLog(far.log);
    expect([...direct, ...orphaned].toSorted()).toEqual([0, 1, 2, 3].map((at) => `raw bytes of ${at}`));
  });

  it('ignores what no archiver signed, what is for somebody else, and what is no reply at all', async () => {
    const far = newFar();
    await using of = await ShippingKit.start(far, temporaryDirectory());
    await drained(of);
    far.log.withholds = true;
    await say(of, 0, 2);
    await until('they are in the log', () => far.log.size === 3);
    const [stream] = [...far.log.streams.keys()];
    const own = CONNECTOR.key.id;
    const forged: Reply[] = [
      { kind: 'receipt', receipt: encodeReceipt(far.log.receipt([stream ?? ''], of.spool.receipts.since)) },
      { kind: 'refused', stream: stream ?? '', first: 0, code: 'archive/fork' },
      { kind: 'want', stream: stream ?? '', seq: 1000 },
      { kind: 'readback', leaves: 3 },
    ];
    const stranger = signingPair('stranger').privateKey;
    for (const reply of forged) {
      far.link.reply(own, encodeReply(own, reply, stranger));
      far.link.reply(own, encodeReply(SECOND_CONNECTOR.key.id, reply, ARCHIVER.privateKey));
      far.link.reply(own, encodeReply(own, reply, ARCHIVER.privateKey).replace('"reply":{', '"reply":{"more":1,'));
    }
    for (const text of [
      '',
      'null',
      '[]',
      '{"reply":null}',
      '{"reply":{"kind":"receipt"},"key":"x","sig":"x"}',
      '\u0000'.repeat(100),
    ])
      far.link.reply(own, text);
    await until('all were looked at', () => of.told.troubles.length >= 18);
    expect(new Set(of.told.troubles)).toEqual(
      new Set(['reply format/batch-signature', 'reply format/receipt', 'reply format/not-json']),
    );
    expect([of.spool.backlog(), of.spool.streams().length, of.spool.receipts.readBack]).toEqual([2, 1, 0]);
  });

  it('asks for heads again until it is answered, and gives what came in time', async () => {
    const far = newFar();
    far.link.faults = { lose: 0.6, repeat: 0, late: 0 };
    await using of = await ShippingKit.open(far, temporaryDirectory(), ['first', 'second']);
    const accounts = of.sinks.map(({ acct }) => acct);
    const heads = await of.shipper.askHeads(accounts, 60_000);
    expect([...heads.keys()].toSorted()).toEqual(accounts.toSorted());
    far.link.faults = { lose: 1, repeat: 0, late: 0 };
    expect((await of.shipper.askHeads(accounts, 50)).size).toBe(0);
    far.link.faults = { lose: 0, repeat: 0, late: 0 };
    const many = Array.from({ length: 600 }, (_, at) => at.toString(16).padStart(32, '0'));
    expect((await of.shipper.askHeads(many, 10_000)).size).toBe(600);
    expect(far.log.violations).toEqual([]);
  });
});

describe('a shipper that closes', () => {
  it('does so within its deadline, though a send never ends, and touches nothing after', async () => {
    const far = newFar();
    const directory = temporaryDirectory();
    const of = await ShippingKit.start(far, directory);
    await drained(of);
    const never = new Promise<void>(() => undefined);
    far.link.uplink = () => ({
      connected: true,
      send: () => never,
      listen: async () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    });
    const stuck = await ShippingKit.open(far, temporaryDirectory());
    const acct = stuck.sink.acct;
    await stuck.spool.openStream({ acct, app: 'signal', role: 'account', last: null, lastGen: 0 });
    await stuck.sink.deliver([message('a')]);
    const startMs = performance.now();
    await stuck.shipper[Symbol.asyncDispose]();
    expect(performance.now() - startMs).toBeLessThan(10_000);
    await stuck.kit[Symbol.asyncDispose]();
    await of[Symbol.asyncDispose]();
    await sleep(300);
    expect([stuck.kit.fatal, of.kit.fatal]).toEqual([[], []]);
  });
});
