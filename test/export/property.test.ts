// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { PreparedExport } from '../../src/export/export.ts';
import { rangeLevels } from '../../src/record/merkle.ts';
import type { ViewBody } from '../../src/record/message.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { SqliteSnapshot } from '../../src/search/sqlite-snapshot.ts';
import { Opener } from '../../src/seal/open.ts';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import {
  ANA,
  BEN,
  CLEO,
  direct,
  HARBOUR,
  LogWriter,
  MINUTE_MS,
  MONDAY_MS,
  message,
  positionAt,
  refTo,
} from '../search/kit.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { READER } from '../vectors/keys.ts';
import { ALL, filesIn, jsonLines } from './kit.ts';
import { openedRsmf } from './opened-rsmf.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-property-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

const PEOPLE = [ANA, BEN, CLEO] as const;
const happening = fc.record({
  what: fc.constantFrom(
    'message',
    'edit',
    'delete',
    'reaction',
    'timer',
    'call',
    'typing',
    'unknown',
    'poll',
    'defect',
  ),
  by: fc.nat({ max: 2 }),
  chat: fc.nat({ max: 2 }),
  minutes: fc.nat({ max: 3000 }),
  target: fc.nat({ max: 10 }),
  text: fc.string({ unit: 'grapheme', maxLength: 40 }),
});

type Happened = typeof happening extends fc.Arbitrary<infer One> ? One : never;

/** Writes what happens to a log; what refers to earlier messages refers to some that were never said, too. */
function written(happenings: readonly Happened[]): LogWriter {
  const log = new LogWriter();
  let atMs = MONDAY_MS;
  const said: number[] = [];
  for (const { what, by, chat, minutes, target, text } of happenings) {
    atMs += minutes * MINUTE_MS + 1000;
    const author = PEOPLE[by] ?? ANA;
    const ref = refTo(PEOPLE[target % 3] ?? ANA, said[target % Math.max(1, said.length)] ?? MONDAY_MS + target);
    const body: Record<string, ViewBody> = {
      message: message(text),
      edit: { kind: 'edit', target: ref, content: { text } },
      delete: { kind: 'delete', target: ref, by: 'sender' },
      reaction: { kind: 'reaction', target: ref, emoji: '👍', removed: target === 1 },
      timer: { kind: 'timer', expiresInSeconds: target },
      call: { kind: 'call', event: 'offer', callId: text, callType: null },
      typing: { kind: 'typing', action: 'started' },
      unknown: { kind: 'unknown', reason: text },
      poll: message(null, { poll: { question: text, multiple: true, options: [text, 'b'] } }),
    };
    const where = chat === 0 ? HARBOUR : direct(chat === 1 ? BEN : CLEO);
    const made = body[what];
    if (made === undefined) log.record(ANA, { defect: 'pack-missing', atMs });
    else log.capture(ANA, made, { by: author, chat: where, atMs });
    if (what === 'message') said.push(atMs);
  }
  return log.cut();
}

describe('every format', () => {
  it('has every line of the selection, and no other, whatever happened', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(happening, { minLength: 1, maxLength: 40 }),
        fc.nat({ max: 3 }),
        fc.constantFrom(
          '',
          'kind:message',
          '-kind:call',
          'from:ben OR kind:timer',
          'edited:yes OR deleted:yes OR kind:unknown',
        ),
        async (happenings, around, query) => {
          const place = join(root, String((count += 1)));
          const { segments } = written(happenings);
          {
            await using db = SqliteIndex.openForWriting(place);
            const { end = 0 } = segments.at(-1) ?? {};
            const edge = rangeLevels(0, end).map(() => '00'.repeat(32));
            await db.apply(segments, { ...positionAt(end), edge });
          }
          await using snapshot = SqliteSnapshot.open(place);
          const parts = {
            snapshot,
            reader: await openDirReader(place),
            trust: TRUST,
            opener: () => new Opener(READER.privateKey, READER.recipient.kid),
            audit: { record: async () => undefined },
            version: '0',
          };
          const selection = { by: 'query', query: parseQuery(query) } as const;
          const chosen = PreparedExport.choose(
            parts,
            // No archive lies behind these lines.
            { ...ALL, selection, rule: { around, wholeUpTo: 2 }, proofs: 'none' },
            () => undefined,
          );
          const prepared = await chosen.catch((error: unknown) => {
            expect(error).toMatchObject({ code: 'export/nothing' });
            return null;
          });
          if (prepared === null) return;
          const out = join(place, 'out');
          await prepared.write(out, () => undefined);
          const lines = jsonLines(out).flatMap(({ type, line }) => (type === 'line' ? [String(line)] : []));
          expect(new Set(lines).size).toBe(lines.length);
          const rows: string[][] = parse(readFileSync(join(out, 'messages.csv')), { bom: true });
          expect(rows.slice(1).map(([line]) => line)).toEqual(lines);
          const page = readFileSync(join(out, 'messages.html'), 'utf8');
          expect([...page.matchAll(/<article id="(L\d+)"/g)].map(([, line]) => line)).toEqual(lines);
          const files = [...filesIn(out)]
            .filter(([name]) => name.startsWith('rsmf/'))
            .toSorted(([a], [b]) => (a < b ? -1 : 1));
          const events = files.flatMap(([, bytes]) => openedRsmf(bytes).manifest.events.map(({ id }) => id));
          expect(events.filter((id) => /^L\d+$/.test(id))).toEqual(lines);
          // Every line of the document is a place that others can point to.
          const places = readFileSync(join(out, 'messages.pdf'), 'latin1').matchAll(/\((L\d+)\) \[/g);
          expect(new Set([...places].map(([, line]) => line))).toEqual(new Set(lines));
        },
      ),
      { numRuns: 12 },
    );
  }, 240_000);
});
