// SPDX-License-Identifier: Apache-2.0

/** One code per cause, never reused; listed in `docs/errors.md`. */
export const FORMAT_CODES = [
  'format/not-canonical',
  'format/not-json',
  'format/too-large',
  'format/entry',
  'format/entry-type',
  'format/entry-rule',
  'format/batch',
  'format/batch-signature',
  'format/segment',
  'format/segment-signature',
  'format/note',
  'format/note-signature',
  'format/note-key',
  'format/checkpoint',
  'format/proof',
  'format/root',
  'format/tile-path',
  'format/tile',
  'format/tlog-proof',
  'format/log-proof',
  'format/policy',
  'format/policy-unmet',
  'format/object-key',
  'format/manifest',
  'format/manifest-signature',
  'format/manifest-origin',
  'format/link',
  'format/link-signature',
  'format/time-stamp',
  'format/trust',
  'format/heads',
  'format/receipt',
  'format/key',
  'format/period',
] as const;

export type FormatCode = (typeof FORMAT_CODES)[number];

/**
 * Malformed or untrue bytes. Everything in `record/` that reads attacker-controlled input throws this and nothing else.
 * The message holds structure (fields, lengths, positions), never content.
 */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  readonly code: FormatCode;
  readonly expected: string;
  readonly got: string;
  /** Where the bytes lie and what whoever keeps them can do; known only to who read them. */
  readonly place: { readonly where: string; readonly fix: string } | null;

  constructor(code: FormatCode, expected: string, got: string, place: FormatError['place'] = null) {
    super(`${code}: expected ${expected}, got ${got}`);
    this.code = code;
    this.expected = expected;
    this.got = got;
    this.place = place;
  }

  /** The same error, of a file that people keep. */
  in(where: string, fix: string): FormatError {
    return new FormatError(this.code, this.expected, this.got, { where, fix });
  }
}
