// SPDX-License-Identifier: AGPL-3.0-or-later
import { keyOf } from './address.ts';
import type { Meaning } from './frame.ts';
import type { Said } from './said.ts';
import { optionHash, remember } from './secrets.ts';

/** Edits, votes and reactions to come are sealed under this message's secret: it is kept, with what a vote's hashes stand for. */
export function memoryOf(
  { frame, info }: Pick<Said, 'frame' | 'info'>,
  options: readonly string[],
): Pick<Meaning, 'memory'> {
  const { context, room, sender, id, atMs, isMessage } = frame;
  const secret = info.messageSecret ?? null;
  if (!isMessage || id === null || secret === null) return {};
  const message = { room, sender: keyOf(sender), id };
  const memory = remember(context, message, { secret, sentAtMs: atMs, options: options.map(optionHash) });
  return memory === null ? {} : { memory: [memory] };
}
