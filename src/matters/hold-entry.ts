// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import { encodeEntry, parseEntry } from '../record/entry.ts';
import type { HoldEntry } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256Hex } from '../record/hash.ts';
import { approvalText, approveEntry, encodeHoldDocument, MOST_HELD, parseHoldDocument } from '../record/hold.ts';
import { toSeconds } from '../record/period.ts';
import type { KeptObjects } from '../search/acts-db.ts';

/** An entry on its way to the log: what officers sign, who has signed, and the document it names. */
export interface Approval {
  readonly entry: HoldEntry;
  readonly document: string;
}

export interface HoldWord {
  readonly origin: string;
  readonly hold: string;
  /** In clear, for auditors: a docket number, or the matter's id. Never a name. */
  readonly reference: string;
  readonly state: HoldEntry['state'];
  readonly nowMs: number;
}

/** The entries that say a hold names these objects: the first of the given state, what does not fit into one as extensions. */
export function holdEntries(word: HoldWord, objects: Pick<KeptObjects, 'packs' | 'media'>): Approval[] {
  const all = [
    ...objects.packs.map((hash) => ({ kind: 'packs' as const, hash })),
    ...objects.media.map((hash) => ({ kind: 'media' as const, hash })),
  ];
  const count = Math.max(1, Math.ceil(all.length / MOST_HELD));
  return Array.from({ length: count }, (_, at) => {
    const some = all.slice(at * MOST_HELD, (at + 1) * MOST_HELD);
    const of = (wanted: 'packs' | 'media'): string[] =>
      some.flatMap(({ kind, hash }) => (kind === wanted ? [hash] : []));
    const document = encodeHoldDocument({ packs: of('packs'), media: of('media') });
    const entry: HoldEntry = {
      v: 1,
      t: 'hold',
      at: toSeconds(word.nowMs),
      log: word.origin,
      by: [],
      hold: word.hold,
      matter: word.reference,
      objects: { h: sha256Hex(document), n: Buffer.byteLength(document) },
      state: at === 0 ? word.state : 'extended',
    };
    return { entry, document };
  });
}

/** Adds an officer's signature; signing twice changes nothing. */
export function approve({ entry, document }: Approval, officer: KeyObject): Approval {
  return { entry: approveEntry(entry, officer), document };
}

/** The entry as a line of the log. Throws `matters/approval` while signatures are missing. */
export function approvedLine({ entry }: Approval): string {
  try {
    return encodeEntry(entry);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new Failure('matters/approval', {
      expected: entry.state === 'released' ? 'the approvals of two officers' : 'the approval of an officer',
      got: `${entry.by.length}`,
      fix: 'have it signed: `holdfast hold sign`',
    });
  }
}

/** Reads an approval from a file that officers hand to one another. Throws `matters/approval`. */
export function parseApproval(text: string): Approval {
  try {
    const { entry, document } = JSON.parse(text) as { entry: HoldEntry; document: string };
    parseHoldDocument(document);
    const isWhole = entry.t === 'hold' && entry.objects.h === sha256Hex(document) && Array.isArray(entry.by);
    // With as many stand-ins for signatures as its form wants, to see that the rest has the form of an entry.
    const stand = ['0', '1'].map((digit) => ({ key: digit.repeat(32), sig: `${'A'.repeat(86)}==` }));
    parseEntry(approvalText(entry).replace(/^\{("at":"[^"]*"),/, `{$1,"by":${JSON.stringify(stand)},`));
    if (isWhole) return { entry, document };
  } catch {
    // Named below: whatever is wrong with it, it is to be made anew.
  }
  throw new Failure('matters/approval', {
    expected: 'a file that `holdfast hold` wrote, unchanged',
    got: 'another one',
    fix: 'make it anew; what was signed on a changed one counts for nothing',
  });
}
