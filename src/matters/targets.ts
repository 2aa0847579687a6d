// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Target } from '../access/act.ts';
import { Failure } from '../base/failure.ts';
import type { IndexDb } from '../search/index-db.ts';
import { oneConversation } from '../search/one-conversation.ts';
import { parseQuery } from '../search/query-parse.ts';

/** How people name what they mean; several are all of them. */
export interface Wanted {
  readonly leaf: readonly string[];
  readonly range: readonly string[];
  readonly conversation: readonly string[];
  readonly search?: string;
}

/** More hits than this are tagged as conversations, or by a narrower search: each is a record of its own. */
const MOST_HITS = 10_000;
const PAGE = 1000;

/** What tags and notes are about, in words of the log. Throws `matters/target`, `search/not-found`, `search/query`. */
export async function targetsOf(db: IndexDb, { leaf, range, conversation, search }: Wanted): Promise<Target[]> {
  const named: Target[] = [
    ...leaf.map((text): Target => ({ what: 'message', leaf: leafOf(db, text) })),
    ...range.map((text): Target => rangeOf(db, text)),
    ...(await Promise.all(conversation.map((name) => conversationOf(db, name)))),
  ];
  const hits = search === undefined ? [] : await hitsOf(db, search);
  return [...named, ...hits];
}

function leafOf(db: IndexDb, text: string): number {
  const leaf = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  if (leaf >= 0 && db.acts.hasLine(leaf)) return leaf;
  throw new Failure('matters/target', {
    expected: 'the leaf of a message of this archive',
    got: 'another number',
    fix: '`holdfast search --json` names the leaf of every hit',
  });
}

function rangeOf(db: IndexDb, text: string): Target {
  const [from = '', to = '', ...rest] = text.split('..');
  if (rest.length > 0)
    throw new Failure('matters/target', { expected: 'two leaves such as 12..40', got: 'another form' });
  return { what: 'range', from: leafOf(db, from), to: leafOf(db, to) };
}

async function conversationOf(db: IndexDb, name: string): Promise<Target> {
  const leaf = db.acts.leafOfConversation(oneConversation(await db.conversationsCalled(name)));
  if (leaf !== null) return { what: 'conversation', leaf };
  throw new Failure('search/not-found', { expected: 'a conversation with lines', got: 'one without' });
}

async function hitsOf(db: IndexDb, text: string): Promise<Target[]> {
  const query = parseQuery(text);
  const targets: Target[] = [];
  for (let after: string | null = null; ;) {
    const page = await db.search(query, { order: 'newest', limit: PAGE, after });
    targets.push(...page.hits.map(({ leaf }): Target => ({ what: 'message', leaf })));
    if (targets.length > MOST_HITS) {
      throw new Failure('matters/target', {
        expected: `a search with at most ${MOST_HITS} hits`,
        got: 'more',
        fix: 'narrow it, tag whole conversations, or save the search in the matter: it need not be tagged to be found',
      });
    }
    if (page.next === null) return targets;
    after = page.next;
  }
}
