// SPDX-License-Identifier: AGPL-3.0-or-later
import type { MessageRef } from '../../../record/message.ts';
import { bareJid, isOwn, ownPerson, partyOf, personOf, type Person } from './address.ts';
import { childOf, childrenOf, type Frame, type Meaning } from './frame.ts';
import type { Context, StanzaNode } from './input.ts';
import { messageFrame } from './stanza.ts';

type State = 'delivered' | 'read' | 'viewed';

const STATES: Readonly<Record<string, State>> = {
  '': 'delivered',
  inactive: 'delivered',
  delivery: 'delivered',
  sender: 'delivered',
  read: 'read',
  played: 'viewed',
};

/** A `<receipt>` has the id of the message it is for, and no identity of its own: members that differ make another one. */
export function receiptFrame(context: Context, node: StanzaNode, raw: Uint8Array): Frame {
  const frame = { ...messageFrame(context, node, raw), isMessage: false };
  if (!isOwnReading(node)) return frame;
  return { ...frame, sender: ownPerson(context.own), direction: 'out' };
}

/** The owner read, or played, it on another device: who then stands as participant is its author. */
function isOwnReading({ attrs: { type } }: StanzaNode): boolean {
  return type === 'read-self' || type === 'played-self';
}

export function understandReceipt(frame: Frame, node: StanzaNode): Meaning[] {
  const { attrs } = node;
  const type = attrs['type'] ?? '';
  const ids = [attrs['id'] ?? '', ...itemsOf(node)].filter((id) => id !== '');
  const revision = [type, frame.sender.device ?? '', ...ids.slice(1)].join(' ');
  if (isOwnReading(node)) {
    const targets = refs(frame.context, readAuthor(frame, node), ids);
    return [{ body: { kind: 'read-sync', targets }, revision }];
  }
  const state = STATES[type];
  if (state === undefined) return [{ body: { kind: 'sync', what: `receipt ${type}` }, revision }];
  const targets = refs(frame.context, ownPerson(frame.context.own), ids);
  const summed = summary(frame, node, state, targets);
  return summed.length > 0 ? summed : [{ body: { kind: 'receipt', state, targets }, revision }];
}

/** Receipts of several people for one message of the owner's, in one stanza: who they are stands in the bytes. */
function summary(frame: Frame, node: StanzaNode, state: State, targets: readonly MessageRef[]): Meaning[] {
  const lists = childrenOf(node).filter(({ tag }) => tag === 'participants');
  return lists.flatMap((list, n) => {
    const key = list.attrs['key'];
    const named = key === undefined ? targets : refs(frame.context, ownPerson(frame.context.own), [key]);
    const body = { kind: 'receipt', state, targets: named } as const;
    return [{ body, revision: `${state} ${key ?? n}` }];
  });
}

/** Who wrote what an own device read: the participant of a group, else the other side. */
function readAuthor({ context, partner }: Frame, { attrs }: StanzaNode): Person {
  const named = personOf(context.own, attrs['participant']);
  const isOther = bareJid(attrs['participant']) !== null && !isOwn(context.own, named);
  return isOther ? named : partner;
}

function itemsOf(node: StanzaNode): string[] {
  const list = childOf(node, 'list');
  return list === null ? [] : childrenOf(list).map(({ attrs }) => attrs['id'] ?? '');
}

function refs(context: Context, author: Person, ids: readonly string[]): MessageRef[] {
  const party = partyOf(context, { ...author, device: null });
  return ids.map((id) => ({ author: party, sentAtMs: null, id }));
}
