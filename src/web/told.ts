// SPDX-License-Identifier: AGPL-3.0-or-later
import type { z } from 'zod';
import type { Content } from '../record/message.ts';
import { describeLine } from '../search/describe.ts';
import type { Conversation, GapRow, Hit, IndexState, Named, ShownLine } from '../search/index-db.ts';
import type { LocalTime } from '../search/local-time.ts';
import type { Query } from '../search/query.ts';
import { snippetOf } from '../search/snippet.ts';
import type { conversationForm, gapForm, hitForm, indexForm, lineForm, namedForm } from './forms.ts';

/** What the index answers, in the forms of the API. */

export function toldIndex({ position, records, lines, unreadable, awaited }: IndexState): z.input<typeof indexForm> {
  const { origin, size, at } = position;
  return { origin, checkpoint: size, at, records, lines, unreadable, awaited };
}

export function toldHit(hit: Hit, { root }: Query, time: LocalTime): z.input<typeof hitForm> {
  const { leaf, conversation, title, kind, atMs, author, text, edited, deleted, copies } = hit;
  const when = { at: iso(atMs) ?? UNKNOWN, local: time.text(atMs) };
  const by = author === null ? null : toldNamed(author);
  return {
    leaf,
    conversation,
    title,
    kind,
    ...when,
    author: by,
    snippet: snippetOf(text, root),
    edited,
    deleted,
    copies,
  };
}

export function toldConversation(one: Conversation): z.input<typeof conversationForm> {
  const { id, app, type, title, lines, firstMs, lastMs } = one;
  return { id, app, type, title, lines, first: iso(firstMs), last: iso(lastMs) };
}

export function toldGap({
  leaf,
  app,
  account,
  cause,
  scope,
  state,
  sinceMs,
  untilMs,
}: GapRow): z.input<typeof gapForm> {
  const whose = account === null ? null : toldNamed(account);
  return { leaf, app, account: whose, cause, scope, state, since: iso(sinceMs), until: iso(untilMs) };
}

export function toldLine(shown: ShownLine, time: LocalTime): z.input<typeof lineForm> {
  const { id, atMs, line, people, members } = shown;
  const { kind, author, sentAtMs, serverAtMs, versions, deleted, reactions, votes, receipts, marks } = line;
  const { files, capturedBy, leaves, defects } = line;
  const { who, said, below } = describeLine(shown, time);
  return {
    mark: id,
    leaf: leaves[0] ?? 0,
    kind,
    at: iso(atMs) ?? UNKNOWN,
    local: time.text(atMs),
    told: { who, said: [...said], below: [...below] },
    author,
    sent: iso(sentAtMs),
    server: iso(serverAtMs),
    versions: versions.map(({ content, atMs: at, leaf }) => ({ content: toldContent(content), atMs: at, leaf })),
    deleted,
    reactions: [...reactions],
    votes: votes.map((vote) => ({ ...vote, options: vote.options === null ? null : [...vote.options] })),
    receipts: [...receipts],
    marks: [...marks],
    files: files.map(({ attachment, held }) => ({ attachment: withoutKey(attachment), held })),
    capturedBy: [...capturedBy],
    leaves: [...leaves],
    defects: [...defects],
    people: [...people.values()].map(toldNamed),
    members: members === null ? null : members.map(toldNamed),
  };
}

function toldContent(content: Content): z.input<typeof lineForm>['versions'][number]['content'] {
  const { attachments, ...rest } = content;
  return attachments === undefined ? rest : { ...rest, attachments: attachments.map(withoutKey) };
}

/** What opens the file at the messenger's server is nobody's to have. */
function withoutKey(attachment: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(attachment).filter(([name]) => name !== 'source'));
}

export function toldNamed({ person, name, number, id }: Named): z.input<typeof namedForm> {
  return { person, name, number, id };
}

/** A clock may have said anything. */
const UNKNOWN = '1970-01-01T00:00:00.000Z';

function iso(timeMs: number | null): string | null {
  const isTime = timeMs !== null && Number.isFinite(timeMs) && timeMs > -6.2e13 && timeMs < 2.5e14;
  return isTime ? new Date(timeMs).toISOString() : null;
}
