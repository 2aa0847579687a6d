// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { FAILURES } from '../../src/base/failure.ts';
import { FORMAT_CODES } from '../../src/record/format-error.ts';
import { CATALOGUE } from '../../src/verify/findings.ts';
import { read, treeFiles } from './files.ts';

const page = read('docs/errors.md');

/** Cells of every table row whose first cell is one code. */
const rows = page.split('\n').flatMap((line) => {
  const [code = '', ...cells] = line.split('|').map((cell) => cell.trim());
  const [first = '', ...rest] = code === '' ? cells : [];
  const found = /^`([a-z]+\/[a-z-]+)`$/.exec(first)?.[1];
  return found === undefined ? [] : [{ code: found, cells: rest.slice(0, -1) }];
});
const documented = rows.map(({ code }) => code);

/** How a code's row must begin, from the code itself. */
const expected = new Map<string, readonly string[]>([
  ...Object.entries(FAILURES).map(([code, kind]): [string, string[]] => [code, [kind]]),
  ...FORMAT_CODES.map((code): [string, string[]] => [code, []]),
  ...Object.entries(CATALOGUE).map(([code, [severity, meaning]]): [string, string[]] => [code, [severity, meaning]]),
]);

describe('docs/errors.md', () => {
  it('has every code, and each once', () => {
    const missing = [...expected].filter(([code]) => !documented.includes(code));
    expect(missing.map(([code, cells]) => `| \`${[`${code}\``, ...cells].join(' | ')} |`)).toEqual([]);
    expect(documented.filter((code, index) => documented.indexOf(code) !== index)).toEqual([]);
  });

  it('has no code that does not exist, in its tables or its text', () => {
    expect(documented.filter((code) => !expected.has(code))).toEqual([]);
    const named = [
      ...page.matchAll(/`((?:archive|config|format|queue|signal|spool|store|verify|whatsapp)\/[a-z-]+)`/g),
    ];
    expect(named.map(([, code]) => code).filter((code) => !expected.has(String(code)))).toEqual([]);
  });

  it('says of each code what the code itself says: its kind, its severity, its meaning', () => {
    const wrong = rows.filter(({ code, cells }) => !(expected.get(code) ?? []).every((cell, at) => cells[at] === cell));
    expect(wrong.map(({ code }) => ({ code, expected: expected.get(code) }))).toEqual([]);
  });

  it('says of each failure what to do', () => {
    const empty = rows.filter(({ code, cells }) => {
      const most = Object.hasOwn(CATALOGUE, code) ? 2 : Object.hasOwn(FAILURES, code) ? 3 : 2;
      return cells.length !== most || cells.some((cell) => cell.length < 4);
    });
    expect(empty).toEqual([]);
  });

  it('explains every event of the log', () => {
    const events = [...read('src/base/events.ts').matchAll(/'([a-z]+\.[a-z-]+|alarm|trouble)'/g)].map(
      ([, name]) => name,
    );
    expect(events.length).toBeGreaterThan(15);
    expect(events.filter((name) => !page.includes(`\`${String(name)}\``))).toEqual([]);
  });

  it('is found from the first page', () => {
    expect(read('README.md')).toContain('(docs/errors.md)');
  });
});

describe('every failure code', () => {
  it('is used: what nothing throws is retired', () => {
    const sources = treeFiles().filter((file) => /^src\/.*\.ts$/.test(file) && file !== 'src/base/failure.ts');
    const text = sources.map(read).join('\n');
    expect(Object.keys(FAILURES).filter((code) => !text.includes(`'${code}'`))).toEqual([]);
  });
});
