// SPDX-License-Identifier: AGPL-3.0-or-later
import { decodeText, fields, parseJson, text, type Fields } from './json.ts';
import { understandData, understandEdit } from './normalise/data-message.ts';
import { frameOf, NOWHERE, rawStamp, understood, type Frame, type Understood } from './normalise/frame.ts';
import { incomingPlace } from './normalise/place.ts';
import { understandCall, understandReceipt, understandStory, understandTyping } from './normalise/signals.ts';
import { understandSync } from './normalise/sync-message.ts';

export type { Understood } from './normalise/frame.ts';

/** Every member that an envelope may carry its content in. */
const KINDS: Readonly<Record<string, (frame: Frame, member: Fields) => Understood[]>> = {
  dataMessage: (frame, data) => understandData(frame, incomingPlace(frame, data), data),
  editMessage: (frame, edit) => {
    const data = fields(edit['dataMessage']) ?? {};
    return [understandEdit(frame, incomingPlace(frame, data), edit, data)];
  },
  storyMessage: understandStory,
  syncMessage: understandSync,
  callMessage: understandCall,
  receiptMessage: understandReceipt,
  typingMessage: understandTyping,
};

const HEAD: ReadonlySet<string> = new Set([
  'source',
  'sourceNumber',
  'sourceUuid',
  'sourceName',
  'sourceDevice',
  'timestamp',
  'serverReceivedTimestamp',
  'serverDeliveredTimestamp',
]);

/**
 * What one frame (the bytes of `params`) says: at least one capture, whatever the bytes are. Pure, and never throws: what cannot be
 * understood is `unknown`, and its bytes are kept as they came.
 */
export function normalise(raw: Uint8Array, account: string): readonly [Understood, ...Understood[]] {
  try {
    const wrapper = fields(parseJson(decodeText(raw)));
    if (wrapper === null) return [unknownFrame(raw, account, 'not an object')];
    const [first, ...more] = understandWrapper(raw, account, wrapper);
    return first === undefined ? [unknownFrame(raw, account, 'no envelope')] : [first, ...more];
  } catch (error) {
    return [unknownFrame(raw, account, error instanceof SyntaxError ? 'not JSON' : 'not understood')];
  }
}

/** Bytes that belong to the account and of which nothing is known. Equal bytes are one capture, whichever intake brings them. */
export function unknownFrame(raw: Uint8Array, account: string, reason: string): Understood {
  const nobody = { sender: null, senderKey: '', headerAtMs: null, serverAtMs: null };
  return understood({ account, stamp: rawStamp(raw), ...nobody }, NOWHERE, { body: { kind: 'unknown', reason } });
}

function understandWrapper(raw: Uint8Array, account: string, wrapper: Fields): Understood[] {
  const envelope = fields(wrapper['envelope']);
  const exception = fields(wrapper['exception']);
  if (envelope === null && exception === null) return [];
  const frame = frameOf(account, envelope ?? {}, raw);
  const found = exception === null ? [] : [undecryptable(frame, exception)];
  for (const [name, understand] of Object.entries(KINDS)) {
    const member = fields(envelope?.[name]);
    if (member !== null) found.push(...understand(frame, member));
  }
  return found.length > 0 ? found : [contentless(frame, envelope ?? {})];
}

/** Only the head of a message came: it could not be decrypted, or its sender's key is not trusted. */
function undecryptable(frame: Frame, exception: Fields): Understood {
  const reason = text(exception['type']) ?? 'unknown';
  const place = { chat: { type: 'unknown', id: null }, chatKey: '', direction: 'in' } as const;
  return understood(frame, place, { body: { kind: 'undecryptable', reason }, revision: reason });
}

function contentless(frame: Frame, envelope: Fields): Understood {
  const stranger = Object.keys(envelope).some((name) => !HEAD.has(name) && envelope[name] !== null);
  return understood(frame, NOWHERE, {
    body: stranger ? { kind: 'unknown', reason: 'unknown member' } : { kind: 'empty' },
  });
}
