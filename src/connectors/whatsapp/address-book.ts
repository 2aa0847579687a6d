// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import type { Json } from '../../record/canonical.ts';
import type { Party } from '../../record/message.ts';
import type { ContentCapture } from '../connector.ts';
import { decodeKey, keyName, type KeyChanges } from './key-store.ts';
import type { AccountLane } from './lane.ts';
import { jsonBytes } from '../own-records.ts';
import { ownRecord } from './own-records.ts';

/**
 * What the client's key store learns about people is evidence: which phone number and which LID are one person, and when somebody's
 * identity key changed, which is what a moved SIM card looks like. Recorded in the transaction that stores it.
 */
export function peopleRecords(lane: AccountLane, changes: KeyChanges): ContentCapture[] {
  return [...mappings(lane, changes['lid-mapping'] ?? {}), ...identities(lane, changes['identity-key'] ?? {})];
}

function mappings(lane: AccountLane, entries: Readonly<Record<string, unknown>>): ContentCapture[] {
  const addresses = Object.entries(entries).flatMap(([pn, lid]) => {
    if (pn.endsWith('_reverse') || typeof lid !== 'string') return [];
    const before = stored(lane, 'lid-mapping', pn);
    if (before === lid) return [];
    return [
      { pn: `${pn}@s.whatsapp.net`, lid: `${lid}@lid`, before: typeof before === 'string' ? `${before}@lid` : null },
    ];
  });
  if (addresses.length === 0) return [];
  return [record(lane, { kind: 'contacts', state: { addresses } }, `addresses ${lane.nowMs}`, { addresses })];
}

function identities(lane: AccountLane, entries: Readonly<Record<string, unknown>>): ContentCapture[] {
  return Object.entries(entries).flatMap(([address, key]) => {
    const before = stored(lane, 'identity-key', address);
    // The first key of a person is no change.
    if (!(before instanceof Uint8Array) || !(key instanceof Uint8Array) || Buffer.from(before).equals(key)) return [];
    const change = { before: fingerprint(before), after: fingerprint(key) };
    const body = { kind: 'identity-change', party: partyOf(address), ...change, status: 'changed' } as const;
    return [record(lane, body, `${address} ${change.after}`, { address, ...change })];
  });
}

function record(
  lane: AccountLane,
  body: Parameters<typeof ownRecord>[2]['body'],
  id: string,
  raw: Json,
): ContentCapture {
  return ownRecord(lane.account, lane.nowMs, { body, id, raw: jsonBytes(raw), via: 'connector' });
}

function stored(lane: AccountLane, type: 'identity-key' | 'lid-mapping', id: string): unknown {
  const bytes = lane.session(keyName(lane.sink, type, id));
  return bytes === null ? null : decodeKey(type, bytes);
}

function fingerprint(key: Uint8Array): string {
  return createHash('sha256').update(key).digest('hex');
}

/** `user.device`, or `user_1.device` for a LID. */
function partyOf(address: string): Party {
  const [name = '', device = '0'] = address.split('.');
  const [user = '', domain] = name.split('_');
  const isLid = domain === '1';
  return {
    id: `${user}@${isLid ? 'lid' : 's.whatsapp.net'}`,
    number: isLid ? null : `+${user}`,
    device: Number(device),
  };
}
