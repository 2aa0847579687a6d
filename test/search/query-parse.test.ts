// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../src/base/failure.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import type { QueryNode } from '../../src/search/query.ts';

function failure(text: string): Failure {
  try {
    parseQuery(text);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('it was understood');
}

/** A node in few characters. */
function shown(node: QueryNode | null): string {
  if (node === null) return 'everything';
  switch (node.op) {
    case 'and':
    case 'or':
      return `(${node.nodes.map(shown).join(` ${node.op} `)})`;
    case 'not':
      return `not ${shown(node.node)}`;
    case 'words':
      return `${node.asked.words.join('+')}${node.asked.isPrefix ? '*' : ''}`;
    case 'person':
      return `${node.field}:${node.value}`;
    case 'conversation':
      return `in:${node.value}`;
    case 'tag':
    case 'matter':
    case 'saved':
      return `${node.op}:${node.value}`;
    case 'facet':
      return node.word;
    case 'people':
    case 'lines':
      return 'never from text';
    case 'time':
      return `${node.fromMs ?? ''}..${node.beforeMs ?? ''}`;
  }
}

describe('a query', () => {
  it.each([
    ['', 'everything'],
    ['   ', 'everything'],
    ['berth 14', '(berth and 14)'],
    ['tag:Privileged matter:"Harbour case" -saved:tugs', '(tag:privileged and matter:Harbour case and not saved:tugs)'],
    ['a b OR c d', '((a and b) or (c and d))'],
    ['a (b OR c) d', '(a and (b or c) and d)'],
    ['-a', 'not a'],
    ['NOT a b', '(not a and b)'],
    ['--a', 'not not a'],
    ['-(a OR b)', 'not (a or b)'],
    ['a AND b', '(a and b)'],
    ['"a b"', 'a+b'],
    ['"a b"*', 'a+b*'],
    ['insp*', 'insp*'],
    ['case-41723', 'case+41723'],
    ['or and not', '(or and and and not)'],
    ['Straße', 'strasse'],
    ['from:ana', 'from:ana'],
    ['FROM:"ana ruiz" x', '(from:ana ruiz and x)'],
    ['in:#12', 'in:#12'],
    ['has:photo', 'h_image'],
    ['kind:group-update', 'k_group_update'],
    ['edited:true deleted:no', '(e_yes and d_no)'],
    ['https://example.org/x', 'https+example+org+x'],
    ['"12:30"', '12+30'],
    ['on:2026-11-22', `${Date.UTC(2026, 10, 22)}..${Date.UTC(2026, 10, 23)}`],
    ['on:2026-12', `${Date.UTC(2026, 11)}..${Date.UTC(2027, 0)}`],
    ['on:2026', `${Date.UTC(2026, 0)}..${Date.UTC(2027, 0)}`],
    ['on:2026-11-01..2026-11-07', `${Date.UTC(2026, 10, 1)}..${Date.UTC(2026, 10, 8)}`],
    ['before:2026-11-22', `..${Date.UTC(2026, 10, 22)}`],
    ['after:2026-11-22', `${Date.UTC(2026, 10, 23)}..`],
    ['after:2026-11-22T15:02', `${Date.UTC(2026, 10, 22, 15, 3)}..`],
  ])('%j is understood as %s', (text, expected) => {
    expect(shown(parseQuery(text).root)).toBe(expected);
  });

  it.each([
    ['a "b', 3, /closing quotation mark/],
    ['(a OR b', 1, /closing parenthesis/],
    ['a )', 3, /opening parenthesis/],
    ['a OR', 5, /a word/],
    ['OR a', 1, /a word/],
    ['()', 2, /a word/],
    ['a -', 3, /letters, digits/],
    ['a ??', 3, /letters, digits/],
    ['fron:ana', 1, /from:.*quotation marks/],
    ['from:', 6, /a value for from:/],
    ['from: ana', 6, /a value for from:/],
    ['kind:memo', 6, /message/],
    ['has:paper', 5, /attachment/],
    ['edited:perhaps', 8, /yes, no/],
    ['app:mail', 5, /signal/],
    ['on:yesterday', 4, /a day such as/],
    ['on:2026-02-30', 4, /a day such as/],
    ['on:2026-11-07..2026-11-01', 4, /a day such as/],
    ['a*b', 2, /end of a word/],
    ['('.repeat(100), 41, /at most 40 levels/],
    ['a '.repeat(600), 1, /at most 500 terms/],
    ['a'.repeat(9000), 8001, /at most 8000 characters/],
  ])('%j is refused at character %i', (text, at, expected) => {
    const { code, detail } = failure(text);
    expect([code, detail.where]).toEqual(['search/query', `character ${at} of the query`]);
    expect(detail.expected).toMatch(expected);
  });

  it('is understood or refused, never anything else, and a refusal never repeats it', () => {
    const pieces = fc.constantFrom(
      '(',
      ')',
      '"',
      '-',
      '*',
      ':',
      ' ',
      'OR',
      'from:',
      'on:',
      'has:',
      'secretword',
      '検査',
      '..',
    );
    const texts = fc.oneof(
      fc.array(pieces, { maxLength: 12 }).map((all) => all.join('')),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseQuery(text);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
          expect(String(error)).not.toContain('secretword');
        }
      }),
      { numRuns: 2000 },
    );
  });
});
