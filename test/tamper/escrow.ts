// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Approval, EscrowEntry } from '../../src/record/entry-types.ts';
import { approvalText } from '../../src/record/hold.ts';
import { signBytes } from '../../src/record/key.ts';
import { OFFICER, SECOND_OFFICER } from '../support/archive-fixture.ts';
import { ARCHIVER, ORIGIN, type SigningPair } from '../vectors/keys.ts';
import type { Draft } from '../verify/relog.ts';
import { FIRST } from './keys.ts';
import type { DraftRow } from './row.ts';

const [ESCROW = ''] = FIRST.recipients.flatMap(({ role, kid }) => (role === 'escrow' ? [kid] : []));
const SPLIT = '1'.repeat(32);
const DRILL = '2'.repeat(32);

/** Logs a ceremony entry, approved by these. */
export function ceremony(
  draft: Draft,
  change: Partial<EscrowEntry> = {},
  officers: readonly SigningPair[] = [OFFICER, SECOND_OFFICER],
): void {
  const entry: EscrowEntry = {
    v: 1,
    at: '2026-11-22T13:00:00Z',
    log: ORIGIN,
    t: 'escrow',
    act: 'split',
    authority: 'key plan 2026',
    by: [],
    ceremony: SPLIT,
    key: ESCROW,
    need: 2,
    of: 3,
    split: SPLIT,
    state: 'announced',
    ...change,
  };
  const inOrder = officers.toSorted((a, b) => (a.key.id < b.key.id ? -1 : 1));
  const by = inOrder.map(({ key, privateKey }): Approval => {
    return { key: key.id, sig: signBytes(privateKey, approvalText(entry)).toString('base64') };
  });
  draft.segments.at(-1)?.own.push({ ...entry, by });
}

const drill = { act: 'drill', ceremony: DRILL } as const;

export const ESCROW_ROWS: readonly DraftRow[] = [
  [
    'a split and a drill, announced and done',
    (draft) => {
      for (const what of [{}, drill] as const) {
        ceremony(draft, what);
        ceremony(draft, { ...what, state: 'done' }, [OFFICER]);
      }
    },
    [],
  ],
  ['a key put together by one officer alone', (draft) => ceremony(draft, {}, [OFFICER]), ['verify/entry-rule']],
  ['a split into one share', (draft) => ceremony(draft, { need: 1, of: 1 }), ['verify/entry-rule']],
  ['more shares needed than there are', (draft) => ceremony(draft, { need: 4 }), ['verify/entry-rule']],
  ['a split of another one’s shares', (draft) => ceremony(draft, { split: DRILL }), ['verify/entry-rule']],
  ['a ceremony about a key of nobody', (draft) => ceremony(draft, { key: '0'.repeat(32) }), ['verify/escrow-key']],
  ['an outcome without its announcement', (draft) => ceremony(draft, { state: 'done' }), ['verify/escrow-order']],
  ['a drill of shares that nothing made', (draft) => ceremony(draft, drill), ['verify/escrow-order']],
  [
    'a drill of more shares than were made',
    (draft) => {
      ceremony(draft);
      ceremony(draft, { ...drill, of: 5 });
    },
    ['verify/escrow-order'],
  ],
  [
    'two outcomes of one ceremony',
    (draft) => {
      ceremony(draft);
      ceremony(draft, { state: 'failed' }, [OFFICER]);
      ceremony(draft, { state: 'done' }, [OFFICER]);
    },
    ['verify/escrow-order'],
  ],
  [
    'a ceremony announced again',
    (draft) => {
      ceremony(draft);
      ceremony(draft, { at: '2026-11-22T13:00:01Z' });
    },
    ['verify/escrow-order'],
  ],
  [
    'an outcome of an announcement that an archiver approved',
    (draft) => {
      ceremony(draft, {}, [OFFICER, ARCHIVER]);
      ceremony(draft, { state: 'done' });
    },
    ['verify/approval-signer', 'verify/escrow-order'],
  ],
];
