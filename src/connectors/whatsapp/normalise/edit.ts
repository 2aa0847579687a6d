// SPDX-License-Identifier: AGPL-3.0-or-later
import type { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { isOther } from './address.ts';
import { contentOf, spokenOf } from './content.ts';
import { refKey, unknown, type Frame, type Meaning } from './frame.ts';
import type { Target } from './said.ts';
import { unwrap, type Unwrapped } from './unwrap.ts';

/** What takes the place of an earlier message. `edited` is the whole new message. */
export function editMeaning(frame: Frame, target: Target, edited: proto.IMessage, sentAtMs: number | null): Meaning {
  // Anybody in a conversation can write such a key; clients show nothing of it.
  if (isOther(frame.context, frame.sender, target.author))
    return { ...unknown('edit of what another wrote'), sentAtMs };
  const [first] = unwrap(edited).flatMap((unwrapped) => editOf(frame, target, unwrapped));
  if (first === undefined) return { ...unknown('edit of an unknown kind'), sentAtMs };
  return { ...first, revision: refKey(target.ref), sentAtMs };
}

function editOf(frame: Frame, target: Target, unwrapped: Unwrapped): Meaning[] {
  const spoken = spokenOf(unwrapped.member, unwrapped.message, frame);
  if (spoken === null) return [];
  const { content, media } = contentOf({ frame, ...unwrapped }, spoken);
  return [{ body: { kind: 'edit', target: target.ref, content }, media }];
}
