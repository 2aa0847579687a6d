// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Bates } from './rendering.ts';

/** Letters and then digits, such as `DOT0000001`. */
export const BATES = /^([A-Za-z][A-Za-z0-9_-]{0,30}?)(\d{1,9})$/;
export const DEFAULT_BATES = 'HOLDFAST0000001';

/** Null for what is no Bates number. */
export function parseBates(text: string): Bates | null {
  const [, prefix = '', digits = ''] = BATES.exec(text) ?? [];
  return digits === '' ? null : { prefix, first: Number(digits), digits: digits.length };
}
