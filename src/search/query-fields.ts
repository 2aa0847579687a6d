// SPDX-License-Identifier: AGPL-3.0-or-later
import { APPS } from '../record/vocabulary.ts';
import type { LocalTime } from './local-time.ts';
import type { QueryNode } from './query.ts';
import { FEATURES } from './searchable.ts';
import { parseSpan } from './query-time.ts';

/** Kinds of lines that `kind:` may ask for. */
export const KINDS = [
  'block-list',
  'call',
  'capture',
  'contacts',
  'delete-for-me',
  'edit',
  'empty',
  'gap',
  'group',
  'group-update',
  'hole',
  'identity-change',
  'intakes',
  'linked',
  'message',
  'never-captured',
  'read-sync',
  'receipt',
  'story',
  'sync',
  'timer',
  'typing',
  'unavailable',
  'undecryptable',
  'unknown',
  'unreadable',
] as const;

/** What a field makes of its value, or what it expected instead. */
type FieldReader = (value: string, zone: LocalTime) => QueryNode | { readonly expected: string };

const word = (value: string): string => value.replaceAll('-', '_');

function oneOf(prefix: string, values: readonly string[], also: Readonly<Record<string, string>> = {}): FieldReader {
  return (value) => {
    const asked = also[value.toLowerCase()] ?? value.toLowerCase();
    if (!values.includes(asked)) return { expected: values.join(', ') };
    return { op: 'facet', word: `${prefix}_${word(asked)}` };
  };
}

const span = (take: (from: number, before: number) => QueryNode): FieldReader => {
  return (value, zone) => {
    const found = parseSpan(value, zone);
    return found === null
      ? {
          expected:
            'a day such as 2026-11-22, a month, a year, a minute such as 2026-11-22T15:02, or two of them with ..',
        }
      : take(found.fromMs, found.beforeMs);
  };
};

const YES_NO = ['yes', 'no'];
const SAME = { true: 'yes', false: 'no' };

export const FIELDS: Readonly<Record<string, FieldReader>> = {
  from: (value) => ({ op: 'person', field: 'from', value }),
  to: (value) => ({ op: 'person', field: 'to', value }),
  custodian: (value) => ({ op: 'person', field: 'custodian', value }),
  tag: (value) => ({ op: 'tag', value: value.toLowerCase() }),
  matter: (value) => ({ op: 'matter', value }),
  saved: (value) => ({ op: 'saved', value }),
  in: (value) => ({ op: 'conversation', value }),
  on: span((fromMs, beforeMs) => ({ op: 'time', fromMs, beforeMs })),
  before: span((beforeMs) => ({ op: 'time', fromMs: null, beforeMs })),
  after: span((_from, fromMs) => ({ op: 'time', fromMs, beforeMs: null })),
  has: oneOf('h', FEATURES, {
    file: 'attachment',
    files: 'attachment',
    attachments: 'attachment',
    photo: 'image',
    reply: 'quote',
    url: 'link',
  }),
  kind: oneOf('k', KINDS),
  app: oneOf('p', APPS),
  edited: oneOf('e', YES_NO, SAME),
  deleted: oneOf('d', YES_NO, SAME),
};
