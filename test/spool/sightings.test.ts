// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { readDisk } from '../support/spool-disk.ts';
import { SpoolKit, temporaryDirectory } from '../support/spool-kit.ts';
import { gapCapture, message } from '../support/spool-parts.ts';

const recordsOf = ({ directory }: SpoolKit): number =>
  (readDisk(directory, temporaryDirectory())[0]?.rows.length ?? 0) - 1;

describe('the fold of intakes', () => {
  it('makes one record of one identity with the same bytes, and says where it is', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const [first] = await sink.deliver([message('a', { via: 'webhook' })]);
    const [second] = await sink.deliver([message('a', { via: 'journal', atMs: 5, view: message('b').view })]);
    expect(second).toEqual({ ...first, fresh: false });
    expect(recordsOf(kit)).toBe(1);
  });

  it('makes two of one identity with differing bytes, and of differing identities with the same bytes', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const raw = Buffer.from('the same');
    const other = { ...message('a'), native: { ...message('a').native, revision: '1' } };
    const delivered = await sink.deliver([
      message('a', { raw }),
      message('a', { raw: Buffer.from('other') }),
      message('b', { raw }),
      { ...other, raw },
    ]);
    expect(delivered.map(({ fresh }) => fresh)).toEqual([true, true, true, true]);
    expect(recordsOf(kit)).toBe(4);
  });

  it('folds within one call, and between calls that share a commit', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const calls = [sink.deliver([message('a'), message('a')]), sink.deliver([message('a')])];
    const delivered = (await Promise.all(calls)).flat();
    expect(delivered.map(({ seq, fresh }) => [seq, fresh])).toEqual([
      [1, true],
      [1, false],
      [1, false],
    ]);
    expect(recordsOf(kit)).toBe(1);
  });

  it('folds over restarts, and does not fold between accounts', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const before = await kit.account();
    await before.sink.deliver([message('a')]);
    await kit.reopen();
    const { sink } = await kit.account();
    const other = await kit.account('second');
    expect([sink.has(message('a').native), other.sink.has(message('a').native)]).toEqual([true, false]);
    expect((await sink.deliver([message('a')]))[0]?.fresh).toBe(false);
    expect((await other.sink.deliver([message('a')]))[0]?.fresh).toBe(true);
    expect(sink.tagOf(message('a').native)).not.toBe(other.sink.tagOf(message('a').native));
  });

  it('does not take a gap about a message for the message', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    await sink.deliver([gapCapture({ scope: 'message', native: message('a').native })]);
    expect(sink.has(message('a').native)).toBe(false);
    expect(sink.openGaps()).toMatchObject([{ tag: sink.tagOf(message('a').native) }]);
    expect((await sink.deliver([message('a')]))[0]?.fresh).toBe(true);
  });

  it('reports by message which intakes brought it, which only one brought, and which differed', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const by = (id: string, via: string, raw?: string) =>
      message(id, { via, ...(raw === undefined ? {} : { raw: Buffer.from(raw) }) });
    await sink.deliver([by('a', 'webhook'), by('a', 'journal'), by('a', 'journal')]);
    await sink.deliver([by('b', 'rest')]);
    // Two versions of one message, each by another intake: one message that differs, and that both brought.
    await sink.deliver([by('c', 'webhook', 'one'), by('c', 'journal', 'another')]);
    await (await kit.account('second')).sink.deliver([by('d', 'webhook')]);
    const report = { total: 3, byIntake: { webhook: 2, journal: 2, rest: 1 }, only: { rest: 1 }, differing: 1 };
    expect(sink.sightings(0)).toEqual(report);
    await kit.reopen();
    expect((await kit.account()).sink.sightings(0)).toEqual(report);
  });

  it('reports what was first seen since a time', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    await sink.deliver([message('a')]);
    kit.nowMs += 1000;
    await sink.deliver([message('a', { via: 'journal' }), message('b')]);
    expect(sink.sightings(kit.nowMs)).toEqual({
      total: 1,
      byIntake: { webhook: 1 },
      only: { webhook: 1 },
      differing: 0,
    });
    expect(sink.sightings(kit.nowMs + 1).total).toBe(0);
    expect(sink.sightings(kit.nowMs - 1000).total).toBe(2);
  });
});
