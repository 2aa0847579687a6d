// SPDX-License-Identifier: AGPL-3.0-or-later
import { slugOf } from '../files/file-name.ts';
import type { PlannedConversation } from '../plan.ts';
import type { LocalTime } from '../../search/local-time.ts';

/** Relativity takes 10,000 events a file; events of ours that no line stands for come on top. */
const MOST_LINES = 9000;
/** Its viewer is at ease up to about 250 MB. */
const MOST_BYTES = 200_000_000;

/** A day of a conversation, or a part of one where it is long: one file. */
export interface Slice {
  readonly name: string;
  readonly conversation: PlannedConversation;
  readonly day: string;
  readonly part: number;
  readonly parts: number;
  /** Lines of the conversation's plan. */
  readonly from: number;
  readonly end: number;
}

/** Cuts an export by conversation and day, as reviewers expect. Follows from the selection alone, so that part N of M is the same always. */
export function slicesOf(
  conversations: readonly PlannedConversation[],
  zone: LocalTime,
  bytesOfLine: (leaf: number) => number,
): Slice[] {
  return conversations.flatMap((conversation) => {
    const days = daysOf(conversation, zone).map((day) => ({
      ...day,
      cuts: cutsOf(conversation, day.from, day.end, bytesOfLine),
    }));
    return days.flatMap(({ day, cuts }) =>
      cuts.map(({ from, end }, index) => ({
        name: nameOf(conversation, day, index + 1, cuts.length),
        conversation,
        day,
        part: index + 1,
        parts: cuts.length,
        from,
        end,
      })),
    );
  });
}

function daysOf({ lines }: PlannedConversation, zone: LocalTime): { day: string; from: number; end: number }[] {
  const days: { day: string; from: number; end: number }[] = [];
  lines.forEach(({ atMs }, at) => {
    const day = zone.day(atMs);
    const last = days.at(-1);
    if (last?.day === day) last.end = at + 1;
    else days.push({ day, from: at, end: at + 1 });
  });
  return days;
}

function cutsOf(
  { lines }: PlannedConversation,
  from: number,
  end: number,
  bytesOfLine: (leaf: number) => number,
): { from: number; end: number }[] {
  const cuts: { from: number; end: number }[] = [];
  let [start, bytes] = [from, 0];
  for (let at = from; at < end; at += 1) {
    const more = bytesOfLine(lines[at]?.leaf ?? 0);
    if (at > start && (at - start >= MOST_LINES || bytes + more > MOST_BYTES)) {
      cuts.push({ from: start, end: at });
      [start, bytes] = [at, 0];
    }
    bytes += more;
  }
  cuts.push({ from: start, end });
  return cuts;
}

function nameOf({ number, title }: PlannedConversation, day: string, part: number, parts: number): string {
  const slug = slugOf(title);
  const words = [
    String(number).padStart(4, '0'),
    ...(slug === '' ? [] : [slug]),
    day,
    ...(parts === 1 ? [] : [`part-${String(part).padStart(3, '0')}`]),
  ];
  return `rsmf/${words.join('_')}.rsmf`;
}
