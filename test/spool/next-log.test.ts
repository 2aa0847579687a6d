// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import type { OpenEntry, StreamHead } from '../../src/record/entry-types.ts';
import { noteKey } from '../../src/record/note.ts';
import { readLog } from '../support/recovered.ts';
import { newFar, ShippingKit, type Far, type ShippingOptions } from '../support/shipping-kit.ts';
import { temporaryDirectory, until } from '../support/spool-kit.ts';
import { message } from '../support/spool-parts.ts';
import { LOG, ORIGIN } from '../vectors/keys.ts';

const EARLIER = 'archive.example/earlier';
const IN_EARLIER: ShippingOptions = { changes: { origin: EARLIER, logKey: noteKey(EARLIER, LOG.key) } };
const IN_NEXT: ShippingOptions = { changes: { before: EARLIER } };
const drained = (of: ShippingKit): Promise<void> => until('all is archived', () => of.spool.backlog() === 0);
const openings = ({ log }: Far): OpenEntry[] => log.all().flatMap(({ entry }) => (entry.t === 'open' ? entry : []));
const said = (...ids: string[]): string[] => ids.map((id) => `raw bytes of ${id}`);

/** A spool that wrote to a log which has ended meanwhile. Gives where its stream is known to stand there. */
async function written(directory: string, waiting: readonly string[]): Promise<StreamHead> {
  const old = newFar(1, EARLIER);
  await using of = await ShippingKit.start(old, directory, ['first'], IN_EARLIER);
  await of.sink.deliver([message('archived')]);
  await drained(of);
  const [stream] = of.spool.streams();
  if (stream === undefined) throw new Error('no stream');
  const head = { stream: stream.stream, seq: stream.headSeq, id: stream.headId };
  old.link.isAway = true;
  for (const id of waiting) await of.sink.deliver([message(id)]);
  expect(old.log.violations).toEqual([]);
  return head;
}

/** A spool whose log counts up to an end that lies before what it has receipts for. */
async function cutOff(directory: string): Promise<{ readonly head: StreamHead; readonly end: number }> {
  const old = newFar(1, EARLIER);
  await using of = await ShippingKit.start(old, directory, ['first'], IN_EARLIER);
  await of.sink.deliver([message('before')]);
  await drained(of);
  const [stream] = of.spool.streams();
  if (stream === undefined) throw new Error('no stream');
  const [head, end] = [{ stream: stream.stream, seq: stream.headSeq, id: stream.headId }, of.spool.receipts.since];
  for (const id of ['behind 1', 'behind 2']) {
    await of.sink.deliver([message(id)]);
    await drained(of);
  }
  old.link.isAway = true;
  await of.sink.deliver([message('waiting')]);
  return { head, end };
}

describe('a spool whose log ended', () => {
  it('goes on in the next one with a new stream, which names where the earlier one ended', async () => {
    const directory = temporaryDirectory();
    const head = await written(directory, []);
    const next = newFar(2);
    await using of = await ShippingKit.start(next, directory, ['first'], IN_NEXT);
    await of.sink.deliver([message('after')]);
    await drained(of);
    expect(openings(next).map(({ last }) => last)).toEqual([head]);
    const { direct, orphaned, gaps } = await readLog(next.log);
    expect([direct, orphaned, gaps, of.told.opened]).toEqual([said('after'), [], [], ['first log-changed']]);
    expect([next.log.violations, of.told.refusals]).toEqual([[], []]);
  });

  it('records again in the next one what had no receipt of the earlier, also after a crash before that', async () => {
    const directory = temporaryDirectory();
    const head = await written(directory, ['waiting 1', 'waiting 2']);
    const next = newFar(2);
    next.link.isAway = true;
    {
      const away: ShippingOptions = { ...IN_NEXT, times: { headsTimeoutMs: 20, doubtPauseMs: 0 } };
      await using of = await ShippingKit.start(next, directory, ['first'], away);
      await of.sink.deliver([message('after')]);
    }
    next.link.isAway = false;
    await using of = await ShippingKit.start(next, directory, ['first'], IN_NEXT);
    await of.attachments.settled();
    await drained(of);
    expect(openings(next).map(({ last }) => last)).toEqual([head]);
    const { direct, orphaned, gaps } = await readLog(next.log);
    expect([new Set(direct), new Set(orphaned), gaps]).toEqual([
      new Set(said('after')),
      new Set(said('waiting 1', 'waiting 2')),
      [],
    ]);
    expect([next.log.violations, of.told.refusals]).toEqual([[], []]);
  });

  it('records again what a log took behind the end that its key could not sign, and nothing from before', async () => {
    const directory = temporaryDirectory();
    const { head, end } = await cutOff(directory);
    const next = newFar(2);
    await using of = await ShippingKit.start(next, directory, ['first'], {
      changes: { before: EARLIER, beforeEnd: end },
    });
    await of.attachments.settled();
    await of.sink.deliver([message('after')]);
    await drained(of);
    expect(openings(next).map(({ last }) => last)).toEqual([head]);
    const { direct, orphaned, gaps } = await readLog(next.log);
    expect([direct, new Set(orphaned), gaps]).toEqual([
      said('after'),
      new Set(said('behind 1', 'behind 2', 'waiting')),
      [],
    ]);
    expect([next.log.violations, of.told.refusals]).toEqual([[], []]);
  });

  it('folds what it has already recorded in the earlier one', async () => {
    const directory = temporaryDirectory();
    await written(directory, []);
    await using of = await ShippingKit.start(newFar(2), directory, ['first'], IN_NEXT);
    const [again] = await of.sink.deliver([message('archived')]);
    expect(again?.fresh).toBe(false);
  });

  it('is taken into no other log than the one that the trust file says', async () => {
    const directory = temporaryDirectory();
    await written(directory, []);
    for (const before of [undefined, 'archive.example/another', ORIGIN]) {
      const opening = ShippingKit.open(newFar(2), directory, ['first'], { changes: { before } });
      await expect(opening).rejects.toMatchObject({ code: 'spool/other-log' });
    }
    // Nothing was changed by that.
    await using of = await ShippingKit.start(newFar(3, EARLIER), directory, ['first'], IN_EARLIER);
    expect(of.spool.receipts.since).toBeGreaterThan(0);
  });
});
