// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Party, View } from '../record/message.ts';

/** What a view tells of who is in a group: everybody, or who came and went. */
export type MembershipNews =
  | { readonly all: readonly Party[] }
  | { readonly came: readonly Party[]; readonly went: readonly Party[] };

/** Words of messengers for changes of members, as they begin. */
const CAME = /^(?:group-participants?-)?(?:add|join|invite|accept|linked_group_join|create)(?![a-z])/i;
const WENT = /^(?:group-participants?-)?(?:remove|leave|left|kick)(?![a-z])/i;

export function membershipIn(view: View): MembershipNews | null {
  if (view.kind === 'group') {
    const members = member(groupIn(view.state), 'members') ?? member(view.state, 'participants');
    return Array.isArray(members) ? { all: members.flatMap((one: unknown) => partyOf(one) ?? []) } : null;
  }
  if (view.kind !== 'group-update' || view.changes === undefined) return null;
  const parties = (pattern: RegExp): Party[] =>
    (view.changes ?? []).flatMap(({ what, parties: concerned }) => (pattern.test(what) ? concerned : []));
  const [came, went] = [parties(CAME), parties(WENT)];
  return came.length + went.length === 0 ? null : { came, went };
}

/** What a conversation is called from this view on, if it says so. */
export function titleIn(view: View): string | null {
  const named = text(view.chat, 'name');
  if (named !== null || view.chat?.type !== 'group') return named;
  if (view.kind === 'group') return text(groupIn(view.state), 'name');
  if (view.kind !== 'group-update') return null;
  return (view.changes ?? []).findLast(({ what }) => what === 'subject')?.value ?? null;
}

/** One messenger's snapshot is the group, another's holds it. */
function groupIn(state: unknown): unknown {
  return member(state, 'group') ?? state;
}

/** People whom snapshots of an address book name, with the names it gives them. */
export function partiesIn(view: View): Party[] {
  switch (view.kind) {
    case 'contacts':
      return contactsIn(view.state);
    case 'identity-change':
      return [view.party];
    case 'group-update':
      return (view.changes ?? []).flatMap(({ parties }) => parties);
    case 'message':
    case 'edit':
    case 'story': {
      const { mentions, quote, storyReply } = view.content;
      const authors = [quote?.author, storyReply?.author].filter((author) => author !== undefined);
      return [...(mentions ?? []).map(({ party }) => party), ...authors];
    }
    default:
      return [];
  }
}

/** Address books come whole, in changes, one person at a time, or as two addresses of one person. */
function contactsIn(state: unknown): Party[] {
  const lists = ['contacts', 'identities', 'names', 'changes'].map((name) => member(state, name));
  const people = [state, ...lists].flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []));
  const pair = member(state, 'addresses');
  const single = [member(state, 'party'), { id: member(pair, 'lid'), phoneNumber: member(pair, 'pn') }];
  return [...people.map((one) => member(one, 'party') ?? one), ...single].flatMap((one) => partyOf(one) ?? []);
}

const NUMBER = /^\+\d{5,}$/;

/** Messengers name members by a plain identifier or number, or by an object that holds both. */
function partyOf(value: unknown): Party | null {
  if (typeof value === 'string') return NUMBER.test(value) ? { id: null, number: value } : { id: value };
  const id = text(value, 'uuid') ?? text(value, 'id') ?? text(value, 'jid') ?? text(value, 'lid');
  const number = text(value, 'number') ?? numberIn(text(value, 'phoneNumber'));
  if (id === null && number === null) return null;
  const name = text(value, 'name') ?? text(value, 'profile_name') ?? text(value, 'notify') ?? text(value, 'username');
  return { id, number, name };
}

/** The number in an address such as `12025550100@s.whatsapp.net`. */
function numberIn(address: string | null): string | null {
  const digits = /^\+?(\d{5,})(?:[:@]|$)/.exec(address ?? '')?.[1];
  return digits === undefined ? null : `+${digits}`;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function text(value: unknown, name: string): string | null {
  const found = member(value, name);
  return typeof found === 'string' && found !== '' ? found : null;
}
