// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, parseCanonical, type Json } from '../../src/record/canonical.ts';
import { sharedVectors } from '../vectors/shared.ts';
import { HOSTILE_TEXTS, hostileText } from './hostile.ts';
import { refusal } from './refusal.ts';

/** Our own cases: input, and the bytes RFC 8785 demands. */
const CASES: readonly (readonly [string, string])[] = [
  ['{ "b": 1, "a" : [ ] , "": {} }', '{"":{},"a":[],"b":1}'],
  [
    '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}',
    '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
  ],
  [
    '[333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001, -0, 1e21]',
    '[333333333.3333333,1e+30,4.5,0.002,1e-27,0,1e+21]',
  ],
  ['"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/"', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'],
  ['"\\u2028\\u007f\\b\\f\\t"', '"\u2028\u007f\\b\\f\\t"'],
  ['{"10":1,"9":2,"aa":3,"a":4,"A":5,"__proto__":6}', '{"10":1,"9":2,"A":5,"__proto__":6,"a":4,"aa":3}'],
  ['[null,true,false]', '[null,true,false]'],
];

const PUBLISHED = ['arrays', 'french', 'structures', 'unicode', 'values', 'weird'].flatMap((name) => {
  const input = sharedVectors(`rfc8785-jcs/input/${name}.json`);
  const output = sharedVectors(`rfc8785-jcs/output/${name}.json`);
  const hex = sharedVectors(`rfc8785-jcs/outhex/${name}.txt`);
  return input === null || output === null || hex === null ? [] : [{ name, input, output, hex }];
});

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

const wellFormed = fc.string({ unit: 'grapheme' });
const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    wellFormed,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(wellFormed, fc.constantFrom('1', '10', '9', '__proto__', 'toString')), tie('value'), {
      maxKeys: 5,
    }),
  ),
})).value;

describe('canonicalize', () => {
  it('writes what RFC 8785 writes, for our cases', () => {
    for (const [input, output] of CASES) expect(canonicalize(JSON.parse(input) as Json)).toBe(output);
  });

  it('writes what RFC 8785 writes, byte for byte, for the published cases', () => {
    expect([0, 6]).toContain(PUBLISHED.length);
    for (const { name, input, output, hex } of PUBLISHED) {
      const written = Buffer.from(canonicalize(JSON.parse(input.toString('utf8')) as Json), 'utf8');
      expect(written.toString('hex'), name).toBe(hex.toString('latin1').replaceAll(/\s/g, ''));
      expect(written.equals(output), name).toBe(true);
    }
  });

  it('sorts keys by UTF-16 code units, in every object', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: 'binary' }).filter((key) => key.isWellFormed())), (keys) => {
        const text = canonicalize(Object.fromEntries(keys.map((key) => [key, 0])));
        const inOrder = keys.toSorted((a, b) => Buffer.compare(utf16be(a), utf16be(b)));
        expect(text).toBe(`{${inOrder.map((key) => `${JSON.stringify(key)}:0`).join(',')}}`);
      }),
    );
  });

  it('refuses what JSON cannot hold', () => {
    const bad = [
      NaN,
      Infinity,
      -Infinity,
      '\ud800',
      'a\udc00',
      undefined,
      1n,
      () => 0,
      Symbol('x'),
      { a: undefined },
      [NaN],
      { '\ud800': 1 },
    ];
    for (const value of bad) expect(refusal(() => canonicalize(value as Json))).toBe('format/not-canonical');
  });

  it('writes 128 levels and refuses the next', () => {
    expect(canonicalize(JSON.parse(nested(128)) as Json)).toBe(nested(128));
    expect(refusal(() => canonicalize(JSON.parse(nested(129)) as Json))).toBe('format/not-canonical');
    expect(refusal(() => canonicalize(JSON.parse(nested(200_000)) as Json))).toBe('format/not-canonical');
  });
});

describe('parseCanonical', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalize(value);
        // Through JSON, because -0 and 0 are one value there.
        expect(parseCanonical(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalize(parseCanonical(text))).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it('accepts a text only if it is the canonical one of its value', () => {
    fc.assert(
      fc.property(hostileText('{"a":[1,"x",{"b":null}],"c":-1.5}'), (text) => {
        let value: Json | undefined;
        if (refusal(() => (value = parseCanonical(text))) === null) expect(canonicalize(value as Json)).toBe(text);
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    '{"a":1,"a":1}',
    '{"a":1,"a":2}',
    '{"b":1,"a":2}',
    '{"a": 1}',
    ' 1',
    '1 ',
    '1\n',
    '1.0',
    '1e0',
    '1E21',
    '-0',
    '01e1',
    '9007199254740993',
    '0.10',
    '"\\u0041"',
    '"\\/"',
    '"\\u000A"',
    '"\\u00e9"',
    '\ufeff1',
    '[1,]',
    "{'a':1}",
    '"\ud800"',
    '"\\ud800"',
    'NaN',
    '',
  ])('refuses %j, and says whether it is JSON', (text) => {
    let isJson = true;
    try {
      JSON.parse(text);
    } catch {
      isJson = false;
    }
    expect(refusal(() => parseCanonical(text))).toBe(isJson ? 'format/not-canonical' : 'format/not-json');
  });

  it('throws nothing but FormatError', () => {
    for (const text of HOSTILE_TEXTS) refusal(() => parseCanonical(text));
  });
});

function utf16be(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}
