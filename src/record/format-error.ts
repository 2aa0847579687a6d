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
  'format/policy',
  'format/policy-unmet',
  'format/object-key',
  'format/manifest',
  'format/manifest-signature',
  'format/manifest-origin',
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

  constructor(code: FormatCode, expected: string, got: string) {
    super(`${code}: expected ${expected}, got ${got}`);
    this.code = code;
    this.expected = expected;
    this.got = got;
  }
}
