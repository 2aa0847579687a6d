// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csvRow } from '../../src/export/csv.ts';
import { endingOf, safeName, slugOf } from '../../src/export/files/file-name.ts';
import type { Chat } from '../../src/record/message.ts';
import { TalkingArchive } from '../search/archive-kit.ts';
import { ANA, BEN, message } from '../search/kit.ts';
import { attachment, exported, filesIn, indexed, jsonLines } from './kit.ts';

// Whoever writes a message chooses every character of it. None of it may act in a browser, a spreadsheet, a file system, or on a page.

const MARKUP = `</p><script>alert(1)</script><img src=x onerror=alert(1)>"' onclick="x" <!-- ]]> &lt;b&gt; <a href="javascript:x">`;
const FORMULA = "=cmd|'/C calc'!A0";
const TURNED = 'invoice\u202Efdp.exe \u2066x\u2069 \u200Bhidden';
const TOWER = `a${'\u0301'.repeat(1_000_000)}b`;
const CONTROLS = 'bell\u0007 escape\u001B[31m null\u0000 end';
const NAMES = [
  '../../../../etc/passwd',
  'C:\\Windows\\system32\\x.dll',
  'con.txt',
  `${'n'.repeat(5000)}.pdf`,
  '.',
  '',
  'a\u0000b',
  '<b>.html',
];

const root = mkdtempSync(join(tmpdir(), 'holdfast-hostile-'));
const out = join(root, 'out');
const HOSTILE: Chat = { type: 'group', id: 'x', name: `${MARKUP} ../../ ${'t'.repeat(3000)}` };
beforeAll(async () => {
  await using archive = await TalkingArchive.start(join(root, 'made'));
  const by = { ...BEN, name: `${FORMULA} ${MARKUP}` };
  for (const text of [
    MARKUP,
    FORMULA,
    `\u200B \t${FORMULA}`,
    '+1-2',
    '-3',
    '@SUM(A1)',
    '\uFF1D1',
    TURNED,
    TOWER,
    CONTROLS,
  ]) {
    archive.maker.nowMs += 60_000;
    await archive.capture(ANA, message(text), { by, chat: HOSTILE });
  }
  archive.maker.nowMs += 60_000;
  const attachments = NAMES.map((name, index) => attachment(`file ${index}`, name, 'text/html', 10));
  await archive.capture(ANA, message(null, { attachments }), { by, chat: HOSTILE });
  await archive.maker.archive();
  await indexed(archive.directory, join(root, 'index'));
  await exported({ archive: archive.directory, index: join(root, 'index'), out });
}, 240_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const text = (name: string): string => readFileSync(join(out, name), 'utf8');

describe('what senders write', () => {
  it('is in the JSONL to the character', () => {
    const texts = jsonLines(out).map((line) => line['text']);
    for (const said of [MARKUP, FORMULA, TURNED, TOWER, CONTROLS]) expect(texts.includes(said)).toBe(true);
  });

  it('is no markup in a page, and the page forbids what would run or load', () => {
    const page = text('messages.html');
    expect(page).not.toMatch(/<script|<img src=x|onerror=alert\(1\)>|<a href="javascript/);
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).toMatch(/http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; img-src data:/);
    // Elements and attributes are those of ours: all that is between angle brackets.
    const tags = new Set([...page.matchAll(/<\/?([a-z0-9]+)/gi)].map(([, name]) => name));
    expect([...tags].filter((tag) => !OURS.has(tag ?? ''))).toEqual([]);
    const attributes = new Set(
      [...page.matchAll(/<[a-z0-9]+ ([^>]*)>/g)].flatMap(([, list = '']) =>
        [...list.matchAll(/([a-z-]+)="/g)].map(([, name]) => name),
      ),
    );
    expect([...attributes].filter((name) => name?.startsWith('on'))).toEqual([]);
  });

  it('turns nothing around and piles nothing up where people read', () => {
    const page = text('messages.html');
    expect(page).not.toMatch(/[\u202A-\u202E\u2066-\u2069\u200B]/);
    expect(page).toContain('[U+202E]');
    expect(page).toContain('[marks]');
    expect(page.length).toBeLessThan(200_000);
    expect(filesIn(out).get('messages.pdf')?.length).toBeLessThan(3_000_000);
  });

  it('runs in no spreadsheet', () => {
    const rows: string[][] = parse(text('messages.csv'), { bom: true });
    expect(rows.length).toBe(1 + jsonLines(out).filter(({ type }) => type === 'line').length);
    const cells = rows.flat();
    expect(cells.filter((cell) => /^[\s\u200B]*[=+\-@\uFF1D]/.test(cell))).toEqual([]);
    expect(text('messages.csv')).toContain(`'${FORMULA}`);
  });

  it('names no file of the export', () => {
    for (const name of filesIn(out).keys()) {
      expect(name).toMatch(/^(?:(?:files|rsmf|proof(?:\/by-hand)?)\/)?[A-Za-z0-9][A-Za-z0-9._-]{0,140}$/);
      expect(name).not.toMatch(/\.\.|[. ]$/);
    }
  });
});

const OURS = new Set(
  'doctype html head meta title style body h1 h2 ul li table tr th td bdi a article header span p div details summary pre footer nav figure figcaption strong'.split(
    ' ',
  ),
);

describe('file names', () => {
  it('are plain, short, and nobody else’s', () => {
    for (const name of NAMES) {
      const safe = safeName(name, endingOf(null, name));
      expect(safe).toMatch(/^[A-Za-z0-9][A-Za-z0-9_-]*\.[a-z0-9]+$/);
      expect(safe.length).toBeLessThan(90);
      expect(safe).not.toMatch(/^(?:con|nul|prn|aux)\./i);
    }
  });

  it('end as the bytes say, and never in what a system runs', () => {
    expect(endingOf('png', 'x.exe')).toBe('png');
    expect(endingOf('exe', 'x.pdf')).toBe('bin');
    expect(endingOf(null, 'x.html')).toBe('bin');
    expect(endingOf(null, 'x.svg')).toBe('bin');
    expect(endingOf(null, 'notes.TXT')).toBe('txt');
    expect(slugOf('Ängström & Söhne / Привет')).toBe('angstrom-sohne');
  });
});

describe('a cell', () => {
  it('is text: quoted, without controls, cut where spreadsheets would', () => {
    expect(csvRow(['a"b', 'x\u001By', 'l\r\nm'])).toBe('"a""b",x[U+001B]y,"l\nm"\r\n');
    expect(csvRow(['y'.repeat(40_000)])).toContain('[cut here; whole in messages.jsonl]');
  });
});
