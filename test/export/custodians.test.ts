// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directoryDeeds } from '../../src/matters/directory-csv.ts';
import { rangeLevels } from '../../src/record/merkle.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { did } from '../matters/kit.ts';
import { ANA, BEN, HARBOUR, LogWriter, message, MONDAY_MS, positionAt } from '../search/kit.ts';
import { exported, filesIn, jsonLines, manifestIn } from './kit.ts';
import { openedRsmf } from './opened-rsmf.ts';

const DAY_MS = 86_400_000;
const root = mkdtempSync(join(tmpdir(), 'holdfast-export-custodians-'));
const out = join(root, 'out');

/** A number that is one person's on Monday and another's on Tuesday, and one that the directory does not know. */
beforeAll(async () => {
  const log = new LogWriter();
  log.capture(ANA, message('on Monday'), { by: ANA, chat: HARBOUR, atMs: MONDAY_MS });
  log.capture(ANA, message('on Tuesday'), { by: ANA, chat: HARBOUR, atMs: MONDAY_MS + DAY_MS });
  log.capture(BEN, message('by nobody known'), { by: BEN, chat: HARBOUR, atMs: MONDAY_MS + 2 * DAY_MS });
  const changeMs = MONDAY_MS + DAY_MS / 2;
  const rows = [
    { identifier: ANA.number, custodian: '=Ruiz, Ana', fromMs: null, toMs: changeMs },
    { identifier: ANA.number, custodian: 'Berg, Maria', fromMs: changeMs + 1, toMs: null },
  ];
  for (const deed of directoryDeeds(rows)) did(log, deed);
  const index = join(root, 'index');
  const archive = join(root, 'archive');
  mkdirSync(archive);
  {
    await using db = SqliteIndex.openForWriting(index);
    for (const segment of log.cut().segments) {
      const edge = rangeLevels(0, segment.end).map(() => '00'.repeat(32));
      await db.apply([segment], { ...positionAt(segment.end), edge });
    }
  }
  await exported({ archive, index, out, proofs: 'none', selection: { by: 'conversation', name: HARBOUR.name ?? '' } });
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const rowsIn = (file: string): Record<string, string>[] =>
  parse(readFileSync(join(out, file), 'utf8'), { bom: true, columns: true });

describe('whose accounts an export is of', () => {
  it('stands in the tables for each line, as of its time, and is nothing that a spreadsheet runs', () => {
    expect(rowsIn('messages.csv').map((row) => [row['text'], row['custodians'], row['author_custodian']])).toEqual([
      ['on Monday', "'=Ruiz, Ana", "'=Ruiz, Ana"],
      ['on Tuesday', 'Berg, Maria', 'Berg, Maria'],
      ['by nobody known', '', ''],
    ]);
    const lines = jsonLines(out).filter(({ type }) => type === 'line');
    expect(lines.map(({ custodians, authorCustodian }) => [custodians, authorCustodian])).toEqual([
      [['=Ruiz, Ana'], '=Ruiz, Ana'],
      [['Berg, Maria'], 'Berg, Maria'],
      [[], null],
    ]);
  });

  it('stands at the head of what people read, with how many lines each', () => {
    const html = readFileSync(join(out, 'messages.html'), 'utf8');
    const text = readFileSync(join(out, 'completeness.txt'), 'utf8');
    for (const part of ['Berg, Maria: 1 line', '=Ruiz, Ana: 1 line', 'of 1 line the directory does not say']) {
      expect(html).toContain(part);
      expect(text).toContain(part);
    }
    expect(manifestIn(out)['custodians']).toEqual([
      { name: '=Ruiz, Ana', lines: 1 },
      { name: 'Berg, Maria', lines: 1 },
    ]);
  });

  it('stands in RSMF as custodian of the file, beside each name, and with each event', () => {
    const names = [...filesIn(out).keys()].filter((name) => name.endsWith('.rsmf')).toSorted();
    const files = names.map((name) => openedRsmf(readFileSync(join(out, name))));
    const told = files.map(({ head, manifest }) => {
      const [conversation] = manifest.conversations;
      const custodian = manifest.participants.find(({ id }) => id === conversation?.custodian);
      const [event] = manifest.events;
      return [
        /^X-RSMF-Custodian: (.*)$/m.exec(head)?.[1]?.trim(),
        custodian?.display,
        event?.custom.find(({ name }) => name === 'archive.custodians')?.value,
      ];
    });
    expect(told).toEqual([
      ['=Ruiz, Ana', `${ANA.name} (=Ruiz, Ana)`, '=Ruiz, Ana'],
      ['Berg, Maria', `${ANA.name} (Berg, Maria)`, 'Berg, Maria'],
      [expect.stringContaining('Ben'), BEN.name, undefined],
    ]);
  });
});
