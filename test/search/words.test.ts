// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQuery } from '../../src/search/query-parse.ts';
import { snippetOf } from '../../src/search/snippet.ts';
import { askedWords, indexWords } from '../../src/search/words.ts';

/** True if the words asked for stand in a row among those of the text. */
function finds(query: string, text: string, isPrefix = false): boolean {
  const asked = askedWords(query, isPrefix);
  const words = indexWords(text);
  if (asked === null) return false;
  return words.some((_, at) =>
    asked.words.every((word, index) => {
      const here = words[at + index] ?? '';
      return asked.isPrefix && index === asked.words.length - 1 ? here.startsWith(word) : here === word;
    }),
  );
}

describe('words', () => {
  it.each([
    ['cafe', 'CAFÉ'],
    ['café', 'cafe\u0301'],
    ['STRASSE', 'Straße'],
    ['istanbul', 'İSTANBUL'],
    ['كتاب', 'كِتَابٌ'],
    ['مرحبا', 'مــرحــبا'],
    ['елка', 'Ёлка'],
    ['हिन्दी', 'यह हिन्दी है'],
    ['full', 'ＦＵＬＬ'],
    ['berth', 'be\u00ADr\u200Bth'],
    ['検査', '港の検査報告'],
    ['査報告', '港の検査報告'],
    ['告', '港の検査報告'],
    ['港', '港の検査報告'],
    ['ภาษา', 'ฉันพูดภาษาไทย'],
    ['배우', '한국어배우기'],
    ['Python編程', '我愛Python編程'],
    ['👍', 'ok👍🏽'],
    ['gate-3.jpg', 'see gate-3.jpg'],
    ['で', 'テストです'],
  ])('%j is found in %j', (query, text) => {
    expect(finds(query, text)).toBe(true);
  });

  it.each([
    ['rth', 'berth'],
    ['て', 'です'],
    ['査検', '港の検査報告'],
    ['a b', 'b a'],
  ])('%j is not found in %j', (query, text) => {
    expect(finds(query, text)).toBe(false);
  });

  it('of any text are found in it, and so is any stretch of a script without spaces', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        if (askedWords(text, false) !== null) expect(finds(text, text)).toBe(true);
      }),
    );
    const han = fc.string({ unit: fc.constantFrom(...Array.from('検査報告書港湾封印')), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(han, fc.nat(), fc.nat(), (text, a, b) => {
        const [from, length] = [a % text.length, 1 + (b % text.length)];
        expect(finds(text.slice(from, from + length), text)).toBe(true);
      }),
    );
  });

  it('are had of a million marks on one letter, and of a word of a million letters', () => {
    expect(indexWords(`e${'\u0301\u0316'.repeat(500_000)} x`)).toEqual(['e', 'x']);
    expect(indexWords('a'.repeat(1_000_000))).toEqual(['a'.repeat(64)]);
  });
});

describe('a snippet', () => {
  const marked = (text: string, query: string): string =>
    snippetOf(text, parseQuery(query).root)
      .map((part) => (part.hit ? `[${part.text}]` : part.text))
      .join('');

  it('marks what was asked for as it is written', () => {
    expect(marked('The CAFÉ at berth 14', 'cafe "berth 14"')).toBe('The [CAFÉ] at [berth 14]');
    expect(marked('港の検査報告', '検査')).toContain('[');
    expect(marked('a\nb', '-b a')).toBe('[a] b');
  });

  it('shows the part around the first hit of a long text', () => {
    const text = `${'word '.repeat(500)}needle ${'word '.repeat(500)}`;
    const found = marked(text, 'needle');
    expect(found).toContain('[needle]');
    expect(found.length).toBeLessThan(200);
    expect([found.startsWith('…'), found.endsWith('…')]).toEqual([true, true]);
  });

  it('takes nothing away and adds nothing but marks of omission', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 150 }),
        fc.constantFrom('a', 'b*', '"a b"', '検'),
        (text, query) => {
          const whole = snippetOf(text, parseQuery(query).root)
            .map((part) => part.text)
            .join('');
          if (text.length <= 160)
            expect(whole).toBe(text.replaceAll(/\s+/g, (space) => (whole.includes(space) ? space : ' ')));
        },
      ),
    );
  });
});
