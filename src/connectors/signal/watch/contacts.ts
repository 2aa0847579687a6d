// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { plain } from '../json.ts';
import type { AccountLane } from '../lane.ts';
import { ownRecord } from '../own-records.ts';
import { encodeState } from '../../state.ts';
import { accountPath, type WatchParts } from './parts.ts';

/** Names as the owner's phone has them, whenever they changed: what a conversation is shown under later. */
export async function watchContacts(lane: AccountLane, parts: WatchParts, signal: AbortSignal): Promise<void> {
  const { body, json } = await parts.rest.get(accountPath('contacts', lane.account, '?all_recipients=true'), signal);
  const hash = createHash('sha256').update(body).digest('hex');
  if (lane.read<string>('contacts') === hash) return;
  const nowMs = parts.clock();
  const state = { contacts: plain(json) };
  const record = { body: { kind: 'contacts', state }, id: `contacts@${nowMs}`, raw: body, via: 'rest' } as const;
  await lane.submit({
    captures: [ownRecord(lane.account, nowMs, record)],
    session: [{ name: 'contacts', value: encodeState(hash) }],
  });
}
