// SPDX-License-Identifier: AGPL-3.0-or-later

import { canonicalize, type Json } from '../../src/record/canonical.ts';
import type { Approval, DispositionEntry, KeyEntry, RetentionEntry, StoreEntry } from '../../src/record/entry-types.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { signBytes } from '../../src/record/key.ts';
import { manifestHash, openManifest, signManifest, type Manifest } from '../../src/record/manifest.ts';
import { LONG_CLASS, MANIFEST } from '../support/archive-fixture.ts';
import { ORIGIN, ROOT, signingPair, type SigningPair } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import type { Draft, DraftSegment } from '../verify/relog.ts';
import type { DraftRow } from './row.ts';

export const STRANGER = signingPair('stranger');
export const FIRST: Manifest = openManifest(MANIFEST, ROOT.key, ORIGIN);
const AT = { v: 1, at: '2026-11-22T13:00:00Z', log: ORIGIN } as const;

/** Logs another manifest in the n-th segment. */
export function addManifest(draft: Draft, change: Partial<Manifest>, entry: Partial<KeyEntry> = {}, n = -1): void {
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
export function dispose(
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

export const everything = (archive: MemoryArchive): string => {
  return canonicalize({ objects: archive.keys().filter((key) => /\/pack\/|^media\//.test(key)) });
};

export const KEYS: readonly DraftRow[] = [
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

export const RULES: readonly DraftRow[] = [
  ['no store entry', (draft) => void draft.segments[0]?.own.splice(1, 1), ['verify/store-unstated']],
  [
    'a store of another kind',
    (draft) =>
      void draft.segments
        .at(-1)
        ?.own.push({ ...ownOf<StoreEntry>(draft, 'store'), kind: 's3', create: 'if-none-match' }),
    ['verify/store-unlocked', 'verify/store-changed'],
  ],
  ...(['P3Y', 'P6Y11M'] as const).map((period): DraftRow => {
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
