// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync } from 'node:sqlite';
import type { IndexState } from './index-db.ts';

/** What the index says of itself. `known` is given back while it still holds, so that nothing is parsed for every answer. */
export function readState(db: DatabaseSync, known: IndexState | null): IndexState | null {
  const size = db.prepare("SELECT value FROM meta WHERE name = 'size'").get()?.['value'];
  if (size === undefined) return null;
  if (known !== null && Number(size) === known.position.size) return known;
  return JSON.parse(String(db.prepare("SELECT value FROM meta WHERE name = 'state'").get()?.['value'])) as IndexState;
}

export function writeState(db: DatabaseSync, state: IndexState): void {
  const put = db.prepare('INSERT OR REPLACE INTO meta VALUES(?, ?)');
  put.run('size', String(state.position.size));
  put.run('state', JSON.stringify(state));
}
