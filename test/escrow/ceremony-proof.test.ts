// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { announce, ceremonyLine, outcomeOf, parseCeremony, signCeremony } from '../../src/escrow/ceremony.ts';
import { encodeCeremonyProof, openCeremonyProof, type CeremonyTrust } from '../../src/escrow/ceremony-proof.ts';
import { testEpoch, tryKey } from '../../src/escrow/drill.ts';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { entryId } from '../../src/record/entry.ts';
import type { EscrowEntry } from '../../src/record/entry-types.ts';
import { openManifest } from '../../src/record/manifest.ts';
import { parsePolicy } from '../../src/record/policy.ts';
import { encodeVerifierKey } from '../../src/record/note.ts';
import { cosignerKey, encodeCosignerKey } from '../../src/record/cosignature.ts';
import { MANIFEST, OFFICER, TRUST } from '../support/archive-fixture.ts';
import { ARCHIVER, CONNECTOR, ESCROW, LOG, ORIGIN, READER, ROOT, STRANGER } from '../vectors/keys.ts';
import { announced, codeOfRefusal, NOW_MS } from './kit.ts';

const MANIFESTS = [openManifest(MANIFEST, ROOT.key, ORIGIN)];
const GIVEN: CeremonyTrust = { trust: TRUST, manifests: MANIFESTS, policy: null, nowMs: NOW_MS + 3_600_000 };
const DAY_MS = 86_400_000;

/** Of a log of this entry alone. */
function proven(entry: EscrowEntry, signer = LOG): string {
  const line = ceremonyLine(entry);
  const checkpoint = signCheckpoint({ origin: ORIGIN, size: 1, root: entryId(line) }, signer.privateKey);
  return encodeCeremonyProof(line, { index: 0, hashes: [], checkpoint });
}

const open = (text: string, change: Partial<CeremonyTrust> = {}, act: EscrowEntry['act'] = 'split'): Promise<string> =>
  codeOfRefusal(() => openCeremonyProof(text, act, { ...GIVEN, ...change }));

describe('the proof of a ceremony', () => {
  it('gives the announcement that stands in the log', () => {
    const entry = announced();
    expect(openCeremonyProof(proven(entry), 'split', GIVEN)).toEqual(entry);
  });

  it('is refused for another act, and for an outcome', async () => {
    const entry = announced();
    expect(await open(proven(entry), {}, 'combine')).toBe('escrow/other-ceremony');
    const done = signCeremony(outcomeOf(entry, 'done', NOW_MS), OFFICER.privateKey);
    expect(await open(proven(done))).toBe('escrow/other-ceremony');
  });

  it('is refused where the log does not vouch for it', async () => {
    const entry = announced();
    const other = announced();
    const extra = (text: string): string => /^extra .*$/m.exec(text)?.[0] ?? '';
    expect(await open(proven(entry).replace(extra(proven(entry)), extra(proven(other))))).toBe('escrow/unrecorded');
    expect(await open(proven(entry).replace(/^extra .*\n/m, ''))).toBe('escrow/unrecorded');
    expect(await open(proven(entry, CONNECTOR))).toBe('escrow/unrecorded');
    expect(await open('')).toBe('escrow/unrecorded');
    const cosigner = encodeCosignerKey(cosignerKey('ig.example', CONNECTOR.key));
    const policy = parsePolicy(`log ${encodeVerifierKey(TRUST.log)}\nwitness ig ${cosigner}\nquorum ig\n`);
    expect(await open(proven(entry), { policy })).toBe('escrow/unrecorded');
  });

  it('is refused without two officers, about a stranger’s key, and after a week', async () => {
    const bare = { ...announced(), by: [] };
    const forged = signCeremony(signCeremony(bare, OFFICER.privateKey), ARCHIVER.privateKey);
    expect(await open(proven(forged))).toBe('escrow/unapproved');
    expect(await codeOfRefusal(() => ceremonyLine(signCeremony(bare, OFFICER.privateKey)))).toBe('escrow/unapproved');
    expect(await open(proven(announced({ key: STRANGER.recipient.kid })))).toBe('escrow/other-key');
    const text = proven(announced());
    expect(await open(text, { nowMs: NOW_MS + 8 * DAY_MS })).toBe('escrow/stale');
    expect(await open(text, { nowMs: NOW_MS - 2 * DAY_MS })).toBe('escrow/stale');
    expect(await open(text, { nowMs: NOW_MS + 6 * DAY_MS })).toBe('none');
  });
});

describe('an announcement on its way from officer to officer', () => {
  it('is read back, and refused once anything in it is no ceremony', async () => {
    const entry = announced();
    expect(parseCeremony(JSON.stringify(entry), 'a file')).toEqual(entry);
    for (const text of ['', '{}', JSON.stringify({ ...entry, need: 1 }), JSON.stringify({ ...entry, more: 1 })]) {
      expect(await codeOfRefusal(() => parseCeremony(text, 'a file'))).toBe('escrow/not-a-ceremony');
    }
  });

  it('is not made for a split of one, or with an authority that is no plain text', async () => {
    const word = { act: 'split', split: null, origin: ORIGIN, key: ESCROW.recipient.kid, nowMs: NOW_MS } as const;
    for (const change of [{ need: 1 }, { of: 300 }, { need: NaN }, { authority: 'a\n' }, { authority: '' }]) {
      const made = { ...word, need: 2, of: 3, authority: 'plan', ...change };
      expect(await codeOfRefusal(() => announce(made))).toBe('escrow/not-a-ceremony');
    }
  });
});

describe('a drill', () => {
  const { kid } = ESCROW.recipient;

  it('opens an epoch with the right key, and with no other', async () => {
    const epoch = await testEpoch(MANIFESTS, kid);
    await tryKey(ESCROW.privateKey, kid, epoch);
    expect(await codeOfRefusal(() => tryKey(READER.privateKey, kid, epoch))).toBe('escrow/does-not-open');
    expect(await codeOfRefusal(() => tryKey(STRANGER.privateKey, STRANGER.recipient.kid, epoch))).toBe(
      'escrow/does-not-open',
    );
    for (const text of [
      '',
      '{}',
      epoch.slice(0, -20),
      epoch.replace(/"tag":"./, (tag) => `${tag.slice(0, -1)}${tag.endsWith('A') ? 'B' : 'A'}`),
    ]) {
      expect(await codeOfRefusal(() => tryKey(ESCROW.privateKey, kid, text))).toBe('escrow/does-not-open');
    }
  });

  it('is not tried on an epoch for nobody known', async () => {
    expect(await codeOfRefusal(() => testEpoch(MANIFESTS, STRANGER.recipient.kid))).toBe('escrow/other-key');
  });
});
