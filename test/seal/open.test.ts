// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { encodeEntry } from '../../src/record/entry.ts';
import { createEpoch } from '../../src/seal/epoch.ts';
import { compressAndPad } from '../../src/seal/plaintext.ts';
import { prepareParts, type Prepared } from '../../src/seal/seal.ts';
import { newObjectStub } from '../../src/seal/stub.ts';
import { canonicalMutants } from '../record/hostile.ts';
import { ESCROW, hexOf, READER, STRANGER } from '../vectors/keys.ts';
import { MANIFEST } from '../vectors/log-vectors.ts';
import { objectBytes, sha256 } from '../vectors/primitives.ts';
import { ENTRIES as EXAMPLES } from '../vectors/record-vectors.ts';
import {
  HEADER,
  knownEpoch,
  openerFor,
  PARTS,
  rejection,
  sealPrepared,
  sealRecord,
  type SealedRecord,
} from './sealing.ts';

const RECORD = sealRecord(knownEpoch());
const open = (line: string, body: Buffer): Promise<string | null> => rejection(() => openerFor().open(line, body));

/** The line for another body: what anybody can write, and only the sealer can make open. */
function relabelled(line: string, body: Buffer): string {
  return line.replace(/"body":\{[^}]*\}/, `"body":{"h":"${sha256(body).toString('hex')}","n":${body.length}}`);
}

/** Sealed with all that a sealer has, but other plaintext than its own. */
function sealAnything(padded: Buffer, commitment: Buffer = Buffer.alloc(32)): SealedRecord {
  return sealPrepared(knownEpoch(), { padded, commitment } satisfies Prepared);
}

async function* inPieces(pieces: readonly Buffer[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}

const flip = (bytes: Buffer, bit: number): Buffer => {
  const other = Buffer.from(bytes);
  other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7));
  return other;
};

describe('a sealed record', () => {
  it('opens with each recipient alone, and with nobody else', async () => {
    const epoch = await createEpoch(MANIFEST);
    const { line, body } = sealRecord(epoch);
    for (const holder of [READER, ESCROW]) {
      const { parts, entry } = await openerFor(holder, epoch.text).open(line, body);
      expect(parts).toEqual(PARTS);
      expect(encodeEntry(entry)).toBe(line);
    }
    expect(await rejection(() => openerFor(STRANGER, epoch.text).open(line, body))).toBe('EpochError not-a-recipient');
    const posing = { ...STRANGER, recipient: READER.recipient };
    expect(await rejection(() => openerFor(posing, epoch.text).open(line, body))).toBe('EpochError does-not-open');
  });

  it('comes back whatever its parts are', async () => {
    const bytes = fc.uint8Array({ maxLength: 4000 }).map((value) => Buffer.from(value));
    const opener = openerFor();
    await fc.assert(
      fc.asyncProperty(fc.record({ cap: bytes, view: bytes, raw: bytes }), async (parts) => {
        const { line, body } = sealRecord(knownEpoch(), parts);
        expect((await opener.open(line, body)).parts).toEqual(parts);
      }),
      { numRuns: 40 },
    );
  });

  it('opens in any order, and again', async () => {
    const epoch = knownEpoch();
    const records = Array.from({ length: 12 }, (_, i) =>
      sealRecord(epoch, { ...PARTS, view: Buffer.from(`number ${i}`) }),
    );
    const opener = openerFor();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 11 }), { maxLength: 12 }), async (order) => {
        const opened = await Promise.all(
          order.map((i) => opener.open((records[i] as SealedRecord).line, (records[i] as SealedRecord).body)),
        );
        expect(opened.map(({ parts }) => parts.view.toString())).toEqual(order.map((i) => `number ${i}`));
      }),
      { numRuns: 30 },
    );
  });

  it('does not open in any other place: as another stream, seq, prev, time, class, tag, index or commitment', async () => {
    const header = JSON.parse(RECORD.line) as { [key: string]: Json };
    const changes: { readonly [key: string]: Json }[] = [
      { stream: hexOf('other', 32) },
      { seq: 8 },
      { prev: hexOf('other') },
      { at: '2026-11-22T15:02:04Z' },
      { ret: 'GRS-6.1-012' },
      { tag: hexOf('other', 32) },
      { i: 1 },
      { com: hexOf('other') },
      { obj: [{ h: hexOf('object'), n: 1 }] },
    ];
    for (const change of changes) {
      expect(await open(canonicalize({ ...header, ...change }), RECORD.body), JSON.stringify(change)).toBe(
        'OpenError does-not-open',
      );
    }
    const { tag: _tag, ...untagged } = header;
    const gap = { ...untagged, t: 'gap', cause: 'restart', scope: 'account', state: 'open' };
    expect(await open(canonicalize(gap), RECORD.body)).toBe('OpenError does-not-open');
    expect(await open(canonicalize({ ...header, t: 'access' }), RECORD.body)).toBe('OpenError does-not-open');
  });

  it('does not open with any bit of its line flipped, and says what is wrong', async () => {
    const bytes = Buffer.from(RECORD.line);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const code = await open(flip(bytes, bit).toString('latin1'), RECORD.body);
      expect(code, `bit ${bit}`).toMatch(
        /^(FormatError format\/entry|OpenError (another-body|unknown-epoch|does-not-open))/,
      );
    }
  });

  it('does not open with any bit of its body flipped, whether its line says so or not', async () => {
    for (let bit = 0; bit < RECORD.body.length * 8; bit += 1) {
      const body = flip(RECORD.body, bit);
      if (bit % 16 === 0) expect(await open(RECORD.line, body)).toBe('OpenError another-body');
      expect(await open(relabelled(RECORD.line, body), body), `bit ${bit}`).toBe('OpenError does-not-open');
    }
  });

  it('does not open cut short or longer', async () => {
    const bodies = Array.from({ length: 40 }, (_, length) => RECORD.body.subarray(0, length));
    bodies.push(RECORD.body.subarray(0, -1), RECORD.body.subarray(1), Buffer.concat([RECORD.body, Buffer.of(0)]));
    for (const body of bodies) {
      expect(await open(RECORD.line, body)).toBe('OpenError another-body');
      const code = await open(relabelled(RECORD.line, body), body);
      expect(code).toBe(body.length < 28 ? 'OpenError another-body' : 'OpenError does-not-open');
    }
  });

  it('does not open with the body of another record of its epoch', async () => {
    const epoch = knownEpoch();
    const [first, second] = [sealRecord(epoch), sealRecord(epoch)];
    expect(await open(first.line, second.body)).toBe('OpenError another-body');
    expect(await open(relabelled(first.line, second.body), second.body)).toBe('OpenError does-not-open');
  });

  it('does not open without its epoch, or under another one with the same secret', async () => {
    expect(await rejection(() => openerFor(READER, 'another document').open(RECORD.line, RECORD.body))).toBe(
      'OpenError unknown-epoch',
    );
    const respelled = ` ${knownEpoch().text}`;
    const line = RECORD.line.replace(/"epoch":"[^"]*"/, `"epoch":"${sha256(Buffer.from(respelled)).toString('hex')}"`);
    expect(await rejection(() => openerFor(READER, respelled).open(line, RECORD.body))).toBe('OpenError does-not-open');
  });

  it('of an epoch that was forgotten opens once that is added again; what was added last is remembered', async () => {
    const [old, young] = [await createEpoch(MANIFEST), await createEpoch(MANIFEST)];
    const [first, second] = [sealRecord(old), sealRecord(young)];
    const opener = openerFor(READER, old.text);
    await opener.open(first.line, first.body);
    opener.addEpoch(young.text);
    opener.keepLast(1);
    expect((await opener.open(second.line, second.body)).parts).toEqual(PARTS);
    expect(await rejection(() => opener.open(first.line, first.body))).toBe('OpenError unknown-epoch');
    opener.addEpoch(old.text);
    expect((await opener.open(first.line, first.body)).parts).toEqual(PARTS);
  });

  it('of a malformed line, or with members of other kinds, is refused', async () => {
    for (const line of canonicalMutants(JSON.parse(RECORD.line) as Json)) {
      expect(await open(line, RECORD.body)).toMatch(
        /^(FormatError format\/entry|OpenError (another-body|unknown-epoch|index-too-high|does-not-open))/,
      );
    }
  });

  it('that has no body is said to have none', async () => {
    for (const name of ['close', 'gap', 'pack']) {
      const line = encodeEntry(EXAMPLES[name] as (typeof EXAMPLES)[string]);
      expect(await open(line, Buffer.alloc(0))).toBe('OpenError no-body');
    }
  });

  it('of an index that no sealer reaches is refused before any key is made', async () => {
    const line = RECORD.line.replace('"i":0', '"i":999999999999999');
    expect(await open(line, RECORD.body)).toBe('OpenError index-too-high');
  });
});

describe('a record too long for a body', () => {
  const key = Buffer.alloc(32, 5);
  const { padded, commitment } = prepareParts({ ...PARTS, raw: randomBytes(100_000) });
  const long = Buffer.from(padded);
  const bytes = objectBytes(key, Buffer.concat([long, Buffer.alloc(700)]));
  const object = { h: sha256(bytes).toString('hex'), n: bytes.length };
  const stub = (size: number = long.length, under: Buffer = key): SealedRecord =>
    sealPrepared(
      knownEpoch(),
      { padded: newObjectStub({ key: under, size }), commitment },
      { ...HEADER, obj: [object] },
    );
  const reads =
    (content: Buffer, asked: string[] = []) =>
    (hash: string): AsyncGenerator<Uint8Array> => {
      asked.push(hash);
      return inPieces([content.subarray(0, 9999), content.subarray(9999)]);
    };
  const openLong = ({ line, body }: SealedRecord, content: Buffer): Promise<string | null> =>
    rejection(() => openerFor().open(line, body, reads(content)));

  it('opens from the object its header names, without what the object is padded with', async () => {
    const asked: string[] = [];
    const { line, body } = stub();
    const { parts } = await openerFor().open(line, body, reads(bytes, asked));
    expect([parts.cap, parts.view]).toEqual([PARTS.cap, PARTS.view]);
    expect(parts.raw).toHaveLength(100_000);
    expect(asked).toEqual([object.h]);
  });

  it('says that it lies in an object to who cannot fetch one', async () => {
    const { line, body } = stub();
    expect(await open(line, body)).toBe('OpenError in-an-object');
  });

  it('does not open from other bytes, a part of them, or under another key', async () => {
    expect(await openLong(stub(), flip(bytes, 12_345))).toMatch(/Error does-not-open$/);
    expect(await openLong(stub(), bytes.subarray(0, -1))).toMatch(/Error does-not-open$/);
    expect(await openLong(stub(), Buffer.alloc(0))).toMatch(/Error truncated$/);
    expect(await openLong(stub(long.length, Buffer.alloc(32)), bytes)).toMatch(/Error does-not-open$/);
  });

  it('is refused as malformed with another length, and as no record of ours with another commitment', async () => {
    for (const size of [0, 3, 1000, long.length + 701])
      expect(await openLong(stub(size), bytes)).toBe('OpenError malformed-plaintext');
    const other = sealPrepared(
      knownEpoch(),
      { padded: newObjectStub({ key, size: long.length }), commitment: Buffer.alloc(32) },
      { ...HEADER, obj: [object] },
    );
    expect(await openLong(other, bytes)).toBe('OpenError another-commitment');
  });

  it('is refused as malformed if its header names no object', async () => {
    const { line, body } = sealPrepared(knownEpoch(), {
      padded: newObjectStub({ key, size: long.length }),
      commitment,
    });
    expect(await rejection(() => openerFor().open(line, body, reads(bytes)))).toBe('OpenError malformed-plaintext');
  });
});

describe('what a dishonest sealer can seal', () => {
  it('is opened only if it commits to what is in it', async () => {
    const { padded } = prepareParts(PARTS);
    const { commitment } = prepareParts(PARTS);
    const { line, body } = sealAnything(padded, commitment);
    expect(await open(line, body)).toBe('OpenError another-commitment');
  });

  it('is refused as malformed if it is no plaintext of ours, and breaks nothing', async () => {
    const { padded } = prepareParts(PARTS);
    const joinedAndMore = compressAndPad(Buffer.concat([Buffer.alloc(111), Buffer.of(1)]));
    const plaintexts = [
      Buffer.alloc(0),
      Buffer.alloc(3),
      Buffer.alloc(256),
      Buffer.alloc(256, 0xff),
      padded.subarray(0, 60),
      compressAndPad(Buffer.alloc(0)),
      compressAndPad(Buffer.from('no parts')),
      joinedAndMore,
      Buffer.concat([Buffer.of(0, 0, 0, 5), zstdCompressSync(Buffer.from('x'))]),
    ];
    for (const plaintext of plaintexts) {
      const { line, body } = sealAnything(Buffer.from(plaintext));
      const code = await rejection(() => openerFor().open(line, body, () => inPieces([])));
      expect(code).toBe('OpenError malformed-plaintext');
    }
  });

  it('is not inflated beyond 16 MiB', async () => {
    const { line, body } = sealRecord(knownEpoch(), { ...PARTS, raw: Buffer.alloc(200 * 1024 * 1024) });
    expect(body.length).toBeLessThan(65_536);
    expect(await open(line, body)).toBe('OpenError malformed-plaintext');
    const largest = 16 * 1024 * 1024 - 111 - PARTS.cap.length - PARTS.view.length;
    const fits = sealRecord(knownEpoch(), { ...PARTS, raw: Buffer.alloc(largest) });
    expect(await open(fits.line, fits.body)).toBeNull();
  });

  it('opens under one header only, though its bytes be equal', async () => {
    const epoch = knownEpoch();
    const { body } = sealRecord(epoch);
    const other = sealRecord(knownEpoch(), PARTS, { ...HEADER, seq: 8 });
    expect(await open(relabelled(other.line, body), body)).toBe('OpenError does-not-open');
  });
});
