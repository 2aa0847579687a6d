// SPDX-License-Identifier: Apache-2.0
import type { KeyObject } from 'node:crypto';
import { canonicalize, parseCanonical, type Json } from './canonical.ts';
import type { DispositionEntry, EscrowEntry, Hex256, HoldEntry, ScrubEntry } from './entry-types.ts';
import { FormatError } from './format-error.ts';
import { signBytes, signingKeyOf, verifyBytes, type KeyId, type SigningKey } from './key.ts';

/** What one `hold` entry names: hashes of packs and of sealed objects. */
export interface HoldDocument {
  readonly packs: readonly Hex256[];
  readonly media: readonly Hex256[];
}

const CONTEXT = 'holdfast hold v1';
/** So that the document stays a line that a queue carries; a larger hold takes several entries. */
export const MOST_HELD = 4000;
const HEX_256 = /^[0-9a-f]{64}$/;

/** One line, JCS; what `objects` of the entry hashes. */
export function encodeHoldDocument({ packs, media }: HoldDocument): string {
  return canonicalize({ ctx: CONTEXT, media: [...media], packs: [...packs] });
}

/** Throws a `FormatError` for anything but such a line. */
export function parseHoldDocument(text: string): HoldDocument {
  const wrong = (): FormatError => new FormatError('format/entry-rule', 'a document of a hold', 'another one');
  const value = parseCanonical(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong();
  const { ctx, packs, media, ...rest } = value as Readonly<Record<string, Json>>;
  if (ctx !== CONTEXT || Object.keys(rest).length > 0 || !areHashes(packs) || !areHashes(media)) throw wrong();
  if (packs.length + media.length > MOST_HELD) throw wrong();
  return { packs, media };
}

/** Ascending, each once. */
function areHashes(value: Json | undefined): value is Hex256[] {
  return (
    Array.isArray(value) &&
    value.every((hash, at) => {
      const before = value[at - 1];
      return typeof hash === 'string' && HEX_256.test(hash) && (at === 0 || (before as string) < hash);
    })
  );
}

/** An entry is logged within this time of what it says as its `at`, or never: officers in two places may take as long to sign it. */
export const APPROVAL_GOOD_FOR_MS = 7 * 86_400_000;

export type ApprovedEntry = HoldEntry | DispositionEntry | EscrowEntry | ScrubEntry;

/** Who approves an entry: officers what they order, auditors what they saw. */
export const approverOf = ({ t }: Pick<ApprovedEntry, 't'>): 'auditor' | 'officer' =>
  t === 'scrub' ? 'auditor' : 'officer';

/** What officers sign: the entry without their approvals. */
export function approvalText(entry: Omit<ApprovedEntry, 'by'> & { readonly by?: unknown }): string {
  const { by: _by, ...signed } = entry;
  return canonicalize(signed as unknown as Json);
}

/** Adds an officer's signature; signing twice changes nothing. */
export function approveEntry<Entry extends ApprovedEntry>(entry: Entry, officer: KeyObject): Entry {
  const key = signingKeyOf(officer).id;
  const sig = signBytes(officer, approvalText(entry)).toString('base64');
  const by = [...entry.by.filter((one) => one.key !== key), { key, sig }];
  return { ...entry, by: by.toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
}

/** True if every approval of the entry is by one of these keys, and verifies. */
export function isApproved(entry: ApprovedEntry, officers: ReadonlyMap<KeyId, SigningKey>): boolean {
  const text = approvalText(entry);
  return entry.by.every(({ key, sig }) => {
    const officer = officers.get(key);
    return officer !== undefined && verifyBytes(officer, text, Buffer.from(sig, 'base64'));
  });
}
