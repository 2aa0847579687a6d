// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Capture, SessionChange } from '../connector.ts';
import { closingGaps } from './account-gaps.ts';
import { encodeCredentials, type Credentials } from './credentials.ts';
import type { AccountLane } from './lane.ts';
import { jsonBytes } from '../own-records.ts';
import { ownRecord } from './own-records.ts';
import { encodeState } from '../state.ts';

/** Digits of the number an account is configured by. */
export function numberOf(account: string): string {
  return account.replace(/\D/g, '');
}

/** Whether these credentials are the configured account's. */
export function isOf(credentials: Credentials, account: string): boolean {
  const user = credentials.value.me?.id.split(/[:@]/)[0];
  return user === numberOf(account);
}

/**
 * What becomes durable when the phone has signed this device: the new identity in place of the old one and all its keys, the record that
 * the archive of the account begins, and the end of the gap before it. The former identity is kept: it may be evidence.
 */
export function linkedChange(
  lane: AccountLane,
  credentials: Credentials,
  device: string,
): { captures: readonly Capture[]; session: readonly SessionChange[] } {
  const { nowMs, account, sink } = lane;
  const former = sink.session('creds');
  const linked = ownRecord(account, nowMs, {
    body: { kind: 'linked', device },
    id: String(nowMs),
    raw: jsonBytes({ kind: 'linked', device, atMs: nowMs }),
    via: 'connector',
  });
  const forgotten = [...sink.sessionNames('key/'), ...sink.sessionNames('phone')];
  return {
    captures: [linked, ...closingGaps(lane, ['not-linked', 'unlinked', 'intake-lost', 'phone-idle'])],
    session: [
      ...forgotten.map((name) => ({ name, value: null })),
      ...(former === null ? [] : [{ name: 'former', value: former }]),
      { name: 'creds', value: encodeCredentials(credentials.value) },
      { name: 'linked', value: encodeState({ atMs: nowMs }) },
    ],
  };
}
