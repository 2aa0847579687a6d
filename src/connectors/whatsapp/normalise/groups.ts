// SPDX-License-Identifier: AGPL-3.0-or-later
import type { GroupChange, Party } from '../../../record/message.ts';
import { bareJid, pairOf, partyOf, personOf, type Person } from './address.ts';
import { childOf, childrenOf, secondsToMs, textOf, type Frame, type Meaning } from './frame.ts';
import type { AddressPair, Context, StanzaNode } from './input.ts';
import { text } from './plain.ts';

/** A `w:gp2` notification: all its changes, not only the first; a snapshot of the members where it brings one; a timer where it sets one. */
export function understandGroupNotification({ context }: Frame, node: StanzaNode): Meaning[] {
  const children = childrenOf(node);
  const changes = children.map((child) => changeOf(context, child));
  const update: Meaning = {
    body: { kind: 'group-update', changes },
    pairs: children.flatMap((child) => membersOf(context, child).flatMap((member) => pairOf(member.person))),
  };
  const snapshots = children.flatMap((child) => {
    const group = child.tag === 'create' ? childOf(child, 'group') : null;
    return group === null ? [] : [snapshotMeaning(context, group)];
  });
  const timers = children.flatMap((child): Meaning[] => {
    const isTimer = child.tag === 'ephemeral' || child.tag === 'not_ephemeral';
    return isTimer ? [{ body: { kind: 'timer', expiresInSeconds: Number(child.attrs['expiration'] ?? 0) || 0 } }] : [];
  });
  return [update, ...snapshots, ...timers];
}

function changeOf(context: Context, child: StanzaNode): GroupChange {
  const parties = membersOf(context, child).map(({ person }) => partyOf(context, person));
  return { what: child.tag, parties, value: valueOf(child) };
}

/** What it is now, wherever the kind of change puts it. */
function valueOf(child: StanzaNode): string | null {
  const { attrs } = child;
  const body = childOf(child, 'body');
  const join = childOf(child, 'group_join');
  const group = childOf(child, 'group');
  return (
    attrs['subject'] ??
    attrs['expiration'] ??
    attrs['code'] ??
    attrs['reason'] ??
    (body === null ? null : textOf(body)) ??
    join?.attrs['state'] ??
    group?.attrs['subject'] ??
    text(textOf(child))
  );
}

interface Member {
  readonly person: Person;
  readonly role: string;
  readonly name: string | null;
}

/** Members that a node names: those of a change, of a request, of a whole group. */
function membersOf({ own }: Context, node: StanzaNode): Member[] {
  const inner = childOf(node, 'group');
  const named = [...childrenOf(node), ...(inner === null ? [] : childrenOf(inner))];
  return named
    .filter(({ tag, attrs }) => attrs['jid'] !== undefined && (tag === 'participant' || tag.startsWith('requested')))
    .map(({ attrs }) => ({
      person: personOf(own, attrs['jid'], attrs['phone_number'], attrs['lid']),
      role: attrs['type'] ?? 'member',
      name: text(attrs['display_name'] ?? attrs['participant_username']),
    }));
}

/** The state of a group as the server tells it: who is in it, and under which rules. */
export function snapshotMeaning(context: Context, group: StanzaNode): Meaning {
  const { attrs } = group;
  const members = membersOf(context, group);
  const flags = childrenOf(group).flatMap(({ tag }) => (FLAGS.has(tag) ? [tag] : []));
  const description = childOf(group, 'description');
  const body = description === null ? null : childOf(description, 'body');
  const { own } = context;
  const state = {
    id: groupJid(group),
    name: text(attrs['subject']),
    nameSetAtMs: secondsToMs(attrs['s_t']),
    nameSetBy: partyOrNull(context, personOf(own, attrs['s_o'], attrs['s_o_pn'])),
    createdAtMs: secondsToMs(attrs['creation']),
    createdBy: partyOrNull(context, personOf(own, attrs['creator'], attrs['creator_pn'])),
    addressing: text(attrs['addressing_mode']),
    description: body === null ? null : textOf(body),
    parent: text(childOf(group, 'linked_parent')?.attrs['jid']),
    expiresInSeconds: Number(childOf(group, 'ephemeral')?.attrs['expiration'] ?? 0) || null,
    rules: flags,
    memberAddMode: modeOf(group),
    members: members.map(({ person, role, name }) => ({ ...partyOf(context, person, name), role })),
  };
  const pairs: AddressPair[] = members.flatMap(({ person }) => pairOf(person));
  return { body: { kind: 'group', state }, revision: state.id ?? '', pairs };
}

const FLAGS: ReadonlySet<string> = new Set([
  'announcement',
  'locked',
  'parent',
  'default_sub_group',
  'membership_approval_mode',
  'no_frequently_forwarded',
  'allow_non_admin_sub_group_creation',
  'suspended',
  'support',
  'incognito',
]);

function modeOf(group: StanzaNode): string | null {
  const mode = childOf(group, 'member_add_mode');
  return mode === null ? null : textOf(mode);
}

/** A group's own node names it without server. */
export function groupJid({ attrs }: StanzaNode): string | null {
  const { id } = attrs;
  if (id === undefined) return null;
  return id.includes('@') ? bareJid(id) : `${id}@g.us`;
}

function partyOrNull(context: Context, person: Person): Party | null {
  const party = partyOf(context, person);
  return party.id === null && (party.number ?? null) === null ? null : party;
}
