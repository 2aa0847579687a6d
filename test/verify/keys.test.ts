// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import type { DispositionEntry } from '../../src/record/entry-types.ts';
import type { FindingCode } from '../../src/verify/findings.ts';
import { OFFICER } from '../support/archive-fixture.ts';
import { ARCHIVER, CONNECTOR, recipientPair, type SigningPair } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { relog, type Draft } from './relog.ts';
import { codesAfter, codesOf, notesOf, smallArchive, verify } from './subject.ts';
import { FIRST, STRANGER, addManifest, dispose, everything } from '../tamper/keys.ts';

describe('keys and rules, written with all keys in hand', () => {
  let archive: MemoryArchive;
  beforeAll(async () => void (archive = await smallArchive()));

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
