// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import type { Act, Deed } from '../../src/access/act.ts';
import type { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { ANA, applyAll, BEN, CLEO, direct, HARBOUR, LogWriter, message, MINUTE_MS, MONDAY_MS } from '../search/kit.ts';

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

export const at = (minutes: number): number => MONDAY_MS + minutes * MINUTE_MS;
export const BEGUN: Deed = { act: 'matter', matter: MATTER, name: 'Harbour Case', state: 'open' };
export const tagged = (tag: string, target: Extract<Deed, { act: 'tag' }>['target'], on = true): Deed => ({
  act: 'tag',
  matter: MATTER,
  tag,
  on,
  target,
});

/** Four messages in the harbour's group, two in a direct conversation. */
export function talk(): { log: LogWriter; leaves: number[] } {
  const log = new LogWriter();
  const leaves = ['alpha seal', 'bravo seal', 'charlie', 'delta'].map((text, n) =>
    log.capture(ANA, message(text), { by: BEN, chat: HARBOUR, atMs: at(n) }),
  );
  leaves.push(log.capture(ANA, message('echo seal'), { by: CLEO, chat: direct(CLEO), atMs: at(10) }));
  leaves.push(log.capture(BEN, message('foxtrot'), { by: CLEO, chat: direct(CLEO), atMs: at(11) }));
  return { log, leaves };
}

/** What was written since the index was last read into. */
export async function read(db: SqliteIndex, log: LogWriter): Promise<void> {
  const size = (await db.state())?.position.size ?? 0;
  await applyAll(
    db,
    log.cut().segments.filter(({ first }) => first >= size),
  );
}
