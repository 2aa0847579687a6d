// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes, type KeyObject } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import { encodeEntry, parseEntry } from '../record/entry.ts';
import type { EscrowEntry } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { approvalText, approveEntry } from '../record/hold.ts';
import { toSeconds } from '../record/period.ts';

export interface CeremonyWord extends Pick<EscrowEntry, 'key' | 'need' | 'of' | 'authority'> {
  readonly origin: string;
  readonly act: EscrowEntry['act'];
  /** The split that made the shares; null where this ceremony makes them. */
  readonly split: string | null;
  readonly nowMs: number;
}

/** Announces a ceremony. Two officers must sign it before the log takes it. */
export function announce({ origin, act, key, need, of, authority, split, nowMs }: CeremonyWord): EscrowEntry {
  const ceremony = randomBytes(16).toString('hex');
  return wellFormed({
    v: 1,
    t: 'escrow',
    at: toSeconds(nowMs),
    log: origin,
    act,
    authority,
    by: [],
    ceremony,
    key,
    need,
    of,
    split: split ?? ceremony,
    state: 'announced',
  });
}

/** How an announced ceremony ended. One officer's word is enough: it gives nobody anything. */
export function outcomeOf(announced: EscrowEntry, state: 'done' | 'failed', nowMs: number): EscrowEntry {
  return { ...announced, at: toSeconds(nowMs), by: [], state };
}

/** Adds an officer's signature; signing twice changes nothing. */
export function signCeremony(entry: EscrowEntry, officer: KeyObject): EscrowEntry {
  return approveEntry(entry, officer);
}

/** The entry as a line of the log. Throws `escrow/unapproved` while signatures are missing. */
export function ceremonyLine(entry: EscrowEntry): string {
  wellFormed(entry);
  try {
    return encodeEntry(entry);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new Failure('escrow/unapproved', {
      expected: entry.state === 'announced' ? 'the signatures of two officers' : 'the signature of an officer',
      got: `${entry.by.length}`,
      fix: 'have it signed: `holdfast escrow sign`',
    });
  }
}

/** Reads a ceremony from the file that officers hand to one another. Throws `escrow/not-a-ceremony`. */
export function parseCeremony(text: string, where: string): EscrowEntry {
  try {
    const entry = JSON.parse(text) as EscrowEntry;
    if (Array.isArray(entry.by) && entry.t === 'escrow') return wellFormed(entry);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof Failure || error instanceof FormatError)) throw error;
  }
  throw new Failure('escrow/not-a-ceremony', {
    expected: 'a file that `holdfast escrow announce` wrote, unchanged',
    got: 'another one',
    where,
    fix: 'announce it anew; what was signed on a changed one counts for nothing',
  });
}

/** Judged with stand-ins for the signatures, so that all else is known to be right before anybody signs. */
function wellFormed(entry: EscrowEntry): EscrowEntry {
  const by = ['0', '1'].map((digit) => ({ key: digit.repeat(32), sig: `${'A'.repeat(86)}==` }));
  try {
    parseEntry(approvalText(entry).replace(/("authority":"[^"]*"),/, (text) => `${text}"by":${JSON.stringify(by)},`));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new Failure('escrow/not-a-ceremony', {
      expected: '2 to 255 shares, at least two of them needed, and an authority in plain letters',
      got: 'something else',
      cause: error,
    });
  }
  return entry;
}
