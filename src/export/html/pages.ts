// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Plan, PlannedConversation } from '../plan.ts';

/** Lines on a page: browsers open it at once, and print it. */
const LINES_ON_A_PAGE = 2000;

/** A run of lines of one conversation. */
export interface Run {
  readonly conversation: PlannedConversation;
  readonly from: number;
  readonly end: number;
}

export interface Page {
  readonly file: string;
  readonly number: number;
  readonly runs: readonly Run[];
}

/** Pages of the export, each a file of its own; follows from the selection alone. */
export function pagesOf({ conversations }: Plan): Page[] {
  const pages: { file: string; number: number; runs: Run[] }[] = [];
  let left = 0;
  for (const conversation of conversations) {
    for (let from = 0; from < conversation.lines.length;) {
      if (left === 0) {
        pages.push({ file: fileOf(pages.length + 1), number: pages.length + 1, runs: [] });
        left = LINES_ON_A_PAGE;
      }
      const end = Math.min(conversation.lines.length, from + left);
      pages.at(-1)?.runs.push({ conversation, from, end });
      left -= end - from;
      from = end;
    }
  }
  return pages;
}

function fileOf(number: number): string {
  return number === 1 ? 'messages.html' : `messages-${String(number).padStart(4, '0')}.html`;
}
