// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeLine } from '../../src/search/describe.ts';
import type { IndexDb } from '../../src/search/index-db.ts';
import type { ReadRecord, ReadSegment } from '../../src/search/open-records.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { hexOf } from '../vectors/keys.ts';
import type { ViewBody } from '../../src/record/message.ts';
import { ANA, applyAll, ask, BEN, CLEO, HARBOUR, LogWriter, message, MONDAY_MS, refTo } from './kit.ts';

let root: string;
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'holdfast-mend-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));
const fresh = (name: string): SqliteIndex => SqliteIndex.openForWriting(join(root, name), { rebuild: true });

const PEOPLE = [ANA, BEN, CLEO] as const;
interface Happened {
  readonly owner: number;
  readonly author: number;
  readonly what: number;
  readonly second: number;
  readonly about: number;
}

/** Messages, edits, reactions, deletions and receipts of few people within few seconds, from several accounts. */
function talk(happened: readonly Happened[]): ReadSegment[] {
  const log = new LogWriter();
  for (const [n, { owner, author, what, second, about }] of happened.entries()) {
    const by = PEOPLE[author] ?? ANA;
    const target = refTo(PEOPLE[(author + about) % 3] ?? ANA, MONDAY_MS + 1000 * about);
    const bodies: readonly ViewBody[] = [
      message(`word ${n}`),
      message(`said at ${second}`),
      { kind: 'edit', target, content: { text: `corrected ${n}` } },
      { kind: 'reaction', target, emoji: '👍', removed: false },
      { kind: 'delete', target, by: 'sender' },
      { kind: 'receipt', state: 'read', targets: [target] },
    ];
    const body = bodies[what] ?? message(null);
    // Author and time name a message: what two accounts have of one. Nothing else of an author has the time of another thing.
    const atMs = MONDAY_MS + 1000 * second + (body.kind === 'message' ? 0 : n + 1);
    log.capture(PEOPLE[owner] ?? ANA, body, { by, chat: HARBOUR, atMs });
    if (n % 3 === 2) log.cut();
  }
  return log.cut().segments;
}

const unread = (record: ReadRecord): ReadRecord => ({
  ...record,
  view: null,
  defect: 'pack-missing',
  awaits: { kind: 'pack', hash: hexOf('a pack') },
});

/** Everything people are told, in the order in which they are told it. */
async function told(db: IndexDb): Promise<unknown> {
  const { hits } = await ask(db, '', { order: 'oldest', limit: 500 });
  const shown = await Promise.all(
    (await db.conversations()).map(async ({ id, title }) => {
      const { lines } = await db.lines(id, { after: null, limit: 500 });
      return [title, lines.map((line) => [line.atMs, describeLine(line)])] as const;
    }),
  );
  return [
    hits.map(({ text, title, leaf, copies, edited, deleted, kind, atMs }) => [
      text,
      title,
      leaf,
      copies,
      edited,
      deleted,
      kind,
      atMs,
    ]),
    shown.toSorted((a, b) => (a[0] < b[0] ? -1 : 1)),
  ];
}

describe('records that are read later than they stand in the log', () => {
  const one = fc.record({ owner: fc.nat(2), author: fc.nat(2), what: fc.nat(5), second: fc.nat(3), about: fc.nat(3) });

  it('leave an index that answers like one which read all of them at once, in the same order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(one, { minLength: 2, maxLength: 14 }),
        fc.array(fc.nat(2), { minLength: 14, maxLength: 14 }),
        async (happened, comes) => {
          const segments = talk(happened);
          await using whole = fresh('whole');
          await applyAll(whole, segments, 2);
          await using mended = fresh('mended');
          const late: ReadRecord[][] = [[], []];
          const partly = segments.map((segment) => ({
            ...segment,
            records: segment.records.map((record, n) => {
              const round = record.view === null ? 0 : (comes[(segment.first + n) % comes.length] ?? 0);
              if (round === 0) return record;
              late[round - 1]?.push(record);
              return unread(record);
            }),
          }));
          await applyAll(mended, partly, 2);
          // The later ones of them come first.
          for (const records of late.toReversed()) await mended.mend(records);
          expect((await mended.state())?.awaited).toBe(0);
          expect((await mended.state())?.lines).toBe((await whole.state())?.lines);
          expect(await told(mended)).toEqual(await told(whole));
        },
      ),
      { numRuns: 40 },
    );
  });
});
