// SPDX-License-Identifier: AGPL-3.0-or-later
import { callFrame, understandCall } from './normalise/calls.ts';
import { childOf, nowhere, secondsToMs, understood, unknown, type Frame, type Meaning } from './normalise/frame.ts';
import type { Context, DecryptedInput, StanzaInput, StanzaNode, Understood } from './normalise/input.ts';
import { historyMessage } from './normalise/history-message.ts';
import { understandMessage } from './normalise/message.ts';
import { notificationFrame, snapshotsIn, understandNotification } from './normalise/notifications.ts';
import { encodeRaw, type RawDocument } from './normalise/raw.ts';
import { receiptFrame, understandReceipt } from './normalise/receipts.ts';
import { messageFrame, recipientsOf } from './normalise/stanza.ts';
import { understandUnread } from './normalise/unread-message.ts';
import { asField } from './normalise/wire.ts';

export { normaliseMutation } from './normalise/app-state.ts';
export { normaliseAppState, normaliseRecords } from './normalise/app-state-patches.ts';
export { normaliseHistory } from './normalise/history.ts';
export type * from './normalise/input.ts';

// Pure, and none of them throws, whatever the bytes are: what cannot be understood is `unknown`, and its bytes are kept as they came.

type AtLeastOne = readonly [Understood, ...Understood[]];

/** What one decrypted part of a message says. */
export function normaliseDecrypted(input: DecryptedInput, context: Context): AtLeastOne {
  const { node, part, plaintext } = input;
  const raw = encodeRaw(
    { origin: 'stanza', facts: { part }, stanza: node, parts: [{ is: 'plaintext', bytes: plaintext }] },
    isPlain(node, part) ? null : part,
  );
  return safely(context, node, raw, () => {
    const bytes = isPlain(node, part) ? plaintext : unpadded(plaintext);
    const frame = messageFrame(context, node, raw);
    if (bytes === null) return [understood(frame, unknown('padding'))];
    return understandMessage(frame, bytes).flatMap((meaning) => [
      understood(frame, withRecipients(context, node, meaning)),
      ...(meaning.resent ?? []).flatMap((info) => resent(context, info)),
    ]);
  });
}

/** What a stanza says of which nothing was decrypted. */
export function normaliseStanza({ node, failure }: StanzaInput, context: Context): AtLeastOne {
  const raw = rawOf(node, failure);
  return safely(context, node, raw, () => {
    switch (node.tag) {
      case 'message':
        return [understood(messageFrame(context, node, raw), understandUnread(node, failure))];
      case 'receipt':
        return all(receiptFrame(context, node, raw), (frame) => understandReceipt(frame, node));
      case 'notification':
        return all(notificationFrame(context, node, raw), (frame) => understandNotification(frame, node));
      case 'call':
        return all(callFrame(context, node, raw), () => understandCall(node));
      case 'chatstate':
        return [understood(unnamed(messageFrame(context, node, raw)), typing(node))];
      case 'iq':
        return answer(context, node, raw);
      default:
        return [];
    }
  });
}

/** A message that the phone sent again whole, in the form that history has; the stanza is a record of its own. */
function resent(context: Context, info: Uint8Array): Understood[] {
  const bytes = asField(1, info);
  const parts = [{ is: 'history-message', bytes }] as const;
  const raw = encodeRaw({ origin: 'history', facts: { resent: true }, stanza: null, parts });
  const { frame, meanings } = historyMessage(context, raw, null, bytes);
  return meanings.map(({ of = frame, ...meaning }) => understood(of, meaning));
}

/** Snapshots of groups; of an account that is in none, that. */
function answer(context: Context, node: StanzaNode, raw: Uint8Array): Understood[] {
  const snapshots = snapshotsIn(context, node).map((one) => {
    const frame = { ...plainFrame(context, one.node, rawOf(one.node)), ...one.frame };
    return understood(frame, one.meaning);
  });
  const isEmpty = snapshots.length === 0 && childOf(node, 'groups') !== null;
  return isEmpty
    ? [understood(plainFrame(context, node, raw), { body: { kind: 'sync', what: 'no-groups' } })]
    : snapshots;
}

/** Two stanzas of this sort are never the same: their identity is their bytes. */
function unnamed(frame: Frame): Frame {
  return { ...frame, id: null, isMessage: false };
}

function typing(node: StanzaNode): Meaning {
  const [state] = Array.isArray(node.content) ? (node.content as readonly StanzaNode[]) : [];
  const action = state?.attrs['media'] === undefined ? (state?.tag ?? '') : `${state.tag} ${state.attrs['media']}`;
  return { body: { kind: 'typing', action }, revision: action };
}

function all(frame: Frame, meanings: (frame: Frame) => Meaning[]): Understood[] {
  return meanings(frame).map((meaning) => understood(frame, meaning));
}

/** An own message to a list: its members stand in the stanza only. */
function withRecipients(context: Context, node: StanzaNode, meaning: Meaning): Meaning {
  const recipients = recipientsOf(context, node);
  const { body } = meaning;
  if (recipients.length === 0 || body.kind !== 'message') return meaning;
  return { ...meaning, body: { ...body, content: { ...body.content, recipients } } };
}

function isPlain(node: StanzaNode, part: number): boolean {
  const child = Array.isArray(node.content) ? (node.content as readonly StanzaNode[])[part] : undefined;
  return child?.tag === 'plaintext';
}

/** The last byte says how many bytes of padding there are. Null if it cannot be. */
function unpadded(plaintext: Uint8Array): Uint8Array | null {
  const padding = plaintext.at(-1);
  if (padding === undefined || padding > plaintext.length) return null;
  return plaintext.subarray(0, plaintext.length - padding);
}

function rawOf(node: StanzaNode, failure?: string): Uint8Array {
  const facts: RawDocument['facts'] = failure === undefined ? {} : { failure };
  return encodeRaw({ origin: 'stanza', facts, stanza: node, parts: [] });
}

function plainFrame(context: Context, { attrs }: StanzaNode, raw: Uint8Array): Frame {
  return { ...nowhere(context, raw), id: attrs['id'] ?? null, atMs: secondsToMs(attrs['t']) };
}

/** The bytes are at hand: whatever the understanding makes of them, one capture with them comes out. */
function safely(context: Context, node: StanzaNode, raw: Uint8Array, read: () => Understood[]): AtLeastOne {
  try {
    const [first, ...more] = read();
    if (first !== undefined) return [first, ...more];
  } catch {
    const frame = node.tag === 'message' ? messageFrame(context, node, raw) : plainFrame(context, node, raw);
    return [understood(frame, unknown('not understood'))];
  }
  return [understood(plainFrame(context, node, raw), unknown(`stanza ${node.tag}`))];
}
