// SPDX-License-Identifier: AGPL-3.0-or-later
import { countOf } from '../base/counted.ts';
import type { LocalTime } from '../search/local-time.ts';
import type { IndexState } from '../search/index-db.ts';

/** Up to where an answer is complete: said with every one. */
export function stateLine({ position, records, lines, unreadable, awaited }: IndexState): string {
  const waiting = awaited === 0 ? '' : ` (${awaited} of them until their bytes are there again)`;
  const broken = unreadable === 0 ? '' : `, ${countOf(unreadable, 'record')} that could not be read${waiting}`;
  return `${countOf(records, 'record')}, ${countOf(lines, 'line')}${broken}; complete up to checkpoint ${position.size} of ${position.origin} (${position.at})`;
}

export function stateResult({ position, records, lines, unreadable, awaited }: IndexState): Record<string, unknown> {
  const { origin, size, at } = position;
  return { origin, checkpoint: size, at, records, lines, unreadable, awaited };
}

/** Which clocks the times above are of; nothing for UTC, whose times say so themselves. */
export function zoneLine(time: LocalTime): string {
  return time.isUtc ? '' : `times of ${time.zone}; `;
}
