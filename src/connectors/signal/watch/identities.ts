// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Capture, SessionChange } from '../../connector.ts';
import { decimal, fields, list, plain, text, type Fields } from '../json.ts';
import type { AccountLane } from '../lane.ts';
import { keyOf } from '../normalise/frame.ts';
import { ownRecord } from '../own-records.ts';
import { sliceItems } from '../slice.ts';
import { encodeState } from '../../state.ts';
import { accountPath, type WatchParts } from './parts.ts';

interface Identity {
  readonly id: string | null;
  readonly number: string | null;
  readonly safetyNumber: string;
  readonly status: string;
  readonly addedMs: number;
  readonly raw: Uint8Array;
}

/** What is remembered of each: to tell a change, not to show it. */
type Known = Readonly<Record<string, { readonly safetyNumber: string; readonly status: string }>>;

/**
 * Safety numbers. Capture needs `trust always`, under which a contact's new key goes through without a word: so the archive itself
 * records the change.
 */
export async function watchIdentities(lane: AccountLane, parts: WatchParts, signal: AbortSignal): Promise<void> {
  const { body, json } = await parts.rest.get(accountPath('identities', lane.account), signal);
  const items = sliceItems(body) ?? [];
  const identities = list(json).flatMap((item, at) => identityOf(fields(item), items[at] ?? body) ?? []);
  const latest = new Map(identities.toSorted((a, b) => a.addedMs - b.addedMs).map((one) => [keyOf(one), one]));
  const known = lane.read<Known>('identities');
  const nowMs = parts.clock();
  const changed = [...latest].filter(([key, one]) => isChanged(known?.[key], one));
  const captures: Capture[] =
    known === null
      ? [ownRecord(lane.account, nowMs, baseline(plain(json), body, nowMs))]
      : changed.map(([key, one]) =>
          changeOf(lane.account, known[key]?.safetyNumber ?? null, one, `${key}@${nowMs}`, nowMs),
        );
  const session: SessionChange[] = ownIdentity(lane, identities);
  if (known === null || changed.length > 0) {
    session.push({
      name: 'identities',
      value: encodeState(Object.fromEntries([...latest].map(([key, one]) => [key, rememberedOf(one)]))),
    });
  }
  if (captures.length + session.length > 0) await lane.submit({ captures, session });
  if (known !== null && captures.length > 0) lane.alarm('identity-changed', captures.length);
  const untrusted = identities.filter(({ status }) => status === 'UNTRUSTED').length;
  if (untrusted > 0 && (known === null || changed.length > 0)) lane.alarm('untrusted-identity', untrusted);
}

function identityOf(entry: Fields | null, raw: Uint8Array): Identity | null {
  if (entry === null) return null;
  const number = text(entry['number']);
  const safetyNumber = text(entry['safety_number']);
  return {
    id: text(entry['uuid']),
    // The REST API writes an empty text for what it does not know.
    number: number === '' ? null : number,
    safetyNumber: safetyNumber === null || safetyNumber === '' ? (text(entry['fingerprint']) ?? '') : safetyNumber,
    status: text(entry['status']) ?? '',
    addedMs: Number(text(entry['added']) ?? decimal(entry['added']) ?? 0),
    raw,
  };
}

function rememberedOf({ safetyNumber, status }: Identity): Known[string] {
  return { safetyNumber, status };
}

function isChanged(before: Known[string] | undefined, now: Identity): boolean {
  return before === undefined || before.safetyNumber !== now.safetyNumber || before.status !== now.status;
}

function baseline(state: unknown, raw: Uint8Array, nowMs: number): Parameters<typeof ownRecord>[2] {
  return { body: { kind: 'contacts', state: { identities: state } }, id: `identities@${nowMs}`, raw, via: 'rest' };
}

function changeOf(account: string, before: string | null, one: Identity, id: string, nowMs: number): Capture {
  const { id: uuid, number, safetyNumber: after, status, raw } = one;
  const body = { kind: 'identity-change', party: { id: uuid, number }, before, after, status } as const;
  return ownRecord(account, nowMs, { body, chat: { type: 'direct', id: keyOf(one) }, id, raw, via: 'rest' });
}

/** The list has the owner too: the one place where REST tells the owner's ACI. */
function ownIdentity(lane: AccountLane, identities: readonly Identity[]): SessionChange[] {
  const own = identities.find(({ number }) => number === lane.account)?.id ?? null;
  if (own === null || lane.read<string>('self') === own) return [];
  return [{ name: 'self', value: encodeState(own) }];
}
