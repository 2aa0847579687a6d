// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import type { HeadsEntry } from '../../src/record/entry-types.ts';
import { EMPTY_ROOT } from '../../src/record/hash.ts';
import { headsKey } from '../../src/record/layout.ts';
import { parseSegment } from '../../src/record/segment.ts';
import { renderText } from '../../src/verify/render.ts';
import { CONNECTOR, LOG, ORIGIN } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { relog, type Draft, type DraftSegment } from './relog.ts';
import { codesOf, flip, notesOf, smallArchive, verify } from './subject.ts';

const EMPTY_HEADS: HeadsEntry = {
  v: 1,
  at: '2026-11-22T13:00:00Z',
  log: ORIGIN,
  t: 'heads',
  file: { h: '0'.repeat(64), n: 0 },
  root: '0'.repeat(64),
  streams: 0,
};

/** Heads in every segment but the first: the writer makes them daily. */
function withHeads({ segments }: Draft): void {
  for (const segment of segments.slice(1)) {
    segment.own = [EMPTY_HEADS, ...segment.own.filter(({ t }) => t !== 'heads')];
  }
}

describe('a checkpoint that was seen earlier', () => {
  let archive: MemoryArchive;
  /** Signed by the log, after each segment but the last. */
  let seen: { note: string; size: number }[];

  beforeAll(async () => {
    archive = await smallArchive();
    relog(archive, withHeads);
    seen = archive
      .keys('log/')
      .filter((key) => key.includes('/segment/'))
      .slice(1)
      .map((key) => parseSegment(archive.get(key)).head)
      .map(({ checkpoint, first }) => ({ note: checkpoint, size: first }));
  });

  test('lets reading begin at the newest heads that it covers', async () => {
    for (const [n, { note, size }] of seen.entries()) {
      const report = await verify(archive, { since: note });
      expect([codesOf(report), notesOf(report)]).toEqual([[], []]);
      // The heads of a segment are covered once the segment is.
      expect(report.from).toBe(n === 0 ? 0 : seen[n - 1]?.size);
      expect(report.from).toBeLessThanOrEqual(size);
      expect(report.counts.segments).toBe(seen.length + 1 - n);
    }
  });

  test('says what was not read', async () => {
    const report = await verify(archive, { since: seen.at(-1)?.note as string });
    expect(renderText(report)).toContain(`read from leaf ${report.from}`);
    expect(report.size).toBe((await verify(archive)).size);
  });

  test('needs neither the segments nor the packs before', async () => {
    const copy = archive.clone();
    const { from } = await verify(archive, { since: seen.at(-1)?.note as string });
    for (const key of copy.keys().filter((name) => name.includes('/segment/'))) {
      if (Number(key.slice(-16)) < from) copy.remove(key);
    }
    expect(codesOf(await verify(copy, { since: seen.at(-1)?.note as string }))).toEqual([]);
  });

  test('finds what is wrong behind it', async () => {
    const copy = archive.clone();
    relog(copy, (draft) => {
      const last = draft.segments.findLast(({ batches }) => batches.length > 0) as DraftSegment;
      for (const batch of last.batches) batch.says = { last: '0'.repeat(64) };
    });
    const { note } = seen[2] as (typeof seen)[number];
    expect(codesOf(await verify(copy, { since: note }))).toEqual(['verify/batch-last']);
  });

  test('finds a fork: the same size with other entries', async () => {
    const copy = archive.clone();
    relog(copy, ({ segments }) => {
      const store = segments[0]?.own.find(({ t }) => t === 'store') as { at: string };
      store.at = '2026-11-22T08:59:59Z';
    });
    for (const { note } of seen) expect(codesOf(await verify(copy, { since: note }))).toEqual(['verify/since-fork']);
    expect(codesOf(await verify(copy))).toEqual([]);
  });

  test('finds a rollback: a log that is shorter now, and whole in itself', async () => {
    const { note } = seen.at(-1) as (typeof seen)[number];
    const copy = archive.clone();
    relog(copy, (draft) => void draft.segments.splice(-2));
    expect(codesOf(await verify(copy))).toEqual([]);
    expect(codesOf(await verify(copy, { since: note }))).toEqual(['verify/since-rollback']);
  });

  test('may lie inside of a segment', async () => {
    const size = (seen[2]?.size ?? 0) - 1;
    const forged = signCheckpoint({ origin: ORIGIN, size, root: EMPTY_ROOT }, LOG.privateKey);
    expect(codesOf(await verify(archive, { since: forged }))).toEqual(['verify/since-fork']);
  });

  test('goes back to earlier heads where the newest are damaged, and finds those', async () => {
    const copy = archive.clone();
    const { note } = seen.at(-1) as (typeof seen)[number];
    const { from } = await verify(archive, { since: note });
    copy.put(headsKey(ORIGIN, from), flip(copy.get(headsKey(ORIGIN, from)), 100));
    const report = await verify(copy, { since: note });
    expect(codesOf(report)).toEqual(['verify/heads-malformed']);
    expect(report.from).toBeLessThan(from);
  });

  test('without heads it is held against the whole log', async () => {
    const copy = archive.clone();
    const other = { t: 'retention' } as const;
    relog(copy, ({ segments }) => {
      const rule = segments[0]?.own.find(({ t }) => t === other.t) as DraftSegment['own'][number];
      for (const segment of segments) segment.own = segment.own.map((entry) => (entry.t === 'heads' ? rule : entry));
    });
    const [, second] = copy.keys().filter((key) => key.includes('/segment/'));
    const { checkpoint } = parseSegment(copy.get(second as string)).head;
    const report = await verify(copy, { since: checkpoint });
    expect([codesOf(report), report.from]).toEqual([[], 0]);
  });

  test('of another key, or of no form, checks nothing', async () => {
    const { size } = seen[2] as (typeof seen)[number];
    const forged = signCheckpoint({ origin: ORIGIN, size, root: EMPTY_ROOT }, CONNECTOR.privateKey);
    for (const since of [forged, 'none', '']) {
      const report = await verify(archive, { since });
      expect([codesOf(report), report.exitCode]).toEqual([['verify/since-malformed'], 2]);
    }
  });
});
