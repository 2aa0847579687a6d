// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Party } from '../../../record/message.ts';
import type { AddressPair, Context, OwnAddresses } from './input.ts';

/** A JID in its parts: `user[_agent][:device]@server`. */
export interface Address {
  readonly user: string;
  readonly device: number | null;
  readonly server: string;
}

/** Servers under which a business's hosted devices appear, and the old name of phone-number users. */
const SAME_SERVER: Readonly<Record<string, string>> = {
  'c.us': 's.whatsapp.net',
  hosted: 's.whatsapp.net',
  'hosted.lid': 'lid',
};
const JID = /^([^@:]*?)(?:_(\d{1,5}))?(?::(\d{1,5}))?@([^@]+)$/;

export function addressOf(jid: string | null | undefined): Address | null {
  const match = JID.exec(jid ?? '');
  if (match === null) return null;
  const [, user = '', , device, server = ''] = match;
  return { user, device: device === undefined ? null : Number(device), server: SAME_SERVER[server] ?? server };
}

/** Without agent and device: names the person, group or list. Null if it is no JID. */
export function bareJid(jid: string | null | undefined): string | null {
  const address = addressOf(jid);
  return address === null ? null : `${address.user}@${address.server}`;
}

export function isLid(jid: string | null): boolean {
  return jid !== null && jid.endsWith('@lid');
}

export function isPn(jid: string | null): boolean {
  return jid !== null && jid.endsWith('@s.whatsapp.net');
}

export function isGroup(jid: string | null): boolean {
  return jid !== null && jid.endsWith('@g.us');
}

export const STATUS = 'status@broadcast';

/** A person by all addresses that one stanza tells: bare JIDs. */
export interface Person {
  readonly lid: string | null;
  readonly pn: string | null;
  /** What is neither: a bot, a newsletter, the server. */
  readonly other: string | null;
  readonly device: number | null;
}

export const NOBODY: Person = { lid: null, pn: null, other: null, device: null };

/** Of several JIDs for one person, in any order. Device from the first that has one. */
export function personOf(own: OwnAddresses, ...jids: readonly (string | null | undefined)[]): Person {
  let person: Person = NOBODY;
  for (const jid of jids) {
    const bare = bareJid(jid);
    if (bare === null) continue;
    const device = person.device ?? addressOf(jid)?.device ?? null;
    if (isLid(bare)) person = { ...person, device, lid: person.lid ?? bare };
    else if (isPn(bare)) person = { ...person, device, pn: person.pn ?? bare };
    else person = { ...person, device, other: person.other ?? bare };
  }
  return isOwn(own, person) ? { ...person, pn: own.pn, lid: own.lid ?? person.lid } : person;
}

export function isOwn(own: OwnAddresses, { lid, pn }: Person): boolean {
  return (pn !== null && pn === own.pn) || (lid !== null && lid === own.lid);
}

/** Known to be one person by a common address; never by the lack of one. */
export function isSame(one: Person, other: Person): boolean {
  return (one.lid !== null && one.lid === other.lid) || (one.pn !== null && one.pn === other.pn);
}

/** Known to be two people: comparable addresses, and all of them differ. */
export function isOther(context: Context, one: Person, another: Person): boolean {
  const left = complete(context, one);
  const right = complete(context, another);
  const isLidOther = left.lid !== null && right.lid !== null && left.lid !== right.lid;
  const isPnOther = left.pn !== null && right.pn !== null && left.pn !== right.pn;
  return (isLidOther || isPnOther) && !isSame(left, right);
}

export function ownPerson(own: OwnAddresses): Person {
  return { lid: own.lid, pn: own.pn, other: null, device: null };
}

export function isNobody({ lid, pn, other }: Person): boolean {
  return lid === null && pn === null && other === null;
}

/** Both ids, the one that the stanza does not tell from what was learnt before. */
export function partyOf(context: Context, person: Person, name?: string | null): Party {
  const { lid, pn, other, device } = complete(context, person);
  return {
    id: lid ?? (pn === null ? other : null),
    number: pn === null ? null : numberOf(pn),
    ...(name === undefined ? {} : { name }),
    ...(device === null ? {} : { device }),
  };
}

export function partyOfJid(context: Context, ...jids: readonly (string | null | undefined)[]): Party {
  return partyOf(context, personOf(context.own, ...jids));
}

function complete(context: Context, person: Person): Person {
  const { lid, pn } = person;
  if (lid !== null && pn === null) return { ...person, pn: bareJid(context.counterpart(lid)) };
  if (pn !== null && lid === null) return { ...person, lid: bareJid(context.counterpart(pn)) };
  return person;
}

/** Every bare JID under which others, or keys derived from JIDs, may name this person; the likeliest first. */
export function aliasesOf(context: Context, person: Person): string[] {
  const { lid, pn, other } = complete(context, person);
  return [lid, pn, other].filter((jid) => jid !== null);
}

/**
 * How identities name a person: by LID, else by number, from the stanza alone. What was learnt elsewhere must not matter, or one
 * message would have another identity the second time it comes.
 */
export function keyOf({ lid, pn, other }: Person): string {
  return lid ?? pn ?? other ?? '';
}

export function pairOf({ lid, pn }: Person): AddressPair[] {
  return lid === null || pn === null ? [] : [{ lid, pn }];
}

function numberOf(pn: string): string {
  return `+${pn.slice(0, pn.indexOf('@'))}`;
}
