// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ScrubEntry } from '../../src/record/entry-types.ts';
import { approvalText } from '../../src/record/hold.ts';
import { signBytes } from '../../src/record/key.ts';
import { OFFICER } from '../support/archive-fixture.ts';
import { ORIGIN, signingPair, type SigningPair } from '../vectors/keys.ts';
import type { Draft } from '../verify/relog.ts';
import { addManifest, FIRST } from './keys.ts';
import type { DraftRow } from './row.ts';

const AUDITOR = signingPair('auditor');
const withAuditor = [
  ...FIRST.signers,
  { role: 'auditor' as const, name: 'auditor', pub: AUDITOR.key.raw.toString('base64') },
];

/** Names an auditor, and logs a round that this key says it did. */
export function scrubbed(draft: Draft, by: SigningPair, change: Partial<ScrubEntry> = {}): void {
  addManifest(draft, { signers: withAuditor });
  const entry: ScrubEntry = {
    v: 1,
    t: 'scrub',
    at: '2026-11-22T13:00:00Z',
    log: ORIGIN,
    by: [],
    bytes: 4096,
    findings: 0,
    from: '2026-11-22T09:00:00Z',
    objects: 3,
    size: 1,
  };
  const sig = signBytes(by.privateKey, approvalText(entry)).toString('base64');
  draft.segments.at(-1)?.own.push({ ...entry, by: [{ key: by.key.id, sig }], ...change });
}

export const SCRUBS: readonly DraftRow[] = [
  ['a scrub by an auditor of the manifest', (draft) => scrubbed(draft, AUDITOR), []],
  ['a scrub by an officer', (draft) => scrubbed(draft, OFFICER), ['verify/approval-signer']],
  [
    'a scrub of more than was signed',
    (draft) => scrubbed(draft, AUDITOR, { bytes: 8192 }),
    ['verify/approval-signature'],
  ],
  [
    'a scrub that is logged twice',
    (draft) => {
      scrubbed(draft, AUDITOR);
      const last = draft.segments.at(-1);
      last?.own.push(last.own.at(-1) as ScrubEntry);
    },
    ['verify/approval-replayed'],
  ],
];
