// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkBundle } from '../../src/prove/check.ts';
import { derive } from '../../src/prove/derive.ts';
import { CORE_NAMES, type Files } from '../../src/prove/files.ts';
import { BUNDLE_CATALOGUE, type BundleCode } from '../../src/prove/findings.ts';
import { parsePolicy } from '../../src/record/policy.ts';
import { parseTrust } from '../../src/record/trust.ts';
import { canonicalize } from '../../src/record/canonical.ts';
import { encodeVerifierKey, noteKey } from '../../src/record/note.ts';
import { cosignerKey, encodeCosignerKey } from '../../src/record/cosignature.ts';
import { temporaryFolder, TRUST } from '../support/archive-fixture.ts';
import { LOG, ORIGIN, ROOT, signingPair } from '../vectors/keys.ts';
import { bundleOf, madeArchive, middleLeaf, recordsOf } from './subject.ts';

const STRANGER = signingPair('stranger');
/** Seeds of runs that once found something, and of those that everybody runs. */
const SEEDS = [1, 20_261_122] as const;
const RUNS = 400;

type Change = (files: Map<string, Buffer>, other: Files) => void;

const swap =
  (...names: readonly string[]): Change =>
  (files, other) => {
    for (const name of names) files.set(name, other.get(name) ?? Buffer.alloc(0));
  };
const edit =
  (name: string, change: (text: string) => string): Change =>
  (files) =>
    void files.set(name, Buffer.from(change(files.get(name)?.toString('latin1') ?? ''), 'latin1'));

const trustOf = (root: typeof ROOT, log: typeof LOG): string =>
  `${canonicalize({ log: encodeVerifierKey(noteKey(ORIGIN, log.key)), origin: ORIGIN, root: root.key.raw.toString('base64'), v: 1 })}\n`;

/** What is changed, by whom it could be believed, and what must be said of it. Files that follow from others are made anew. */
const FORGED: readonly (readonly [string, Change, readonly BundleCode[]])[] = [
  [
    'another record',
    swap('record.json'),
    [
      'proof/record-proof',
      'proof/batch-record',
      'proof/neighbour-link',
      'proof/neighbour-link',
      'proof/seal',
      'proof/content',
    ],
  ],
  [
    'another record with its proof',
    swap('record.json', 'record.tlog-proof'),
    [
      'proof/batch-record',
      'proof/neighbour-link',
      'proof/neighbour-link',
      'proof/neighbour-proof',
      'proof/seal',
      'proof/content',
    ],
  ],
  ['another record’s proof', swap('record.tlog-proof'), ['proof/record-proof']],
  [
    'a proof at another leaf',
    edit('record.tlog-proof', (text) => text.replace(/index \d+/, 'index 3')),
    ['proof/record-proof'],
  ],
  [
    'a proof without its last hash',
    edit('record.tlog-proof', (text) => text.replace(/[^\n]+\n\n/, '\n')),
    ['proof/record-proof'],
  ],
  ['a batch of others', swap('batch.json'), ['proof/batch-record']],
  [
    'a batch with another number',
    edit('batch.json', (text) => text.replace(/"gen":\d+/, '"gen":9')),
    ['proof/batch-signature'],
  ],
  [
    'records left out behind it',
    edit('after.txt', (text) => text.split('\n').slice(1).join('\n')),
    ['proof/batch-record'],
  ],
  [
    'the end of the batch cut',
    edit('after.txt', (text) => text.trimEnd().split('\n').slice(0, -1).join('\n')),
    ['proof/batch-record'],
  ],
  [
    'another record before it',
    swap('previous.json', 'previous.tlog-proof'),
    ['proof/neighbour-link', 'proof/neighbour-proof'],
  ],
  ['another record behind it', swap('next.json', 'next.tlog-proof'), ['proof/neighbour-link']],
  ['a neighbour without its proof', (files) => void files.delete('next.tlog-proof'), ['proof/file-missing']],
  ['a neighbour that is not in the log', swap('next.tlog-proof'), ['proof/neighbour-proof']],
  [
    'a stream that stands elsewhere',
    edit('seal-stream.json', (text) => text.replace(/"seq":\d+/, '"seq":99')),
    ['proof/seal'],
  ],
  [
    'heads with another root',
    edit('seal.json', (text) => text.replace(/"root":"../, '"root":"00')),
    ['proof/seal', 'proof/seal'],
  ],
  ['other content', edit('disclosed/view.part', (text) => `${text.slice(0, -2)}X}`), ['proof/content']],
  ['another salt', edit('disclosed/view.part', (text) => `${text[0]}X${text.slice(2)}`), ['proof/content']],
  ['other commitments', edit('disclosed/commitments', (text) => `${text.slice(0, -1)}X`), ['proof/content']],
  ['content without its commitments', (files) => void files.delete('disclosed/commitments'), ['proof/file-missing']],
  [
    'a manifest with another word',
    edit('manifest.json', (text) => text.replace('"evaluation":true', '"evaluation":false')),
    ['proof/manifest'],
  ],
  ['no manifest', (files) => void files.delete('manifest.json'), ['proof/file-missing']],
  ['a record that is none', edit('record.json', () => '{}'), ['proof/file-malformed']],
  ['a policy that is none', edit('policy.txt', () => 'anything goes\n'), ['proof/file-malformed']],
  ['a trust file that is none', edit('trust.json', () => '[]'), ['proof/file-malformed']],
  ['another root', edit('trust.json', () => trustOf(STRANGER, LOG)), ['proof/trust-other']],
  ['another log key', edit('trust.json', () => trustOf(ROOT, STRANGER)), ['proof/trust-other', 'proof/trust-other']],
  [
    'a policy of another log',
    edit('policy.txt', () => `log ${encodeVerifierKey(noteKey(ORIGIN, STRANGER.key))}\nquorum none\n`),
    ['proof/trust-other', 'proof/record-proof', 'proof/neighbour-proof', 'proof/neighbour-proof', 'proof/seal'],
  ],
];

describe('a bundle that was changed', () => {
  let folder: { path: string } & AsyncDisposable;
  let good: Files;
  /** Of another record of the same stream. */
  let other: Files;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const archive = await madeArchive(folder.path);
    const leaf = await middleLeaf(archive);
    const records = await recordsOf(archive);
    const { entry } = records.find((record) => record.leaf === leaf) ?? {};
    const [far] = records.filter((record) => record.entry.stream === entry?.stream && record.entry.seq > 7);
    good = await bundleOf(archive, leaf, ['view']);
    other = await bundleOf(archive, far?.leaf ?? -1);
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  /** Changes core files, and makes what follows from them where that can be made: a forger would. */
  function forged(change: Change): Map<string, Buffer> {
    const files = new Map([...good].filter(([name]) => CORE_NAMES.has(name)));
    change(files, other);
    try {
      return new Map([...files, ...derive(files)]);
    } catch {
      return files;
    }
  }

  test('is not changed here: it holds', () => {
    expect(checkBundle(good, { trust: TRUST }).findings).toEqual([]);
    expect(
      checkBundle(
        forged(() => undefined),
        { trust: TRUST },
      ).findings,
    ).toEqual([]);
  });

  test.each(FORGED)('and made anew with %s is told by its code', (_name, change, codes) => {
    const { findings, proven } = checkBundle(forged(change), { trust: TRUST });
    expect(findings.map(({ code }) => code)).toEqual(codes);
    if (codes.includes('proof/record-proof')) expect(proven).toBeNull();
  });

  test('in what follows from other files is told as well', () => {
    for (const name of ['README.txt', 'check.html', 'bundle.json', 'by-hand/path.txt', 'disclosed/view.json']) {
      const files = new Map(good);
      files.set(name, Buffer.concat([files.get(name) ?? Buffer.alloc(0), Buffer.from('\n')]));
      expect(checkBundle(files).findings).toMatchObject([{ code: 'proof/file-derived', file: name }]);
      files.delete(name);
      expect(checkBundle(files).findings).toMatchObject([{ code: 'proof/file-missing', file: name }]);
    }
    const more = new Map([...good, ['disclosed/notes.txt', Buffer.from('x')]]);
    expect(checkBundle(more).findings).toMatchObject([{ code: 'proof/file-unknown', file: 'disclosed/notes.txt' }]);
  });

  test('without the cosignatures that the verifier’s policy asks for proves nothing', () => {
    const witness = encodeCosignerKey(cosignerKey('witness.example', STRANGER.key));
    const text = `log ${encodeVerifierKey(TRUST.log)}\nwitness one ${witness}\nquorum one\n`;
    const { findings, proven } = checkBundle(good, { trust: TRUST, policy: parsePolicy(text) });
    expect(proven).toBeNull();
    expect(findings[0]).toMatchObject({ code: 'proof/record-proof', file: 'record.tlog-proof' });
  });

  test('for a trust file that one was given says what differs; with its own it holds', () => {
    const given = parseTrust(trustOf(STRANGER, STRANGER));
    expect(checkBundle(good, { trust: given }).findings[0]).toMatchObject({ code: 'proof/trust-other' });
    expect(checkBundle(good)).toMatchObject({ findings: [], trustGiven: false });
  });

  test('anywhere, by any byte, gives a code and never an exception', () => {
    const names = [...good.keys()];
    const mutation = fc.record({
      name: fc.constantFrom(...names),
      at: fc.nat(),
      kind: fc.constantFrom('flip', 'cut', 'insert', 'drop', 'repeat', 'empty', 'swap'),
      byte: fc.integer({ min: 1, max: 255 }),
    });
    for (const seed of SEEDS) {
      fc.assert(
        fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
          const files = new Map(good);
          for (const { name, at, kind, byte } of mutations)
            files.set(name, mutated(files.get(name) as Buffer, at, kind, byte, other.get(name)));
          const isChanged = names.some((name) => !(files.get(name) as Buffer).equals(good.get(name) as Buffer));
          const { findings } = checkBundle(files, { trust: TRUST });
          expect(findings.length > 0).toBe(isChanged);
          expect(findings.every(({ code }) => code in BUNDLE_CATALOGUE)).toBe(true);
        }),
        { seed, numRuns: RUNS },
      );
    }
  });

  test('to no files, or to others altogether, gives codes', () => {
    expect(checkBundle(new Map()).findings.every(({ code }) => code === 'proof/file-missing')).toBe(true);
    const noise = fc.dictionary(fc.constantFrom(...CORE_NAMES), fc.uint8Array({ maxLength: 300 }));
    fc.assert(
      fc.property(noise, (made) => {
        const files = new Map([
          ...good,
          ...Object.entries(made).map(([name, bytes]) => [name, Buffer.from(bytes)] as const),
        ]);
        expect(checkBundle(files).findings.length > 0).toBe(Object.keys(made).length > 0);
      }),
      { seed: SEEDS[0], numRuns: RUNS },
    );
  });
});

function mutated(bytes: Buffer, at: number, kind: string, byte: number, other: Buffer | undefined): Buffer {
  const place = bytes.length === 0 ? 0 : at % bytes.length;
  const [before, behind] = [bytes.subarray(0, place), bytes.subarray(place)];
  switch (kind) {
    case 'flip':
      return Buffer.concat([before, Buffer.of((bytes[place] ?? 0) ^ byte), behind.subarray(1)]);
    case 'cut':
      return Buffer.from(before);
    case 'insert':
      return Buffer.concat([before, Buffer.of(byte), behind]);
    case 'drop':
      return Buffer.concat([before, behind.subarray(1 + (byte % 20))]);
    case 'repeat':
      return Buffer.concat([before, behind, behind]);
    case 'swap':
      return other ?? bytes;
    default:
      return Buffer.alloc(0);
  }
}
