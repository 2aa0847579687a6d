// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import {
  encodeHeads,
  headsRoot,
  headsRootHex,
  parseHeads,
  type Heads,
  type StreamState,
} from '../../src/record/heads.ts';
import { APPS, STREAM_ROLES } from '../../src/record/vocabulary.ts';
import { HEADS } from '../vectors/log-vectors.ts';
import { count, hex128, hex256, origin, seconds } from './arbitraries.ts';
import { canonicalMutants, HOSTILE_TEXTS, hostileBytes } from './hostile.ts';
import { referenceLeaf, referenceRoot } from './reference-tree.ts';
import { accepted, refusal } from './refusal.ts';

const state: fc.Arbitrary<StreamState> = fc.record({
  stream: hex128,
  seq: count,
  id: hex256,
  acct: hex128,
  app: fc.constantFrom(...APPS),
  role: fc.constantFrom(...STREAM_ROLES),
  gen: count,
  key: hex128,
  leaf: count,
  closed: fc.boolean(),
  at: seconds,
});
const line = fc.string({ unit: 'grapheme' }).map((text) => canonicalize([text]));
const heads: fc.Arbitrary<Heads> = fc.record({
  origin,
  leaves: count,
  docs: fc.array(line, { maxLength: 3 }),
  rules: fc.array(line, { maxLength: 3 }),
  streams: fc
    .uniqueArray(state, { maxLength: 6, selector: ({ stream }) => stream })
    .map((states) => states.toSorted((a, b) => (a.stream < b.stream ? -1 : 1))),
});

const BYTES = encodeHeads(HEADS);
const LINES = BYTES.toString('utf8').split('\n');

function expectOneSpelling(bytes: Buffer): void {
  const value = accepted(() => parseHeads(bytes));
  if (value !== undefined) expect(encodeHeads(value).equals(bytes)).toBe(true);
}

describe('a heads file', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(heads, (value) => {
        expect(parseHeads(encodeHeads(value))).toEqual(value);
      }),
    );
  });

  it('is refused when it is cut after any line or byte', () => {
    for (let length = 0; length < BYTES.length; length += 1) {
      expect(refusal(() => parseHeads(BYTES.subarray(0, length)))).toMatch(/^format\//);
    }
  });

  it('is refused with any line left out or doubled, and with streams in another order', () => {
    for (let at = 0; at < LINES.length - 1; at += 1) {
      for (const lines of [LINES.toSpliced(at, 1), LINES.toSpliced(at, 0, LINES[at] as string)]) {
        expect(refusal(() => parseHeads(Buffer.from(lines.join('\n'))))).toMatch(/^format\//);
      }
    }
    const [first, second] = [LINES.at(-4) as string, LINES.at(-3) as string];
    for (const pair of [
      [second, first],
      [first, first],
    ]) {
      const bytes = Buffer.from(LINES.toSpliced(-4, 2, ...pair).join('\n'));
      expect(refusal(() => parseHeads(bytes))).toBe('format/heads');
    }
  });

  it('is refused with any member of its counts or of a stream replaced by a value of another kind', () => {
    for (const at of [1, LINES.length - 2]) {
      for (const text of canonicalMutants(JSON.parse(LINES[at] as string) as Json)) {
        expectOneSpelling(Buffer.from(LINES.with(at, text).join('\n')));
      }
    }
  });

  it.each(['stream', 'id', 'acct', 'key', 'at'])(
    'is refused with anything before or behind the %s of a stream',
    (name) => {
      const last = JSON.parse(LINES.at(-2) as string) as { readonly [key: string]: string };
      for (const value of [`0${last[name] as string}`, `${last[name] as string}0`, (last[name] as string).slice(1)]) {
        const text = canonicalize({ ...last, [name]: value });
        expect(refusal(() => parseHeads(Buffer.from(LINES.with(-2, text).join('\n'))))).toBe('format/heads');
      }
    },
  );

  it('is refused if it is not UTF-8', () => {
    const at = BYTES.indexOf('archive.example');
    const bytes = Buffer.from(BYTES);
    bytes[at] = 0xff;
    expect(refusal(() => parseHeads(bytes))).toBe('format/heads');
    expect(refusal(() => parseHeads(Buffer.concat([Buffer.from('\ufeff'), BYTES])))).toBe('format/heads');
  });

  it('is refused with FormatError and nothing else, and has one spelling', () => {
    for (const text of HOSTILE_TEXTS) {
      expect(refusal(() => parseHeads(Buffer.from(text)))).toBe('format/heads');
      refusal(() => parseHeads(Buffer.from(`${LINES[0] as string}\n${text}\n`)));
      refusal(() => parseHeads(Buffer.from(LINES.with(-2, text).join('\n'))));
    }
    fc.assert(fc.property(hostileBytes(BYTES), expectOneSpelling), { numRuns: 2000 });
  });
});

describe('the root of heads', () => {
  it('is the RFC 6962 root over `stream seq id`', () => {
    fc.assert(
      fc.property(heads, ({ streams }) => {
        const leaves = streams.map(({ stream, seq, id }) => referenceLeaf(Buffer.from(`${stream} ${seq} ${id}\n`)));
        expect(headsRoot(streams)).toEqual(referenceRoot(leaves));
        expect(headsRootHex(streams)).toBe(referenceRoot(leaves).toString('hex'));
      }),
    );
  });
});
