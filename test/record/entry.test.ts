// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import {
  encodeEntry,
  entryId,
  genesisOf,
  isLogRecord,
  isStreamRecord,
  MAX_ENTRY_BYTES,
  parseEntry,
  sealedPart,
} from '../../src/record/entry.ts';
import type { Entry, EntryType } from '../../src/record/entry-types.ts';
import { ENTRIES as EXAMPLES } from '../vectors/record-vectors.ts';
import { ENTRIES, entry, ENTRY_TYPES } from './arbitraries.ts';
import { canonicalMutants, edited, HOSTILE_TEXTS, hostileText } from './hostile.ts';
import { accepted, refusal } from './refusal.ts';

const EXAMPLE_TEXTS = Object.entries(EXAMPLES).map(([name, example]) => [name, encodeEntry(example)] as const);
/** Every printable character, and some that are none. */
const ALPHABET = [
  ...Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)),
  '\n',
  '\t',
  '\u0000',
  'é',
  '\u2028',
  '\ud800',
];

/** What acceptance must mean: these bytes, and no others, are the entry. */
function expectOneSpelling(text: string): void {
  const value = accepted(() => parseEntry(text));
  if (value === undefined) return;
  if (canonicalize(JSON.parse(text) as Json) !== text) throw new Error(`accepted, but not canonical: ${text}`);
  if (encodeEntry(value) !== text) throw new Error(`accepted, but written otherwise: ${text}`);
}

describe('an entry', () => {
  it.each(ENTRY_TYPES)('of type %s is read as it was written', (type) => {
    fc.assert(
      fc.property(ENTRIES[type] as fc.Arbitrary<Entry>, (value) => {
        const text = encodeEntry(value);
        expect(parseEntry(text)).toEqual(value);
        expect(text).toBe(canonicalize(value as unknown as Json));
        expect(text.length).toBeLessThanOrEqual(MAX_ENTRY_BYTES);
        expectOneSpelling(text);
      }),
      { numRuns: 200 },
    );
  });

  it.each(EXAMPLE_TEXTS)('(%s) has one spelling: no other character at any place is the same entry', (_, text) => {
    for (let at = 0; at <= text.length; at += 1) {
      const [before, after] = [text.slice(0, at), text.slice(at + 1)];
      expectOneSpelling(before + after);
      for (const character of ALPHABET) {
        expectOneSpelling(before + character + after);
        if (character <= '0' || at % 7 === 0) expectOneSpelling(before + character + text.slice(at));
      }
    }
  });

  it('has one spelling after any few edits', () => {
    const near = entry.chain((value) => edited(encodeEntry(value)));
    fc.assert(fc.property(near, expectOneSpelling), { numRuns: 5000 });
  });

  it.each(EXAMPLE_TEXTS)('(%s) is refused with any member replaced by a value of another kind', (_, text) => {
    for (const mutant of canonicalMutants(JSON.parse(text) as Json)) expectOneSpelling(mutant);
  });

  it.each(EXAMPLE_TEXTS)('(%s) is refused in any other spelling of the same JSON', (_, text) => {
    const value = JSON.parse(text) as { [key: string]: Json };
    const [first, ...others] = Object.entries(value) as [[string, Json]];
    const spellings = [
      JSON.stringify(value, null, 1),
      ` ${text}`,
      `${text} `,
      `${text}\n`,
      `${text}\r\n`,
      `\ufeff${text}`,
      JSON.stringify(Object.fromEntries([...others, first])),
      JSON.stringify(Object.fromEntries(Object.entries(value).toReversed())),
      text.replace('{', `{${JSON.stringify(first[0])}:${JSON.stringify(first[1])},`),
      text.replace(/"t":"([a-z])/, (__, letter: string) => `"t":"\\u00${letter.charCodeAt(0).toString(16)}`),
      text.replace('"t"', '"\\u0074"'),
      text.replace('"v":1', '"v":1.0'),
      text.replace('"v":1', '"v":1e0'),
    ];
    for (const spelling of spellings) {
      expect(JSON.parse(spelling.replace('\ufeff', ''))).toEqual(value);
      expect(['format/entry', 'format/entry-type']).toContain(refusal(() => parseEntry(spelling)));
    }
  });

  it('of over 4 KiB is refused for its size before anything else, and none of the grammar is as long', () => {
    expect(refusal(() => parseEntry('x'.repeat(4097)))).toBe('format/too-large');
    expect(refusal(() => parseEntry('x'.repeat(4096)))).toBe('format/entry-type');
    for (const type of ENTRY_TYPES) {
      const values = fc.sample(ENTRIES[type] as fc.Arbitrary<Entry>, { numRuns: 200, seed: 7 });
      expect(Math.max(...values.map((value) => encodeEntry(value).length))).toBeLessThanOrEqual(4096);
    }
  });

  it('that breaks the grammar is never written', () => {
    const close = EXAMPLES['close'] as Entry;
    const wrong = [
      { ...close, seq: -1 },
      { ...close, reason: 'x' },
      { ...close, at: 'now' },
      { ...close, more: 1 },
      { ...close, seq: 0 },
    ];
    for (const value of wrong) expect(refusal(() => encodeEntry(value as Entry))).toMatch(/^format\/entry/);
    expect(refusal(() => encodeEntry({ ...close, at: undefined } as unknown as Entry))).toBe('format/not-canonical');
  });

  it('is refused with FormatError and nothing else, whatever the text', () => {
    for (const text of HOSTILE_TEXTS)
      expect(
        refusal(() => parseEntry(text)),
        text.slice(0, 40),
      ).toMatch(/^format\//);
    const [, near] = EXAMPLE_TEXTS[0] as readonly [string, string];
    fc.assert(fc.property(hostileText(near), expectOneSpelling), { numRuns: 3000 });
  });
});

describe('the rules of entries', () => {
  it('want two approvals of a ceremony’s announcement, and one of its outcome', () => {
    const one = { key: 'a'.repeat(32), sig: `${'A'.repeat(86)}==` };
    expect(refusal(change('escrow', { by: [one] }))).toBe('format/entry-rule');
    expect(refusal(change('escrow', { by: [one], state: 'done' }))).toBeNull();
  });

  it.each([
    { need: 1 },
    { need: 4 },
    { of: 256, need: 2 },
    { act: 'split' },
    { ceremony: 'a'.repeat(32), split: 'a'.repeat(32) },
  ])('refuse a ceremony with %j', (members) => {
    expect(refusal(change('escrow', members))).toBe('format/entry-rule');
  });

  it('want two approvals of a release, and one of anything else about a hold', () => {
    const one = { key: 'a'.repeat(32), sig: `${'A'.repeat(86)}==` };
    const two = { ...one, key: 'b'.repeat(32) };
    expect(refusal(change('hold', { state: 'released', by: [one] }))).toBe('format/entry-rule');
    expect(refusal(change('hold', { state: 'released', by: [one, two] }))).toBeNull();
    expect(refusal(change('hold', { state: 'extended', by: [one] }))).toBeNull();
  });

  const change =
    (name: string, more: object): (() => string) =>
    () =>
      encodeEntry({ ...EXAMPLES[name], ...more } as Entry);

  it.each<readonly [string, string, object]>([
    ['seq 0 without open', 'content', { seq: 0 }],
    ['open with another seq', 'open', { seq: 1 }],
    ['content with a body over 64 KiB', 'content', { body: { h: '0'.repeat(64), n: 65_537 } }],
    ['media with a body over 64 KiB', 'media', { body: { h: '0'.repeat(64), n: 65_537 } }],
    ['access with a body over 64 KiB', 'access', { body: { h: '0'.repeat(64), n: 65_537 } }],
    ['a gap with a body over 64 KiB', 'gap with everything', { body: { h: '0'.repeat(64), n: 65_537 } }],
    ['a closed gap without ref', 'gap', { state: 'closed' }],
    ['an open gap with ref', 'gap', { ref: '0'.repeat(64) }],
    ['a hole of nothing', 'hole', { count: 0 }],
    ['part 0', 'beat', { part: [0, 1] }],
    ['part 3 of 2', 'beat', { part: [3, 2] }],
    [
      'leaves out of order',
      'pack',
      {
        leaves: [
          [5, 1],
          [0, 1],
        ],
      },
    ],
    [
      'leaves twice',
      'repack',
      {
        leaves: [
          [0, 2],
          [1, 1],
        ],
      },
    ],
    ['an empty range', 'pack', { leaves: [[0, 0]] }],
    ['an empty period', 'retention', { period: 'P' }],
    ['an empty most period', 'retention', { max: 'P' }],
  ])('refuse %s', (_, name, more) => {
    expect(refusal(change(name, more))).toBe('format/entry-rule');
  });

  it.each<readonly [string, string, object]>([
    ['a body of 64 KiB', 'content', { body: { h: '0'.repeat(64), n: 65_536 } }],
    ['a final gap with ref', 'gap', { state: 'final', ref: '0'.repeat(64) }],
    ['a final gap without ref', 'gap', { state: 'final' }],
    ['the last part', 'beat', { part: [2, 2] }],
    [
      'ranges side by side',
      'pack',
      {
        leaves: [
          [0, 1],
          [1, 1],
        ],
      },
    ],
  ])('allow %s', (_, name, more) => {
    expect(refusal(change(name, more))).toBeNull();
  });

  it('let a gap carry all of a sealed part or nothing of it', () => {
    const { body, com, epoch, i, ret } = EXAMPLES['content'] as unknown as Record<string, Json>;
    const parts = Object.entries({ body, com, epoch, i, ret });
    for (let mask = 0; mask < 32; mask += 1) {
      const some = Object.fromEntries(parts.filter((_, bit) => (mask >> bit) % 2 === 1));
      expect(refusal(change('gap', some))).toBe(mask === 0 || mask === 31 ? null : 'format/entry-rule');
    }
  });
});

describe('what an entry is', () => {
  const STREAM_TYPES: readonly EntryType[] = ['content', 'media', 'access', 'open', 'close', 'beat', 'gap', 'hole'];

  it('is a record of a stream or of the log, never both', () => {
    for (const example of Object.values(EXAMPLES)) {
      expect(isStreamRecord(example)).toBe(STREAM_TYPES.includes(example.t));
      expect(isLogRecord(example)).toBe('log' in example);
    }
  });

  it('has a sealed part where it has a body', () => {
    for (const example of Object.values(EXAMPLES)) {
      expect(sealedPart(example)).toBe('body' in example ? example : null);
    }
  });

  it('has the RFC 6962 leaf hash of its bytes as id', () => {
    for (const [, text] of EXAMPLE_TEXTS) {
      expect(entryId(text)).toEqual(createHash('sha256').update(`\0${text}`).digest());
    }
  });

  it('starts its stream from origin and stream, and from no other pair', () => {
    const first = genesisOf('a.example/log', '0'.repeat(32));
    expect(first).toBe(
      createHash('sha256')
        .update(`holdfast stream v1\na.example/log\n${'0'.repeat(32)}`)
        .digest('hex'),
    );
    expect(genesisOf('a.example/lo', `g${'0'.repeat(31)}`)).not.toBe(first);
    expect(genesisOf('a.example/log', '1'.repeat(32))).not.toBe(first);
  });
});
