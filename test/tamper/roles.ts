// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DispositionEntry } from '../../src/record/entry-types.ts';
import type { FindingCode } from '../../src/verify/findings.ts';
import { OFFICER } from '../support/archive-fixture.ts';
import { ARCHIVER, recipientPair, type SigningPair } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { relog, type Draft } from '../verify/relog.ts';
import { addManifest, dispose, everything, FIRST, STRANGER } from './keys.ts';
import type { ArchiveRow, DraftRow } from './row.ts';

const withoutConnector = FIRST.signers.filter(({ name }) => name !== 'connector');
const connectorIsReader = FIRST.signers.map((signer) =>
  signer.name === 'connector' ? { ...signer, role: 'reader' as const } : signer,
);

function otherRecipients(at: string): DraftRow[1] {
  const recipients = [
    recipientPair('reader', 'another reader').recipient,
    ...FIRST.recipients.filter(({ role }) => role === 'escrow'),
  ];
  return (draft) => addManifest(draft, { recipients }, { at }, 0);
}

/** Who may do what, by the manifest in force where it was done. */
export const ROLES: readonly DraftRow[] = [
  [
    'batches by a connector that a manifest before them dismissed',
    (draft) => addManifest(draft, { signers: withoutConnector }, {}, 0),
    ['verify/batch-retired-signer'],
  ],
  [
    'batches before the manifest that dismissed their connector',
    (draft) => addManifest(draft, { signers: withoutConnector }, {}, -1),
    [],
  ],
  [
    'messages by a key that the manifest names as a reader',
    (draft) => addManifest(draft, { signers: connectorIsReader }, {}, 0),
    ['verify/batch-role'],
  ],
  ['messages sealed to recipients of the manifest before, within a day', otherRecipients('2026-11-22T08:00:00Z'), []],
  [
    'messages sealed to recipients of the manifest before, after a day',
    otherRecipients('2026-11-21T08:00:00Z'),
    ['verify/epoch-recipients-retired'],
  ],
  [
    'every batch by the archiver’s key',
    ({ segments }) => {
      for (const { batches } of segments) for (const batch of batches) batch.signer = ARCHIVER;
    },
    ['verify/batch-signer', 'verify/batch-stream-key'],
  ],
];

/** A pack is gone, and a disposition says that it may be. */
function disposed(officers: readonly SigningPair[], change: Partial<DispositionEntry> = {}): ArchiveRow[1] {
  return (archive) => {
    relog(archive, (draft) => dispose(draft, everything(archive), officers, change));
    archive.remove(archive.key('/pack/', 0));
  };
}

function replay(archive: MemoryArchive): void {
  const twice = (draft: Draft): void => {
    dispose(draft, everything(archive), [OFFICER]);
    draft.segments.at(-1)?.own.push(draft.segments.at(-1)?.own.at(-1) as DispositionEntry);
  };
  relog(archive, twice);
}

const gone = (...codes: readonly FindingCode[]): readonly FindingCode[] => ['verify/pack-missing', ...codes];

export const APPROVALS: readonly ArchiveRow[] = [
  ['a pack that is gone as an officer approved', disposed([OFFICER]), []],
  ['a pack that is gone as an archiver approved', disposed([ARCHIVER]), gone('verify/approval-signer')],
  [
    'a pack that is gone as an officer and a stranger approved',
    disposed([OFFICER, STRANGER]),
    gone('verify/approval-signer'),
  ],
  [
    'a pack that is gone as an officer approved by another authority',
    disposed([OFFICER], { authority: 'none' }),
    gone('verify/approval-signature'),
  ],
  [
    'a pack that is gone as an officer approved in a document that is not there',
    disposed([OFFICER], { objects: { h: '0'.repeat(64), n: 2 } }),
    gone('verify/approval-signature', 'verify/approval-document'),
  ],
  ['an approval that is used twice', replay, ['verify/approval-replayed']],
];
