// SPDX-License-Identifier: AGPL-3.0-or-later
import { countOf } from '../base/counted.ts';
import type { ApprovedEntry } from '../record/hold.ts';
import { yellow, type Output } from './output.ts';

/** How many have signed; an officer who had signed before is told that this adds nobody. */
export function sayWhoSigned(output: Output, before: ApprovedEntry, signed: ApprovedEntry): void {
  output.line(`signed by ${countOf(signed.by.length, 'officer')}`);
  if (signed.by.length === before.by.length)
    output.note(yellow('this officer had signed it before: a second officer must sign with another key'));
}
