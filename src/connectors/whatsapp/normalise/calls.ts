// SPDX-License-Identifier: AGPL-3.0-or-later
import { bareJid, isSame, pairOf, personOf } from './address.ts';
import { childOf, childrenOf, unknown, type Frame, type Meaning } from './frame.ts';
import type { Context, StanzaNode } from './input.ts';
import { integer } from './plain.ts';
import { messageFrame, roomPlace } from './stanza.ts';

/** A `<call>`: who rings, takes up, hangs up. What is said in it never comes here. */
export function callFrame(context: Context, node: StanzaNode, raw: Uint8Array): Frame {
  const frame = messageFrame(context, node, raw);
  const [event] = childrenOf(node);
  const group = bareJid(event?.attrs['group-jid']);
  const { own } = context;
  const creator = personOf(own, event?.attrs['call-creator'], event?.attrs['caller_pn'], event?.attrs['caller_lid']);
  const isCreator = isSame(creator, frame.sender);
  return {
    ...frame,
    ...(isCreator ? { sender: { ...creator, device: frame.sender.device ?? creator.device } } : {}),
    ...(group === null ? {} : roomPlace('group', group)),
    isMessage: false,
    pairs: [...frame.pairs, ...pairOf(creator)],
  };
}

export function understandCall(node: StanzaNode): Meaning[] {
  const meanings = childrenOf(node).map((event): Meaning => {
    const { tag, attrs } = event;
    const callId = attrs['call-id'] ?? '';
    const seconds = integer(Number(attrs['duration'] ?? 'none'));
    return {
      body: {
        kind: 'call',
        event: tag,
        callId,
        callType: callType(event),
        ...(attrs['reason'] === undefined ? {} : { reason: attrs['reason'] }),
        ...(seconds === null ? {} : { seconds }),
      },
      revision: `${tag}/${callId}`,
    };
  });
  return meanings.length > 0 ? meanings : [unknown('call without event')];
}

/** Only offers tell what sort of call it is. */
function callType(event: StanzaNode): string | null {
  const { tag, attrs } = event;
  if (childOf(event, 'video') !== null || attrs['media'] === 'video') return 'video';
  return tag.startsWith('offer') ? 'audio' : null;
}
