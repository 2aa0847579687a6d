// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import type { Act, Deed } from '../../src/access/act.ts';
import type { LogWriter } from '../search/kit.ts';
import { ANA, MONDAY_MS } from '../search/kit.ts';

export const MATTER = 'ab'.repeat(16);
export const HOLD = 'cd'.repeat(16);

let count = 0;

/** An act as a reader's record holds it. */
export function act(deed: Deed, atMs = MONDAY_MS + count * 1000): Act {
  count += 1;
  const id = createHash('sha256').update(`act ${count}`).digest('hex').slice(0, 32);
  const by = { reader: 'reader', user: 'ines', session: 'a'.repeat(32), via: 'command' } as const;
  return { v: 1, kind: 'act', id, atMs, by, deed };
}

/** Writes an act into a log that is being made. */
export function did(log: LogWriter, deed: Deed, atMs?: number): number {
  return log.record(ANA, { type: 'access', act: act(deed, atMs) });
}
