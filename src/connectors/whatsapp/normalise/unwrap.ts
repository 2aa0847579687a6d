// SPDX-License-Identifier: AGPL-3.0-or-later
import type { proto } from '@whiskeysockets/baileys/WAProto/index.js';

/** A member that says something, and what stood around it. */
export interface Unwrapped {
  readonly member: string;
  readonly message: proto.IMessage;
  readonly info: proto.IMessageContextInfo;
  readonly wrappers: ReadonlySet<string>;
}

/** Members that hold a whole message; what they add is that it came in them. */
export const WRAPPERS: ReadonlySet<string> = new Set([
  'deviceSentMessage',
  'viewOnceMessage',
  'viewOnceMessageV2',
  'viewOnceMessageV2Extension',
  'ephemeralMessage',
  'documentWithCaptionMessage',
  'editedMessage',
  'groupMentionedMessage',
  'botInvokeMessage',
  'lottieStickerMessage',
  'eventCoverImage',
  'statusMentionMessage',
  'pollCreationOptionImageMessage',
  'associatedChildMessage',
  'groupStatusMentionMessage',
  'pollCreationMessageV4',
  'statusAddYours',
  'groupStatusMessage',
  'groupStatusMessageV2',
  'limitSharingMessage',
  'botTaskMessage',
  'questionMessage',
  'questionReplyMessage',
  'botForwardedMessage',
]);

/** Members that are circumstances of the others. */
const CIRCUMSTANCES: ReadonlySet<string> = new Set([
  'messageContextInfo',
  'senderKeyDistributionMessage',
  'fastRatchetKeySenderKeyDistributionMessage',
]);

/** Clients nest three or four deep. What nests deeper than this stays unread, and is said to be. */
const DEEPEST = 128;

/** Stands for what lies too deep: no member of this name exists, so it is understood as unknown. */
const TOO_DEEP = 'nested too deep';

/** Honest messages have one. Each becomes a record with all the bytes, so that their number must not be the sender's choice. */
const MOST_MEMBERS = 16;

const TOO_MANY = 'more members than are read';

/** Every member that says something, out of however many wrappers. */
export function unwrap(message: proto.IMessage, outer: proto.IMessageContextInfo = {}): Unwrapped[] {
  const found: Unwrapped[] = [];
  unwrapInto(found, message, outer, new Set(), DEEPEST);
  const [last] = found.splice(MOST_MEMBERS);
  return last === undefined ? found : [...found, { ...last, member: TOO_MANY }];
}

function unwrapInto(
  found: Unwrapped[],
  message: proto.IMessage,
  outer: proto.IMessageContextInfo,
  wrappers: ReadonlySet<string>,
  depth: number,
): void {
  if (found.length > MOST_MEMBERS) return;
  const info = { ...outer, ...message.messageContextInfo };
  if (depth === 0) {
    found.push({ member: TOO_DEEP, message, info, wrappers });
    return;
  }
  for (const member of Object.keys(message)) {
    if (CIRCUMSTANCES.has(member)) continue;
    const inner = WRAPPERS.has(member) ? wrapped(message, member) : null;
    if (inner === null) found.push({ member, message, info, wrappers });
    else unwrapInto(found, inner, info, new Set([...wrappers, member]), depth - 1);
  }
}

function wrapped(message: proto.IMessage, member: string): proto.IMessage | null {
  const wrapper = message[member as keyof proto.IMessage];
  return typeof wrapper === 'object' && 'message' in wrapper!
    ? ((wrapper.message as proto.IMessage | null) ?? null)
    : null;
}
