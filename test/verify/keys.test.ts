// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import type { Approval, DispositionEntry, KeyEntry, RetentionEntry, StoreEntry } from '../../src/record/entry-types.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { signBytes } from '../../src/record/key.ts';
import { manifestHash, openManifest, signManifest, type Manifest } from '../../src/record/manifest.ts';
import type { FindingCode } from '../../src/verify/findings.ts';
import { LONG_CLASS, MANIFEST, OFFICER } from '../support/archive-fixture.ts';
import { ARCHIVER, CONNECTOR, ORIGIN, recipientPair, ROOT, signingPair, type SigningPair } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { relog, type Draft, type DraftSegment } from './relog.ts';
import { codesAfter, codesOf, notesOf, smallArchive, verify } from './subject.ts';

type Row = readonly [string, (draft: Draft) => void, readonly FindingCode[]];

const STRANGER = signingPair('stranger');
const FIRST: Manifest = openManifest(MANIFEST, ROOT.key, ORIGIN);
const AT = { v: 1, at: '2026-11-22T13:00:00Z', log: ORIGIN } as const;

/** Logs another manifest in the n-th segment. */
function addManifest(draft: Draft, change: Partial<Manifest>, entry: Partial<KeyEntry> = {}, n = -1): void {
  const next = { ...FIRST, n: 1, previous: manifestHash(MANIFEST), ...change };
  const document = signManifest(next, ROOT.privateKey);
  const segment = draft.segments.at(n) as DraftSegment;
  segment.docs.push(document);
  segment.own.push({ ...AT, t: 'key', kind: 'manifest', n: next.n, doc: manifestHash(document), ...entry });
}

function replaceManifest(draft: Draft, document: string): void {
  const [genesis] = draft.segments as [DraftSegment];
  genesis.docs = [document];
  Object.assign(genesis.own[0] as KeyEntry, { doc: sha256Hex(document) });
}

function ownOf<T extends StoreEntry | RetentionEntry>(draft: Draft, t: T['t']): T {
  return draft.segments[0]?.own.find((entry) => entry.t === t) as T;
}

/** Logs a disposition of everything in the document, approved by these. */
function dispose(
  draft: Draft,
  document: string,
  officers: readonly SigningPair[],
  change: Partial<DispositionEntry> = {},
): void {
  const segment = draft.segments.at(-1) as DraftSegment;
  const objects = { h: sha256Hex(document), n: Buffer.byteLength(document) };
  const signed = { ...AT, t: 'disposition' as const, authority: 'GRS 6.1 item 011', objects };
  const text = canonicalize(signed as unknown as Json);
  const inOrder = officers.toSorted((a, b) => (a.key.id < b.key.id ? -1 : 1));
  const by = inOrder.map(({ key, privateKey }): Approval => {
    return { key: key.id, sig: signBytes(privateKey, text).toString('base64') };
  });
  segment.docs.push(document);
  segment.own.push({ ...signed, by, ...change });
}

const everything = (archive: MemoryArchive): string => {
  return canonicalize({ objects: archive.keys().filter((key) => /\/pack\/|^media\//.test(key)) });
};

const KEYS: readonly Row[] = [
  [
    'a log that does not begin with a manifest',
    (draft) => void draft.segments[0]?.own.reverse(),
    ['verify/manifest-none'],
  ],
  [
    'a manifest by another root',
    (draft) => replaceManifest(draft, signManifest(FIRST, STRANGER.privateKey)),
    ['verify/segment-signer', 'verify/manifest-none', 'verify/manifest-signature', 'verify/heads-rules'],
  ],
  [
    'a manifest of another log',
    (draft) => replaceManifest(draft, signManifest({ ...FIRST, origin: 'other.example/log' }, ROOT.privateKey)),
    ['verify/segment-signer', 'verify/manifest-none', 'verify/manifest-malformed', 'verify/heads-rules'],
  ],
  [
    'a manifest that is none',
    (draft) => replaceManifest(draft, '{}'),
    ['verify/segment-signer', 'verify/manifest-none', 'verify/manifest-malformed', 'verify/heads-rules'],
  ],
  [
    'a manifest whose document is not there',
    (draft) => void draft.segments[0]?.docs.pop(),
    ['verify/segment-signer', 'verify/manifest-none', 'verify/manifest-document-missing'],
  ],
  ['a manifest that skips one', (draft) => addManifest(draft, { n: 2 }), ['verify/manifest-order']],
  ['a manifest behind another', (draft) => addManifest(draft, { previous: '0'.repeat(64) }), ['verify/manifest-order']],
  ['a manifest under another number', (draft) => addManifest(draft, {}, { n: 7 }), ['verify/manifest-order']],
  [
    'a manifest that is logged twice',
    (draft) => addManifest(draft, { n: 0, previous: null }),
    ['verify/manifest-order'],
  ],
  [
    'an archiver that the manifest in force dismissed',
    (draft) => addManifest(draft, { signers: FIRST.signers.filter(({ role }) => role !== 'archiver') }),
    ['verify/segment-signer'],
  ],
  [
    'a key of a kind that the format does not have',
    (draft) => addManifest(draft, {}, { kind: 'log' as never }),
    ['verify/entry-malformed'],
  ],
  ['a manifest that follows the first', (draft) => addManifest(draft, {}), []],
];

const RULES: readonly Row[] = [
  ['no store entry', (draft) => void draft.segments[0]?.own.splice(1, 1), ['verify/store-unstated']],
  [
    'a store of another kind',
    (draft) =>
      void draft.segments
        .at(-1)
        ?.own.push({ ...ownOf<StoreEntry>(draft, 'store'), kind: 's3', create: 'if-none-match' }),
    ['verify/store-unlocked', 'verify/store-changed'],
  ],
  ...(['P3Y', 'P6Y11M'] as const).map((period): Row => {
    const shorter = (draft: Draft): void => {
      draft.segments.at(-1)?.own.push({ ...ownOf<RetentionEntry>(draft, 'retention'), period });
    };
    return [`a schedule shortened to ${period}`, shorter, ['verify/retention-shortened']];
  }),
  [
    'a schedule whose cap goes below its period',
    (draft) => void draft.segments.at(-1)?.own.push({ ...ownOf<RetentionEntry>(draft, 'retention'), max: 'P1Y' }),
    ['verify/retention-shortened'],
  ],
  [
    'a schedule with a weaker lock',
    (draft) =>
      void draft.segments.at(-1)?.own.push({ ...ownOf<RetentionEntry>(draft, 'retention'), mode: 'GOVERNANCE' }),
    ['verify/retention-weakened'],
  ],
  [
    'a schedule that is lengthened',
    (draft) => void draft.segments.at(-1)?.own.push({ ...ownOf<RetentionEntry>(draft, 'retention'), period: 'P9Y' }),
    [],
  ],
  [
    'a pack taken over from one that the log does not name',
    (draft) => {
      const repack = { ...AT, t: 'repack' as const, h: '1'.repeat(64), n: 1, from: '2'.repeat(64) };
      draft.segments.at(-1)?.own.push({ ...repack, leaves: [[5, 1]], ret: LONG_CLASS, until: '2033-11-22T13:00:00Z' });
    },
    ['verify/pack-missing', 'verify/repack-source'],
  ],
];

describe('keys and rules, written with all keys in hand', () => {
  let archive: MemoryArchive;
  beforeAll(async () => void (archive = await smallArchive()));

  test.each([...KEYS, ...RULES])('judges %s', async (_name, change, codes) => {
    expect(await codesAfter(archive, (copy) => relog(copy, change))).toEqual(codes);
  });

  test('batches of a key are the manifest’s in force where they stand: in its own segment, no more in the next', async () => {
    const signers = FIRST.signers.filter(({ name }) => name !== 'connector');
    const droppedAt = (n: number): Promise<FindingCode[]> =>
      codesAfter(archive, (copy) => relog(copy, (draft) => addManifest(draft, { signers }, {}, n)));
    expect(await droppedAt(0)).toEqual(['verify/batch-retired-signer']);
    expect(await droppedAt(-2)).toEqual(['verify/batch-retired-signer']);
    expect(await droppedAt(-1)).toEqual([]);
  });

  test('records are sealed to earlier recipients for a day at most', async () => {
    const { recipient } = recipientPair('reader', 'another reader');
    const recipients = [recipient, ...FIRST.recipients.filter(({ role }) => role === 'escrow')];
    const since = (at: string): Promise<FindingCode[]> =>
      codesAfter(archive, (copy) => relog(copy, (draft) => addManifest(draft, { recipients }, { at }, 0)));
    expect(await since('2026-11-22T08:00:00Z')).toEqual([]);
    expect(await since('2026-11-21T08:00:00Z')).toEqual(['verify/epoch-recipients-retired']);
  });

  test('a role is what the manifest in force says it is: a reader’s key signs no messages', async () => {
    const signers = FIRST.signers.map((signer) =>
      signer.name === 'connector' ? { ...signer, role: 'reader' as const } : signer,
    );
    const codes = await codesAfter(archive, (copy) => relog(copy, (draft) => addManifest(draft, { signers }, {}, 0)));
    expect(codes).toEqual(['verify/batch-role']);
  });

  test('an approved disposition explains what is gone', async () => {
    const copy = archive.clone();
    relog(copy, (draft) => dispose(draft, everything(copy), [OFFICER]));
    for (const key of copy
      .keys()
      .filter((name) => name.includes('/pack/'))
      .slice(0, 3))
      copy.remove(key);
    copy.remove(copy.key('media/', 0));
    const report = await verify(copy);
    expect([codesOf(report), notesOf(report)]).toEqual([[], ['verify/pack-disposed', 'verify/object-disposed']]);
    expect(report.notes.map(({ count }) => count)).toEqual([3, 1]);
  });

  test.each<readonly [string, readonly SigningPair[], Partial<DispositionEntry>, readonly FindingCode[]]>([
    ['by an archiver', [ARCHIVER], {}, ['verify/approval-signer']],
    ['by a stranger beside an officer', [OFFICER, STRANGER], {}, ['verify/approval-signer']],
    ['over another authority', [OFFICER], { authority: 'none' }, ['verify/approval-signature']],
    [
      'of another document',
      [OFFICER],
      { objects: { h: '0'.repeat(64), n: 2 } },
      ['verify/approval-signature', 'verify/approval-document'],
    ],
  ])('an approval %s explains nothing', async (_name, officers, change, codes) => {
    const copy = archive.clone();
    relog(copy, (draft) => dispose(draft, everything(copy), officers, change));
    copy.remove(copy.key('/pack/', 0));
    expect(codesOf(await verify(copy))).toEqual(['verify/pack-missing', ...codes]);
  });

  test('an approval counts once: the same entry again is a replay', async () => {
    const change = (copy: MemoryArchive) => (draft: Draft) => {
      dispose(draft, everything(copy), [OFFICER]);
      draft.segments.at(-1)?.own.push(draft.segments.at(-1)?.own.at(-1) as DispositionEntry);
    };
    expect(await codesAfter(archive, (copy) => relog(copy, change(copy)))).toEqual(['verify/approval-replayed']);
  });

  test('a key of the log alone makes no batch, whatever else it may sign', async () => {
    const change = ({ segments }: Draft): void => {
      for (const { batches } of segments) for (const batch of batches) batch.signer = ARCHIVER;
    };
    const codes = await codesAfter(archive, (copy) => relog(copy, change));
    expect(codes).toEqual(['verify/batch-signer', 'verify/batch-stream-key']);
    expect(CONNECTOR.key.id).not.toBe(ARCHIVER.key.id);
  });
});
