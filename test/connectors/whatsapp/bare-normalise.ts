// SPDX-License-Identifier: AGPL-3.0-or-later

import { createHash } from 'node:crypto';
import { proto } from '@whiskeysockets/baileys';
import type { View } from '../../../src/record/message.ts';
import type { Normalise } from '../../../src/connectors/whatsapp/meaning.ts';
import type { Context, StanzaNode, Understood } from '../../../src/connectors/whatsapp/normalise/input.ts';

/** The least that one can understand: who, where, and a text. For tests that are about capture, not about meaning. */
export const BARE: Normalise = {
  decrypted({ node, plaintext }, { own }) {
    const message = plaintext.subarray(0, plaintext.length - (plaintext.at(-1) ?? 0));
    const bytes = Buffer.concat([Buffer.from([0]), message]);
    return [understood(node, own, { kind: 'message', content: { text: textOf(message) } }, bytes, true)];
  },
  stanza({ node, failure }, { own }) {
    const bytes = Buffer.from(JSON.stringify(node));
    return failure === undefined
      ? [understood(node, own, { kind: 'unknown', reason: node.tag }, bytes, true)]
      : [understood(node, own, { kind: 'undecryptable', reason: failure }, bytes, false)];
  },
};

function understood(
  { tag, attrs }: StanzaNode,
  own: Context['own'],
  body: Readonly<Record<string, unknown>> & { readonly kind: View['kind'] },
  raw: Buffer,
  isComplete: boolean,
): Understood {
  const { from = '', participant = '', id = '' } = attrs;
  const ref = { chat: from, sender: participant, id, kind: 'ref', revision: '' };
  const revision = createHash('sha256').update(raw).digest('hex');
  const head = { v: 1, app: 'whatsapp', account: { id: own.pn }, direction: 'in', chat: null, sender: null };
  return {
    native: { ...ref, kind: body.kind, revision },
    view: { ...head, sentAtMs: null, serverAtMs: null, ...body } as View,
    raw,
    ref: tag === 'message' ? ref : null,
    isComplete,
    media: [],
    memory: [],
    pairs: [],
    history: null,
  };
}

function textOf(bytes: Uint8Array): string | null {
  try {
    const message = proto.Message.decode(bytes);
    return (message.deviceSentMessage?.message ?? message).conversation ?? null;
  } catch {
    return null;
  }
}
