// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeJob } from '../../src/queue/job.ts';
import { copySpool, objectFiles } from '../support/spool-disk.ts';
import { rejectionOf, temporaryDirectory, until } from '../support/spool-kit.ts';
import { attachment, message, SECOND_CONNECTOR, START_MS } from '../support/spool-parts.ts';
import { readLog } from '../support/recovered.ts';
import { newFar, ShippingKit, type Far, type ShippingOptions } from '../support/shipping-kit.ts';

const QUICK: ShippingOptions = { times: { headsTimeoutMs: 20, doubtPauseMs: 0 } };
const HOUR_MS = 3_600_000;

const drained = (of: ShippingKit): Promise<void> => until('all is archived', () => of.spool.backlog() === 0);

async function say(of: ShippingKit, ...ids: string[]): Promise<void> {
  for (const id of ids) await of.sink.deliver([message(id)]);
}

/** Openings in the log, in their order. */
const openings = ({ log }: Far) => log.all().flatMap(({ entry }) => (entry.t === 'open' ? [entry] : []));
const gaps = ({ log }: Far) => log.all().flatMap(({ entry }) => (entry.t === 'gap' ? [entry] : []));

/** Another log with the same in it. */
function copyOf({ log }: Far): Far {
  const other = newFar();
  other.log.objects = log.objects;
  for (const job of log.batches) other.log.take(encodeJob(job));
  return other;
}

/** The whole spool directory as it is now. */
function snapshot(of: ShippingKit): string {
  const copy = temporaryDirectory();
  mkdirSync(join(copy, 'objects'));
  copySpool(of.kit.directory, copy);
  for (const name of objectFiles(of.kit.directory))
    copyFileSync(join(of.kit.directory, 'objects', name), join(copy, 'objects', name));
  return copy;
}

describe('attaching', () => {
  it('opens a first stream without a gap, and goes on with it after a restart', async () => {
    const far = newFar();
    const directory = temporaryDirectory();
    for (const id of ['a', 'b']) {
      await using of = await ShippingKit.start(far, directory);
      await say(of, id);
      await drained(of);
      expect(of.told.opened).toEqual(id === 'a' ? ['first first'] : []);
    }
    expect(openings(far)).toHaveLength(1);
    expect(openings(far)[0]).not.toHaveProperty('last');
    expect([gaps(far), far.log.violations]).toEqual([[], []]);
  });

  it('after a lost spool opens a new stream that says where the earlier ended', async () => {
    const far = newFar();
    {
      await using of = await ShippingKit.start(far, temporaryDirectory());
      await say(of, 'a', 'b');
      await drained(of);
    }
    const [old] = [...far.log.streams.keys()];
    await using of = await ShippingKit.start(far, temporaryDirectory());
    await say(of, 'c');
    await drained(of);
    const last = { stream: old, seq: 2, id: far.log.streams.get(old ?? '')?.records.at(-1)?.id };
    expect(openings(far)[1]).toMatchObject({ last, gen: (openings(far)[0]?.gen ?? 0) + 1 });
    expect(gaps(far)).toMatchObject([{ cause: 'spool-lost', scope: 'account', state: 'final', seq: 1, last }]);
    expect(of.told.opened).toEqual(['first spool-lost']);
  });

  it('has a stream and the gap that explains it in one transaction', async () => {
    const far = newFar();
    {
      await using of = await ShippingKit.start(far, temporaryDirectory());
      await say(of, 'a');
      await drained(of);
    }
    const commits: number[][] = [];
    await using of = await ShippingKit.open(far, temporaryDirectory());
    of.spool.onFixed((batches) => commits.push(batches.map(({ statement }) => statement.count)));
    await of.attachments.attach();
    expect(commits).toEqual([[2]]);
  });

  it('to a log that is away opens at once and sends nothing; what the log says later becomes a gap', async () => {
    const far = newFar();
    {
      await using of = await ShippingKit.start(far, temporaryDirectory());
      await say(of, 'a');
      await drained(of);
    }
    far.link.isAway = true;
    const later = { ...QUICK, changes: { nowMs: START_MS + HOUR_MS } };
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first'], later);
    await say(of, 'b', 'c');
    expect(of.told.opened).toEqual(['first first']);
    far.link.isAway = false;
    await drained(of);
    expect(gaps(far)).toMatchObject([{ cause: 'spool-lost', last: { seq: 1 } }]);
    expect((await readLog(far.log)).direct).toEqual(['raw bytes of a', 'raw bytes of b', 'raw bytes of c']);
    expect([far.log.streams.size, far.log.violations]).toEqual([2, []]);
    await of.attachments.settled();
  });

  it('remembers over restarts that the log was not asked', async () => {
    const far = newFar();
    {
      await using of = await ShippingKit.start(far, temporaryDirectory());
      await say(of, 'a');
      await drained(of);
    }
    const directory = temporaryDirectory();
    const later = { ...QUICK, changes: { nowMs: START_MS + HOUR_MS } };
    far.link.isAway = true;
    for (const id of ['b', 'c']) {
      await using of = await ShippingKit.start(far, directory, ['first'], later);
      await say(of, id);
    }
    far.link.isAway = false;
    for (let start = 0; start < 2; start += 1) {
      await using of = await ShippingKit.start(far, directory, ['first'], later);
      await drained(of);
      await of.attachments.settled();
    }
    expect(gaps(far)).toMatchObject([{ cause: 'spool-lost', last: { seq: 1 } }]);
    expect((await readLog(far.log)).direct).toHaveLength(3);
  });

  it('opens another stream if the one it opened unasked is not the newest by its generation', async () => {
    const far = newFar();
    {
      await using of = await ShippingKit.start(far, temporaryDirectory(), ['first'], {
        changes: { nowMs: START_MS + HOUR_MS },
      });
      await say(of, 'a');
      await drained(of);
    }
    far.link.isAway = true;
    // This clock is an hour behind the one that wrote before.
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first'], QUICK);
    await say(of, 'b', 'c');
    far.link.isAway = false;
    await until('the account has another stream', () => of.told.opened.length === 2);
    await of.attachments.settled();
    await say(of, 'd');
    await drained(of);
    const log = await readLog(far.log);
    expect([log.direct, log.orphaned]).toEqual([
      ['raw bytes of a', 'raw bytes of d'],
      ['raw bytes of b', 'raw bytes of c'],
    ]);
    expect([log.gaps, far.log.violations, of.told.refusals]).toEqual([['spool-lost'], [], []]);
  });

  it('to an account that a newer spool holds is refused: two must not go on', async () => {
    const far = newFar();
    const first = temporaryDirectory();
    {
      await using of = await ShippingKit.start(far, first);
      await say(of, 'a');
      await drained(of);
    }
    {
      await using of = await ShippingKit.start(far, temporaryDirectory());
      await drained(of);
    }
    await using of = await ShippingKit.open(far, first);
    expect(await rejectionOf(of.attachments.attach())).toBe('spool/fenced');
    // Told only later, it ends the process all the same.
    far.link.isAway = true;
    await using late = await ShippingKit.start(far, snapshot(of), ['first'], QUICK);
    far.link.isAway = false;
    await until('it ends', () => late.kit.fatal.length > 0);
    expect(late.kit.fatal[0]?.code).toBe('spool/fenced');
    expect(await rejectionOf(late.sink.deliver([message('b')]))).toBe('spool/fenced');
  });

  it('with another signing key opens new streams, and records again what the old key can sign no more', async () => {
    const far = newFar();
    const directory = temporaryDirectory();
    {
      await using of = await ShippingKit.start(far, directory);
      await say(of, 'a');
      await drained(of);
      far.link.isAway = true;
      await say(of, 'b', 'c');
    }
    far.link.isAway = false;
    await using of = await ShippingKit.start(far, directory, ['first'], { pair: SECOND_CONNECTOR });
    await of.attachments.settled();
    await say(of, 'd');
    await drained(of);
    expect(of.told.opened).toEqual(['first key-changed']);
    const log = await readLog(far.log);
    // Batches that the old key had signed may have been taken before the accounts were attached.
    const all = new Set([...log.direct, ...log.orphaned]);
    expect(all).toEqual(new Set(['a', 'b', 'c', 'd'].map((id) => `raw bytes of ${id}`)));
    expect(log.gaps).toEqual([]);
    expect(openings(far)[1]).toMatchObject({
      key: SECOND_CONNECTOR.key.id,
      last: { stream: openings(far)[0]?.stream },
    });
    expect([far.log.violations, of.told.refusals]).toEqual([[], []]);
  });
});

describe('an older copy of a spool', () => {
  /** A log with more of the stream than the copy that is started from; the copy holds records that the log has otherwise, or not. */
  async function restored(far: Far): Promise<string> {
    await using of = await ShippingKit.start(far, temporaryDirectory());
    await say(of, 'a');
    await drained(of);
    far.link.isAway = true;
    await say(of, 'b', 'c');
    await of.sink.deliverMedia(attachment('photo', randomBytes(50_000)));
    const copy = snapshot(of);
    far.link.isAway = false;
    await say(of, 'd', 'e');
    await drained(of);
    return copy;
  }

  it('that is behind the log opens a new stream, and what it held unsent goes there', async () => {
    const far = newFar();
    const copy = await restored(far);
    await using of = await ShippingKit.start(far, copy);
    await of.attachments.settled();
    await say(of, 'f');
    await drained(of);
    const [old] = [...far.log.streams.keys()];
    const log = await readLog(far.log);
    expect(of.told.opened).toEqual(['first spool-doubtful']);
    expect(gaps(far)).toMatchObject([{ cause: 'spool-doubtful', last: { stream: old, seq: 6 } }]);
    expect(log.orphaned).toEqual(['raw bytes of b', 'raw bytes of c', 'about photo']);
    expect(log.direct.at(-1)).toBe('raw bytes of f');
    expect(far.log.violations).toEqual([]);
    expect(readdirSync(far.log.objects)).toHaveLength(1);
  });

  it('that wrote on before the log could be asked forks nothing: its records are in the log, in the new stream', async () => {
    const far = newFar();
    const copy = await restored(far);
    far.link.isAway = true;
    {
      await using of = await ShippingKit.start(far, copy, ['first'], QUICK);
      await say(of, 'g', 'h', 'i', 'j');
    }
    far.link.isAway = false;
    await using of = await ShippingKit.start(far, copy);
    await of.attachments.settled();
    await drained(of);
    const log = await readLog(far.log);
    expect(log.orphaned).toEqual([
      ...['b', 'c'].map((id) => `raw bytes of ${id}`),
      'about photo',
      ...['g', 'h', 'i', 'j'].map((id) => `raw bytes of ${id}`),
    ]);
    expect([log.gaps, far.log.violations]).toEqual([['spool-doubtful'], []]);
  });

  it('that finds out from a receipt, or from a refusal, does the same', async () => {
    for (const way of ['receipt', 'refusal']) {
      const far = newFar();
      const copy = await restored(far);
      // The heads never arrive; batches and their answers do.
      const take = far.log.take.bind(far.log);
      far.log.take = (text) => (text.includes('"heads"') ? undefined : take(text));
      far.log.refuse = ({ statement }) =>
        way === 'refusal' && statement.first > 1 && statement.gen < START_MS / 1000 + 1 ? 'archive/fork' : null;
      await using of = await ShippingKit.start(far, copy, ['first'], QUICK);
      await until('the account has another stream', () => of.told.opened.length > 0);
      await until('it is recorded again', () => of.spool.streams()[0]?.archivedSeq === of.spool.streams()[0]?.headSeq);
      await drained(of);
      const log = await readLog(far.log);
      expect(log.orphaned).toEqual(['raw bytes of b', 'raw bytes of c', 'about photo']);
      expect([log.gaps, far.log.violations]).toEqual([['spool-doubtful'], []]);
    }
  });

  it('is made good by the next start if the process dies anywhere on the way', async () => {
    const far = newFar();
    const copy = await restored(far);
    const states: string[] = [];
    {
      far.link.isAway = true;
      await using of = await ShippingKit.start(far, copy, ['first'], QUICK);
      for (let at = 0; at < 200; at += 1) await of.sink.deliver([message(`more ${at}`)]);
      const [stream] = of.spool.streams();
      of.spool.onFixed(() => states.push(snapshot(of)));
      await of.attachments.doubt(stream?.stream ?? '');
    }
    expect(states.length).toBeGreaterThan(3);
    far.link.isAway = false;
    for (const state of [copy, ...states]) {
      const other = copyOf(far);
      await using of = await ShippingKit.start(other, state, ['first'], { changes: { nowMs: START_MS + HOUR_MS } });
      await of.attachments.settled();
      await drained(of);
      const log = await readLog(other.log);
      const orphaned = log.orphaned.filter((raw) => raw.startsWith('raw bytes of more'));
      expect(orphaned).toEqual(Array.from({ length: 200 }, (_, at) => `raw bytes of more ${at}`));
      expect(other.log.violations).toEqual([]);
    }
  });

  it('opens no stream after another, whatever it is told', async () => {
    const far = newFar();
    far.log.refuse = ({ statement }) => (statement.first === 0 ? null : 'archive/fork');
    const times = { headsTimeoutMs: 20, doubtPauseMs: 60_000 };
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first'], { times, againAfterMs: 50 });
    await say(of, 'a', 'b');
    await until('it was refused often', () => of.told.refusals.length > 10);
    expect(of.spool.streams().length).toBeLessThanOrEqual(2);
  });
});
