// SPDX-License-Identifier: AGPL-3.0-or-later
import { isGroup, bareJid, pairOf, partyOf, personOf } from './address.ts';
import { childOf, childrenOf, textOf, unknown, type Frame, type Meaning } from './frame.ts';
import { groupJid, snapshotMeaning, understandGroupNotification } from './groups.ts';
import type { Context, StanzaNode } from './input.ts';
import { messageFrame, roomPlace } from './stanza.ts';

type Reader = (frame: Frame, node: StanzaNode) => Meaning[];

/** By the type of a `<notification>`. */
const TYPES: Readonly<Record<string, Reader>> = {
  'w:gp2': understandGroupNotification,
  encrypt: understandEncrypt,
  devices: understandDevices,
  picture: understandPicture,
  contacts: understandContacts,
  account_sync: understandAccount,
  status: (frame, node) => {
    const set = childOf(node, 'set');
    return contactState(frame, { about: set === null ? null : textOf(set) });
  },
  business: (frame, node) => contactState(frame, { business: childrenOf(node).map(({ tag }) => tag) }),
  mediaretry: () => sync('media-retry'),
  server_sync: (_frame, node) =>
    sync(
      `app-state ${childrenOf(node)
        .map(({ attrs }) => attrs['name'])
        .join(' ')}`,
    ),
  link_code_companion_reg: () => sync('link-code'),
  privacy_token: () => sync('privacy-token'),
};

export function notificationFrame(context: Context, node: StanzaNode, raw: Uint8Array): Frame {
  const frame = messageFrame(context, node, raw);
  const isRoom = frame.chat !== null && frame.chat.type !== 'direct' && frame.chat.type !== 'self';
  const none = { chat: null, chatKey: '', room: '', direction: 'none' } as const;
  return { ...frame, ...(isRoom ? {} : none), isMessage: false };
}

export function understandNotification(frame: Frame, node: StanzaNode): Meaning[] {
  const type = node.attrs['type'] ?? '';
  return TYPES[type]?.(frame, node) ?? [unknown(`notification ${type}`)];
}

/** Answer to a question about one group or all: one snapshot for each. */
export function snapshotsIn(
  context: Context,
  node: StanzaNode,
): { node: StanzaNode; frame: Pick<Frame, 'chat'>; meaning: Meaning }[] {
  const lists = childrenOf(node).flatMap((child) => (child.tag === 'groups' ? childrenOf(child) : [child]));
  return lists
    .filter(({ tag }) => tag === 'group')
    .map((group) => {
      const jid = groupJid(group);
      const place = jid === null ? { chat: null } : roomPlace('group', jid);
      return { node: { ...node, content: [group] }, frame: place, meaning: snapshotMeaning(context, group) };
    });
}

/** Somebody's key changed: a new phone, or a stolen number. Otherwise the server counts the one-time keys left. */
function understandEncrypt({ context, sender }: Frame, node: StanzaNode): Meaning[] {
  if (childOf(node, 'identity') === null) return sync('key-count');
  const party = partyOf(context, sender);
  return [{ body: { kind: 'identity-change', party, before: null, after: null, status: 'changed' } }];
}

/** Somebody linked or removed a device; of the owner's own account that is worth a look. */
function understandDevices(frame: Frame, node: StanzaNode): Meaning[] {
  const changes = childrenOf(node).map(({ tag, attrs, ...rest }) => ({
    what: tag,
    hash: attrs['device_hash'] ?? null,
    devices: childrenOf({ tag, attrs, ...rest }).map((device) => device.attrs['jid'] ?? null),
  }));
  return contactState(frame, { devices: changes });
}

function understandPicture(frame: Frame, node: StanzaNode): Meaning[] {
  const [change] = childrenOf(node);
  const { context } = frame;
  const isSet = change?.tag === 'set';
  if (!isGroup(bareJid(node.attrs['from']))) return contactState(frame, { picture: isSet ? 'changed' : 'removed' });
  const author = partyOf(context, personOf(context.own, change?.attrs['author'], change?.attrs['author_pn']));
  const value = isSet ? (change.attrs['id'] ?? 'changed') : null;
  return [{ body: { kind: 'group-update', changes: [{ what: 'picture', parties: [author], value }] } }];
}

/** Changed numbers among them: the old and the new one, each with both addresses where told. */
function understandContacts(frame: Frame, node: StanzaNode): Meaning[] {
  const { own } = frame.context;
  const changes = childrenOf(node).map(({ tag, attrs }) => {
    const person = personOf(own, attrs['jid'], attrs['new'], attrs['new_lid'], attrs['lid']);
    const old = personOf(own, attrs['old'], attrs['old_lid']);
    return { tag, person, old };
  });
  const { context } = frame;
  const state = changes.map(({ tag, person, old }) => ({
    what: tag,
    party: partyOf(context, person),
    before: tag === 'modify' ? partyOf(context, old) : null,
  }));
  const pairs = changes.flatMap(({ person, old }) => [...pairOf(person), ...pairOf(old)]);
  return [{ body: { kind: 'contacts', state: { changes: state } }, pairs }];
}

/** What the owner set for the account on another device. */
function understandAccount(frame: Frame, node: StanzaNode): Meaning[] {
  const { context } = frame;
  const meanings = childrenOf(node).map((child): Meaning => {
    const { tag, attrs } = child;
    if (tag === 'disappearing_mode') {
      return { body: { kind: 'timer', expiresInSeconds: Number(attrs['duration'] ?? 0) || 0 }, revision: tag };
    }
    if (tag === 'blocklist') {
      const changes = childrenOf(child).map((item) => ({
        what: item.attrs['action'] ?? 'block',
        party: partyOf(context, personOf(context.own, item.attrs['jid'], item.attrs['pn_jid'], item.attrs['lid'])),
      }));
      return { body: { kind: 'contacts', state: { blocked: changes } }, revision: tag };
    }
    return { body: { kind: 'sync', what: `account ${tag}` }, revision: tag };
  });
  return meanings.length > 0 ? meanings : sync('account');
}

function contactState({ context, sender }: Frame, change: Readonly<Record<string, unknown>>): Meaning[] {
  return [{ body: { kind: 'contacts', state: { party: partyOf(context, sender), ...change } }, pairs: pairOf(sender) }];
}

function sync(what: string): Meaning[] {
  return [{ body: { kind: 'sync', what } }];
}
