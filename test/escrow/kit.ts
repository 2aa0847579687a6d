// SPDX-License-Identifier: AGPL-3.0-or-later
import { announce, signCeremony } from '../../src/escrow/ceremony.ts';
import { encodeShare, parseShare, type Share } from '../../src/escrow/share.ts';
import { splitKey, type Named } from '../../src/escrow/shares.ts';
import type { EscrowEntry } from '../../src/record/entry-types.ts';
import { Failure } from '../../src/base/failure.ts';
import { OFFICER, SECOND_OFFICER } from '../support/archive-fixture.ts';
import { ESCROW, ORIGIN } from '../vectors/keys.ts';

export const NOW_MS = Date.parse('2026-11-22T12:00:00Z');
export const MADE = '2026-11-22T12:05:00Z';

export function announced(change: Partial<EscrowEntry> = {}): EscrowEntry {
  const word = { act: 'split', need: 3, of: 5, authority: 'key plan', split: null } as const;
  const made = announce({ ...word, origin: ORIGIN, key: ESCROW.recipient.kid, nowMs: NOW_MS });
  const all = { ...made, ...change };
  const entry = all.act === 'split' ? { ...all, split: all.ceremony } : all;
  return signCeremony(signCeremony(entry, OFFICER.privateKey), SECOND_OFFICER.privateKey);
}

export const splitOf = (ceremony: EscrowEntry): Promise<Share[]> => splitKey(ESCROW.privateKey, ceremony, MADE);

export const named = (shares: readonly Share[]): Named[] =>
  shares.map((share) => ({ ...parseShare(encodeShare(share), 'a file'), where: `share ${share.share}` }));

export async function codeOfRefusal(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'none';
  } catch (error) {
    if (error instanceof Failure) return error.code;
    throw error;
  }
}
