// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseStatement, verifyStatement } from '../../src/record/batch.ts';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { encodeEntry, entryId, parseEntry } from '../../src/record/entry.ts';
import { signBytes } from '../../src/record/key.ts';
import { EMPTY_RANGE, RangeBuilder } from '../../src/record/merkle.ts';
import { encodeSegment, parseSegment, verifyTail, type Segment, type SegmentParts } from '../../src/record/segment.ts';
import { ARCHIVER, CONNECTOR, LOG, ORIGIN } from '../vectors/keys.ts';
import { DOC, nextSegment, segmentParts, SmallLog, smallSegment } from '../vectors/small-log.ts';
import { entry } from './arbitraries.ts';
import { canonicalMutants, HOSTILE_TEXTS, hostileBytes } from './hostile.ts';
import { referenceRoot, someLeaves } from './reference-tree.ts';
import { refusal } from './refusal.ts';

const SMALL = smallSegment();
const NEXT = nextSegment();
const encode = (parts: SegmentParts): Buffer => encodeSegment(parts, ARCHIVER.key, ARCHIVER.privateKey);
const asText = (lines: readonly Buffer[]): string[] => lines.map((line) => line.toString('utf8'));
const linesOf = (bytes: Buffer): string[] => bytes.toString('utf8').split('\n').slice(0, -1);
const bytesOf = (lines: readonly string[]): Buffer => Buffer.from(`${lines.join('\n')}\n`);

/** All that a reader does with a segment's form. */
function read(bytes: Buffer): Segment {
  const segment = parseSegment(bytes);
  verifyTail(segment, ARCHIVER.key);
  for (const line of segment.batches) verifyStatement(parseStatement(line.toString('latin1')), CONNECTOR.key);
  for (const line of segment.entries) parseEntry(line.toString('latin1'));
  return segment;
}

/** The lines with a tail that fits them, signed by the archiver: what a dishonest archiver could write. */
function signed(lines: readonly string[], change: { readonly [key: string]: Json } = {}): Buffer {
  const body = lines.slice(0, -1);
  const { sig: _sig, ...tail } = JSON.parse(lines.at(-1) as string) as { [key: string]: Json };
  const fresh = { ...tail, seg: createHash('sha256').update(bytesOf(body)).digest('hex'), ...change };
  const sig = signBytes(ARCHIVER.privateKey, canonicalize(fresh)).toString('base64');
  return bytesOf([...body, canonicalize({ ...fresh, sig })]);
}

describe('a segment', () => {
  it('is read as it was written, first or later', () => {
    for (const [bytes, size] of [
      [SMALL, 5],
      [NEXT, 10],
    ] as const) {
      const segment = read(bytes);
      const parts = segmentParts();
      expect(segment.head.origin).toBe(ORIGIN);
      expect(segment.head.first).toBe(size - 5);
      expect(segment.tail.size).toBe(size);
      expect(asText(segment.docs)).toEqual([DOC]);
      expect(asText(segment.batches)).toEqual(parts.batches);
      expect(asText(segment.entries)).toEqual(parts.entries);
    }
    const leaves = segmentParts().entries.map((line) => entryId(line));
    expect(read(SMALL).tail.root).toEqual(referenceRoot(leaves));
    expect(read(NEXT).tail.root).toEqual(referenceRoot([...leaves, ...leaves]));
    expect(read(NEXT).head.checkpoint).toBe(new SmallLog(leaves).checkpointNote());
    expect(read(NEXT).head.edge).toEqual(new SmallLog(leaves).tree.range());
  });

  it('holds any entries, after any number of leaves', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 30 }).map((value) => canonicalize([value]));
    fc.assert(
      fc.property(
        fc.nat({ max: 70 }),
        fc.array(entry, { minLength: 1, maxLength: 8 }),
        fc.array(text, { maxLength: 4 }),
        (first, entries, docs) => {
          const leaves = someLeaves(first);
          const before = new RangeBuilder(EMPTY_RANGE);
          for (const leaf of leaves) before.appendLeaf(leaf);
          const lines = entries.map(encodeEntry);
          const bytes = encode({
            ...segmentParts(before.range(), first === 0 ? '' : 'note'),
            docs,
            batches: [],
            entries: lines,
          });
          const segment = parseSegment(bytes);
          verifyTail(segment, ARCHIVER.key);
          expect([asText(segment.docs), asText(segment.entries)]).toEqual([docs, lines]);
          expect(segment.tail.root).toEqual(referenceRoot([...leaves, ...lines.map((line) => entryId(line))]));
          expect(segment.head.edge).toEqual(before.range());
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is the same each time it is written', () => {
    expect(smallSegment()).toEqual(SMALL);
  });

  it('has the hash of all before its tail as digest', () => {
    const body = bytesOf(linesOf(SMALL).slice(0, -1));
    expect(parseSegment(SMALL).digest).toBe(createHash('sha256').update(body).digest('hex'));
  });

  it('is not written with a line end in any line', () => {
    const parts = segmentParts();
    const bad: Partial<SegmentParts>[] = [
      { docs: [`${DOC}\n`] },
      { docs: ['{\n}'] },
      { batches: ['x\ny'] },
      { entries: [`${parts.entries[0] as string}\n${parts.entries[1] as string}`] },
    ];
    for (const change of bad) expect(refusal(() => encode({ ...parts, ...change }))).toBe('format/segment');
  });

  it('is not written without entries: it would take the name of the one behind it', () => {
    expect(refusal(() => encode({ ...segmentParts(), entries: [], batches: [] }))).toBe('format/segment');
  });

  it('is not written with a tree that is none', () => {
    const before = { begin: 0, end: 3, hashes: someLeaves(1) };
    expect(refusal(() => encode({ ...segmentParts(before, 'note') }))).toMatch(/^format\/(proof|segment)$/);
  });
});

describe('a segment is refused', () => {
  it('cut after any line, and after any byte', () => {
    for (const bytes of [SMALL, NEXT]) {
      for (let length = 0; length < bytes.length; length += 1)
        expect(refusal(() => parseSegment(bytes.subarray(0, length)))).not.toBeNull();
    }
  });

  it('with any bit of any byte flipped', () => {
    for (let at = 0; at < SMALL.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const bytes = Buffer.from(SMALL);
        bytes[at] = (bytes[at] as number) ^ (1 << bit);
        expect(
          refusal(() => read(bytes)),
          `byte ${at} bit ${bit}`,
        ).toMatch(/^format\//);
      }
    }
  });

  it('with any line left out, doubled, or in another place', () => {
    const lines = linesOf(SMALL);
    for (let at = 0; at < lines.length; at += 1) {
      const others = [lines.toSpliced(at, 1), lines.toSpliced(at, 0, lines[at] as string), lines.toSpliced(at, 0, '')];
      for (let to = 0; to < lines.length; to += 1)
        if (to !== at) others.push(lines.toSpliced(at, 1).toSpliced(to, 0, lines[at] as string));
      for (const other of others) {
        expect(refusal(() => read(bytesOf(other)))).toMatch(/^format\//);
        // A tail that fits the changed lines helps only who holds the archiver's key; the form still has to be right.
        if (other.at(-1) === lines.at(-1)) refusal(() => read(signed(other)));
      }
    }
  });

  it('without final newline, with a second one, and with carriage returns', () => {
    for (const text of [
      SMALL.toString().slice(0, -1),
      `${SMALL.toString()}\n`,
      SMALL.toString().replaceAll('\n', '\r\n'),
    ]) {
      expect(refusal(() => parseSegment(Buffer.from(text)))).toMatch(/^format\//);
    }
  });

  it('whose tail is by another key, or over anything else', () => {
    const segment = parseSegment(SMALL);
    expect(refusal(() => verifyTail(segment, LOG.key))).toBe('format/segment-signature');
    const byLog = encodeSegment(segmentParts(), ARCHIVER.key, LOG.privateKey);
    expect(refusal(() => verifyTail(parseSegment(byLog), ARCHIVER.key))).toBe('format/segment-signature');
    expect(refusal(() => verifyTail(parseSegment(byLog), LOG.key))).toBe('format/segment-signature');
    expect(refusal(() => verifyTail({ ...segment, digest: '0'.repeat(64) }, ARCHIVER.key))).toBe(
      'format/segment-signature',
    );
    const tails: Partial<Segment['tail']>[] = [
      { at: 'x' },
      { root: someLeaves(1)[0] as Buffer },
      { size: 6 },
      { key: LOG.key.id },
    ];
    for (const change of tails) {
      expect(refusal(() => verifyTail({ ...segment, tail: { ...segment.tail, ...change } }, ARCHIVER.key))).toBe(
        'format/segment-signature',
      );
    }
    expect(refusal(() => verifyTail({ ...segment, head: { ...segment.head, origin: 'x' } }, ARCHIVER.key))).toBe(
      'format/segment-signature',
    );
  });

  it('whose tail does not fit, even if the archiver signed it', () => {
    const lines = linesOf(SMALL);
    expect(refusal(() => read(signed(lines)))).toBeNull();
    const bad: { readonly [key: string]: Json }[] = [
      { size: 6 },
      { origin: 'x' },
      { ctx: 'x' },
      { seg: '0'.repeat(64) },
      { root: 'AAAA' },
      { more: 1 },
    ];
    for (const change of bad)
      expect(
        refusal(() => read(signed(lines, change))),
        JSON.stringify(change),
      ).toBe('format/segment');
  });

  it('with any member of its head or tail replaced by a value of another kind', () => {
    const lines = linesOf(NEXT);
    const head = lines[1] as string;
    for (const mutant of canonicalMutants(JSON.parse(head) as Json)) {
      const bytes = signed(lines.with(1, mutant));
      let segment: Segment | undefined;
      if (refusal(() => (segment = parseSegment(bytes))) === null) {
        // Only text that stays text: the checkpoint, which its own reader checks.
        const other = segment as Segment | undefined;
        expect(typeof other?.head.checkpoint).toBe('string');
        expect(
          canonicalize({ ...(JSON.parse(head) as object), checkpoint: other?.head.checkpoint as string } as Json),
        ).toBe(mutant);
      }
    }
    for (const mutant of canonicalMutants(JSON.parse(lines.at(-1) as string) as Json)) {
      expect(refusal(() => read(bytesOf([...lines.slice(0, -1), mutant])))).toMatch(/^format\//);
    }
  });

  it('with an edge of the wrong length for its first leaf', () => {
    const lines = linesOf(NEXT);
    const head = JSON.parse(lines[1] as string) as { edge: Json[]; first: number };
    const wrong = [
      { ...head, edge: head.edge.slice(1) },
      { ...head, edge: [...head.edge, head.edge[0]] },
      { ...head, first: 4 },
    ];
    for (const other of wrong) {
      expect(refusal(() => parseSegment(signed(lines.with(1, canonicalize(other as Json)))))).toBe('format/segment');
    }
  });

  it('if its head is not UTF-8, even under a tail that fits', () => {
    const lines = NEXT.toString('latin1').split('\n').slice(0, -1);
    const at = (lines[1] as string).indexOf('â');
    const broken = lines.with(1, `${(lines[1] as string).slice(0, at)}\xff${(lines[1] as string).slice(at + 1)}`);
    const body = Buffer.from(`${broken.slice(0, -1).join('\n')}\n`, 'latin1');
    const tail = {
      ...(JSON.parse(broken.at(-1) as string) as object),
      seg: createHash('sha256').update(body).digest('hex'),
    };
    const bytes = Buffer.concat([body, Buffer.from(`${canonicalize(tail as Json)}\n`)]);
    expect(refusal(() => parseSegment(bytes))).toBe('format/segment');
  });

  it('if its head or tail begins with a byte order mark, even under a tail that fits', () => {
    const lines = linesOf(SMALL);
    expect(refusal(() => parseSegment(signed(lines.with(1, `\ufeff${lines[1] as string}`))))).toBe('format/not-json');
    expect(refusal(() => parseSegment(bytesOf(lines.with(-1, `\ufeff${lines.at(-1) as string}`))))).toBe(
      'format/not-json',
    );
  });

  it('with FormatError and nothing else, whatever the bytes', () => {
    const lines = linesOf(SMALL);
    for (const text of HOSTILE_TEXTS) {
      expect(refusal(() => parseSegment(Buffer.from(text)))).toBe('format/segment');
      for (const at of [0, 1, lines.length - 1])
        expect(refusal(() => parseSegment(bytesOf(lines.with(at, text))))).toMatch(/^format\//);
    }
    fc.assert(
      fc.property(hostileBytes(SMALL), (bytes) => {
        if (!bytes.equals(SMALL)) expect(refusal(() => read(bytes))).toMatch(/^format\//);
      }),
      { numRuns: 1500 },
    );
  });

  it('of nothing but line ends, before memory runs out', () => {
    expect(refusal(() => parseSegment(Buffer.alloc(32 * 1024 * 1024, 0x0a)))).toBe('format/too-large');
  });

  it('of over 128 MiB', () => {
    expect(refusal(() => parseSegment(Buffer.alloc(128 * 1024 * 1024 + 1)))).toBe('format/too-large');
  });
});
