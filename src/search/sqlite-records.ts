// SPDX-License-Identifier: AGPL-3.0-or-later
import type { SQLOutputValue } from 'node:sqlite';
import type { View } from '../record/message.ts';
import type { LineRecord, PersonId } from './line.ts';
import type { Defect } from './open-task.ts';

export type Row = Record<string, SQLOutputValue>;

export const RECORD_COLUMNS = 'r.leaf, r.id, r.at, r.account, r.sender, r.defect, r.view, r.clear, r.objects';

/** A record as the index keeps it. */
export function recordOf(row: Row, root: (person: PersonId) => PersonId): LineRecord {
  const { leaf, id, at, account, sender, defect, view, clear, objects } = row;
  return {
    leaf: Number(leaf),
    id: String(id),
    atMs: Number(at),
    account: account === null ? null : root(Number(account)),
    sender: sender === null ? null : root(Number(sender)),
    defect: defect as Defect | null,
    view: view === null ? null : (JSON.parse(String(view)) as View),
    ...(typeof objects === 'string' ? { objects: objects.split(' ') } : {}),
    clear: clear === null ? null : (JSON.parse(String(clear)) as LineRecord['clear']),
  };
}
