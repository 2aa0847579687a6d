// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { signCheckpoint, type Checkpoint } from '../../src/record/checkpoint.ts';
import { noteKey } from '../../src/record/note.ts';
import { encodeReceipt, parseReceipt, verifyReceipt, type Receipt } from '../../src/record/receipt.ts';
import { ARCHIVER, LOG, ORIGIN } from '../vectors/keys.ts';
import { LOG_NOTE_KEY } from '../vectors/log-vectors.ts';
import { SmallLog } from '../vectors/small-log.ts';
import { canonicalMutants, HOSTILE_TEXTS, hostileText } from './hostile.ts';
import { someLeaves } from './reference-tree.ts';
import { accepted, refusal } from './refusal.ts';

const log = new SmallLog(someLeaves(40));
/** The same log up to leaf 12, and another from there on. */
const fork = new SmallLog([...log.leaves.slice(0, 12), ...someLeaves(60).slice(45)]);
const RECEIPT = log.receipt(7, [2, 12, 39]);
const TEXT = encodeReceipt(RECEIPT);

const verdict = (receipt: Receipt, last: Checkpoint | null): string | null =>
  refusal(() => verifyReceipt(receipt, LOG_NOTE_KEY, last));
const flip = (hash: Buffer): Buffer => Buffer.from(hash.map((byte, at) => (at === 5 ? byte ^ 4 : byte)));

describe('a receipt', () => {
  it('is read as it was written', () => {
    expect(parseReceipt(TEXT)).toEqual(RECEIPT);
    expect(canonicalize(JSON.parse(TEXT) as Json)).toBe(TEXT);
  });

  it('proves any leaves of any size since any size before', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.nat({ max: 39 }), { maxLength: 4 }),
        (a, b, wanted) => {
          const [since, size] = [Math.min(a, b), Math.max(a, b)];
          const receipt = log.receipt(
            since,
            wanted.filter((leaf) => leaf < size),
            size,
          );
          const last = since === 0 ? null : log.checkpoint(since);
          expect(verifyReceipt(parseReceipt(encodeReceipt(receipt)), LOG_NOTE_KEY, last)).toEqual(log.checkpoint(size));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('needs no consistency where nothing was accepted before, or nothing but the empty log', () => {
    expect(verdict({ ...RECEIPT, since: 0, consistency: [] }, null)).toBeNull();
    expect(verdict({ ...RECEIPT, since: 0, consistency: [] }, log.checkpoint(0))).toBeNull();
  });

  it('with the checkpoint accepted before is accepted again', () => {
    expect(verifyReceipt(RECEIPT, LOG_NOTE_KEY, log.checkpoint())).toEqual(log.checkpoint());
    expect(verdict(log.receipt(40, [1]), log.checkpoint(40))).toBeNull();
  });
});

describe('a receipt is refused', () => {
  it('since another size than the last accepted', () => {
    for (const size of [1, 6, 8, 39]) expect(verdict(RECEIPT, log.checkpoint(size))).toBe('format/receipt');
  });

  it('if it claims another start for its proof', () => {
    for (const since of [0, 6, 8, 40]) expect(verdict({ ...RECEIPT, since }, log.checkpoint(7))).toBe('format/receipt');
  });

  it('of a log that forked before or behind the last accepted size', () => {
    expect(verdict(fork.receipt(20, [2]), log.checkpoint(20))).toBe('format/root');
    expect(verdict(fork.receipt(12, [2]), log.checkpoint(12))).toBeNull();
    expect(verdict(fork.receipt(13, [2]), log.checkpoint(13))).toBe('format/root');
  });

  it('of the same size with another root', () => {
    expect(verdict(fork.receipt(20, [2], 20), log.checkpoint(20))).toBe('format/root');
  });

  it('of a log that became smaller', () => {
    const small = log.receipt(0, [2], 10);
    for (const since of [0, 10, 20])
      expect(verdict({ ...small, since }, log.checkpoint(20))).toMatch(/^format\/(receipt|proof)$/);
    expect(verdict({ ...small, since: 20, consistency: log.tree.consistencyProof(10, 20) }, log.checkpoint(20))).toBe(
      'format/proof',
    );
  });

  it('by another key, by the key under another name, and for another log', () => {
    const signed = (checkpoint: string): Receipt => ({ ...RECEIPT, checkpoint });
    expect(verdict(signed(signCheckpoint(log.checkpoint(), ARCHIVER.privateKey)), null)).toBe('format/note-signature');
    const other = signCheckpoint({ ...log.checkpoint(), origin: 'archive.example/other' }, LOG.privateKey);
    expect(verdict(signed(other), null)).toBe('format/note-signature');
    expect(refusal(() => verifyReceipt(RECEIPT, noteKey(ORIGIN, ARCHIVER.key), null))).toBe('format/note-signature');
    expect(refusal(() => verifyReceipt(RECEIPT, noteKey('archive.example/other', LOG.key), null))).toBe(
      'format/note-signature',
    );
  });

  it('with any hash of any proof changed, left out, doubled or added', () => {
    const proofs = [
      ...[0, 1, 2].map((item) => ({
        hashes: RECEIPT.items[item]?.inclusion as Buffer[],
        receipt: (inclusion: readonly Buffer[]): Receipt => ({
          ...RECEIPT,
          items: RECEIPT.items.map((value, at) => (at === item ? { ...value, inclusion } : value)),
        }),
      })),
      {
        hashes: RECEIPT.consistency as Buffer[],
        receipt: (consistency: readonly Buffer[]): Receipt => ({ ...RECEIPT, consistency }),
      },
    ];
    for (const { hashes, receipt } of proofs) {
      expect(hashes.length > 2).toBe(true);
      expect(verdict(receipt(hashes), log.checkpoint(7))).toBeNull();
      hashes.forEach((hash, at) => {
        const others = [
          hashes.with(at, flip(hash)),
          hashes.toSpliced(at, 1),
          hashes.toSpliced(at, 0, hash),
          hashes.with(at, hash.subarray(1)),
        ];
        for (const other of others)
          expect(verdict(receipt(other), log.checkpoint(7))).toMatch(/^format\/(proof|root)$/);
      });
      expect(verdict(receipt([...hashes, flip(hashes[0] as Buffer)]), log.checkpoint(7))).toBe('format/proof');
      expect(verdict(receipt([]), log.checkpoint(7))).toBe('format/proof');
    }
  });

  it('with another id or leaf, for each of its items', () => {
    RECEIPT.items.forEach((item, at) => {
      const swap = (change: object): Receipt => ({ ...RECEIPT, items: RECEIPT.items.with(at, { ...item, ...change }) });
      expect(verdict(swap({ id: '0'.repeat(64) }), null)).toBe('format/root');
      expect(verdict(swap({ leaf: item.leaf ^ 1 }), null)).toMatch(/^format\/(proof|root)$/);
      expect(verdict(swap({ leaf: 40 }), null)).toBe('format/proof');
    });
  });

  it('with ids that are longer or shorter, numbers that count nothing, or hashes that are no text', () => {
    const [item] = (JSON.parse(TEXT) as { items: [Readonly<Record<string, Json>>] }).items;
    const others: Readonly<Record<string, Json>>[] = [
      ...['stream', 'id'].flatMap((name) => {
        const value = item[name] as string;
        return [`${value}0`, `0${value}`, value.slice(1), value.toUpperCase().replace('0', 'A'), [value]].map(
          (other) => ({ [name]: other }),
        );
      }),
      ...['seq', 'leaf'].flatMap((name) => [-1, 0.5, 2 ** 53, '1', null].map((other) => ({ [name]: other }))),
      ...[[1234], [null], [['AAAA']], [{ toString: 1 }], 'AAAA', null].map((other) => ({ inclusion: other })),
    ];
    for (const change of others) {
      const text = canonicalize({ ...(JSON.parse(TEXT) as object), items: [{ ...item, ...change }] } as Json);
      expect(
        refusal(() => parseReceipt(text)),
        JSON.stringify(change),
      ).toBe('format/receipt');
    }
    for (const since of [-1, 0.5, 2 ** 53, '7', null]) {
      expect(refusal(() => parseReceipt(canonicalize({ ...(JSON.parse(TEXT) as object), since } as Json)))).toBe(
        'format/receipt',
      );
    }
  });

  it('if its text is not the only one', () => {
    const bad = [
      ` ${TEXT}`,
      TEXT.replace('"since":7', '"since":7,"since":7'),
      TEXT.replace('"since":7', '"since":7.0'),
      TEXT.replace('{"checkpoint"', '{"a":1,"checkpoint"'),
      TEXT.replace('holdfast receipt v1', 'holdfast receipt v2'),
      TEXT.replace('="', '"'),
    ];
    for (const text of bad) expect(refusal(() => parseReceipt(text))).toMatch(/^format\//);
  });

  it('with FormatError and nothing else, whatever the text', () => {
    for (const text of HOSTILE_TEXTS) expect(refusal(() => parseReceipt(text))).toMatch(/^format\//);
    const small = encodeReceipt({
      ...RECEIPT,
      items: RECEIPT.items.slice(0, 1),
      consistency: RECEIPT.consistency.slice(0, 1),
    });
    const expectOneSpelling = (text: string): void => {
      const receipt = accepted(() => parseReceipt(text));
      if (receipt === undefined) return;
      expect(encodeReceipt(receipt)).toBe(text);
      for (const last of [null, log.checkpoint(7)]) refusal(() => verifyReceipt(receipt, LOG_NOTE_KEY, last));
    };
    for (const text of canonicalMutants(JSON.parse(small) as Json)) expectOneSpelling(text);
    fc.assert(fc.property(hostileText(small), expectOneSpelling), { numRuns: 1500 });
  });
});

describe('what a receipt does not prove', () => {
  it('is the stream and seq it names: whoever takes it must look up the id it holds for them', () => {
    const claimed = { ...RECEIPT, items: RECEIPT.items.map((item) => ({ ...item, stream: 'f'.repeat(32), seq: 999 })) };
    expect(verdict(claimed, log.checkpoint(7))).toBeNull();
  });
});
