// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import type { Query } from '../search/query.ts';

/** What is asked for. What is around it comes along by the {@link ContextRule}. */
export type Selection =
  | { readonly by: 'query'; readonly query: Query }
  /** Whole: `#number`, title, the messenger's identifier, or the other one's name. */
  | { readonly by: 'conversation'; readonly name: string }
  /** Ids of records, hex: each stands for the line it is part of. */
  | { readonly by: 'records'; readonly ids: readonly string[] };

/**
 * How much of a conversation comes with a hit. The default is the window that a court set in Lubrizol v. IBM (N.D. Ohio, 15 May 2023):
 * all of it where it has 20 messages or fewer, else 10 messages before and after each hit.
 */
export interface ContextRule {
  readonly wholeUpTo: number;
  readonly around: number;
}

export const DEFAULT_CONTEXT: ContextRule = { wholeUpTo: 20, around: 10 };

const RECORD_ID = /^[0-9a-f]{64}$/;

/** Ids of records, one a line; empty lines and what stands behind `#` do not count. Throws `export/option`. */
export function parseRecordIds(text: string): string[] {
  const ids = text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().toLowerCase())
    .filter((line) => line !== '');
  const wrong = ids.findIndex((id) => !RECORD_ID.test(id));
  if (wrong === -1 && ids.length > 0) return [...new Set(ids)];
  throw new Failure('export/option', {
    expected: 'ids of records, 64 hexadecimal digits, one a line',
    got: ids.length === 0 ? 'none' : `something else as number ${wrong + 1}`,
    where: '--records',
  });
}

/** The selection in words, for whoever reads the export. */
export function selectionText(selection: Selection): string {
  switch (selection.by) {
    case 'query':
      return selection.query.root === null ? 'everything' : `messages that match: ${selection.query.text}`;
    case 'conversation':
      return `the whole conversation ${selection.name}`;
    case 'records':
      return `${selection.ids.length} records, by their ids`;
  }
}

export function contextText({ wholeUpTo, around }: ContextRule): string {
  return `a conversation of up to ${wholeUpTo} messages comes whole; of a longer one, ${around} messages before and after each hit`;
}
