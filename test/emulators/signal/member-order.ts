// SPDX-License-Identifier: AGPL-3.0-or-later

import type { JsonValue } from './json.ts';

type JsonObject = { readonly [member: string]: JsonValue | undefined };

const dataMembers = [
  'timestamp',
  'message',
  'expiresInSeconds',
  'isExpirationUpdate',
  'viewOnce',
  'reaction',
  'quote',
  'payment',
  'mentions',
  'previews',
  'attachments',
  'sticker',
  'remoteDelete',
  'contacts',
  'pollCreate',
  'pollVote',
  'pollTerminate',
  'textStyles',
  'groupInfo',
  'storyContext',
  'pinMessage',
  'unpinMessage',
  'adminDelete',
];

const memberOrder = {
  payload: ['exception', 'envelope', 'account'],
  exception: ['message', 'type'],
  envelope: [
    'source',
    'sourceNumber',
    'sourceUuid',
    'sourceName',
    'sourceDevice',
    'timestamp',
    'serverReceivedTimestamp',
    'serverDeliveredTimestamp',
    'dataMessage',
    'editMessage',
    'storyMessage',
    'syncMessage',
    'callMessage',
    'receiptMessage',
    'typingMessage',
  ],
  dataMessage: dataMembers,
  editMessage: ['targetSentTimestamp', 'dataMessage'],
  syncMessage: ['sentMessage', 'sentStoryMessage', 'blockedNumbers', 'blockedGroupIds', 'readMessages', 'type'],
  sentMessage: ['destination', 'destinationNumber', 'destinationUuid', 'editMessage', ...dataMembers],
  groupInfo: ['groupId', 'groupName', 'revision', 'type'],
} as const satisfies Record<string, readonly string[]>;

type OrderedKind = keyof typeof memberOrder;

function isOrderedKind(name: string): name is OrderedKind {
  return Object.hasOwn(memberOrder, name);
}

/**
 * Puts the members of a payload into the order in which signal-cli declares them. Members that are not listed here
 * keep their place after the listed ones, and objects of other kinds keep the order in which they were written.
 */
export function inJacksonOrder(payload: JsonObject): JsonValue {
  return ordered(payload, 'payload');
}

function ordered(value: JsonValue, kind: string): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value;
  const object = value as JsonObject;
  const known: readonly string[] = isOrderedKind(kind) ? memberOrder[kind] : [];
  const names = [
    ...known.filter((name) => name in object),
    ...Object.keys(object).filter((name) => !known.includes(name)),
  ];
  const entries = names.map((name) => [name, object[name]] as const).filter(([, member]) => member !== undefined);
  return Object.fromEntries(entries.map(([name, member]) => [name, ordered(member ?? null, name)]));
}
