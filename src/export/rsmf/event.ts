// SPDX-License-Identifier: AGPL-3.0-or-later
import { standingReactions } from '../../search/fold.ts';
import type { Named } from '../../search/index-db.ts';
import type { IndexSnapshot } from '../../search/snapshot.ts';
import type { PersonId } from '../../search/line.ts';
import { membershipIn } from '../../search/membership.ts';
import { plainLine } from '../../search/plain-text.ts';
import { lineKey, type Item } from '../item.ts';
import type { Telling } from '../telling.ts';
import { isoOf } from '../iso.ts';
import { eventFiles, type ZippedFile } from './event-files.ts';
import { customOf, type RsmfEvent } from './manifest.ts';
import type { Participants } from './participants.ts';

/** A reaction's name may be no longer. */
const MOST_REACTION = 30;
export const CONVERSATION = 'C1';

export interface MadeEvents {
  /** The line's own event first; then those that follow from it: who came, who went. */
  readonly events: readonly RsmfEvent[];
  readonly zipped: readonly ZippedFile[];
  /** What the event's line of the extracted text says. */
  readonly text: readonly string[];
}

export function eventsOf(
  item: Item,
  telling: Telling,
  people: Participants,
  { parent, snapshot }: { readonly parent: string | null; readonly snapshot: IndexSnapshot },
): MadeEvents {
  const id = lineKey(item);
  const { shown } = item;
  const { line, atMs } = shown;
  const named = (person: PersonId | null): Named | undefined =>
    person === null ? undefined : shown.people.get(person);
  const idOf = (person: PersonId | null): string => people.idOf(named(person));
  const isSaid = line.versions.length > 0 || line.kind === 'never-captured';
  const isNote = telling.marks.includes('archive note') && !isSaid;
  const { attachments, zipped } = eventFiles(id, telling.files);
  const participant = line.author === null ? {} : { participant: idOf(line.author) };
  const base = { conversation: CONVERSATION, timestamp: isoOf(atMs) };
  const event: RsmfEvent = {
    ...base,
    id,
    type: isSaid && line.author !== null ? 'message' : isNote ? 'disclaimer' : 'unknown',
    ...(parent === null ? {} : { parent }),
    ...participant,
    body: bodyOf(item, telling).toWellFormed(),
    ...(line.deleted === null ? {} : { deleted: true }),
    ...directionOf(item),
    ...some('reactions', reactionsOf(item, idOf)),
    ...some('attachments', attachments),
    ...some('edits', editsOf(item, idOf)),
    ...some('read_receipts', receiptsOf(item, idOf)),
    custom: [...customFields(item, telling), ...custodianFields(item, snapshot)],
  };
  return { events: [event, ...comings(item, people, base)], zipped, text: textOf(item, telling) };
}

function some<Name extends string, T>(name: Name, list: readonly T[]): Record<Name, readonly T[]> | object {
  return list.length === 0 ? {} : { [name]: list };
}

function bodyOf({ shown: { line } }: Item, { said, marks }: Telling): string {
  const current = line.versions.at(-1)?.content;
  if (current?.text != null && current.text !== '') return current.text;
  const words = said.join('\n');
  return marks.includes('archive note')
    ? `[ARCHIVE NOTE, not a message] ${words.replaceAll('[ARCHIVE NOTE] ', '')}`
    : words;
}

function directionOf({ records }: Item): Pick<RsmfEvent, 'direction'> {
  const direction = records.find(({ view }) => view?.kind === 'message' || view?.kind === 'edit')?.view?.direction;
  if (direction === 'in') return { direction: 'incoming' };
  return direction === 'out' ? { direction: 'outgoing' } : {};
}

function reactionsOf(
  { shown: { line } }: Item,
  idOf: (person: PersonId | null) => string,
): RsmfEvent['reactions'] & {} {
  const byValue = new Map<string, { count: number; participants: Set<string> }>();
  for (const { emoji, person } of standingReactions(line.reactions)) {
    const value = Array.from(plainLine(emoji)).slice(0, MOST_REACTION).join('');
    const known = byValue.get(value) ?? { count: 0, participants: new Set() };
    known.count += 1;
    known.participants.add(idOf(person));
    byValue.set(value, known);
  }
  return [...byValue].map(([value, { count, participants }]) => ({ value, count, participants: [...participants] }));
}

function editsOf({ shown: { line } }: Item, idOf: (person: PersonId | null) => string): RsmfEvent['edits'] & {} {
  const { versions, author, kind } = line;
  const first = kind === 'never-captured' ? 0 : 1;
  return versions.slice(first).map(({ content, atMs }, index) => {
    const previous = versions[first + index - 1]?.content.text;
    return {
      participant: idOf(author),
      timestamp: isoOf(atMs),
      ...(previous == null ? {} : { previous: previous.toWellFormed() }),
      ...(content.text === null ? {} : { new: content.text.toWellFormed() }),
    };
  });
}

function receiptsOf(
  { shown: { line } }: Item,
  idOf: (person: PersonId | null) => string,
): RsmfEvent['read_receipts'] & {} {
  return line.receipts.map(({ person, state, atMs }) => ({
    participant: idOf(person),
    timestamp: isoOf(atMs),
    action: state === 'delivered' ? 'delivered' : 'read',
  }));
}

function customFields({ shown, records, planned }: Item, telling: Telling): RsmfEvent['custom'] {
  const { line } = shown;
  const content = line.versions.at(-1)?.content;
  const [first] = records;
  const isLost = line.kind === 'never-captured' && line.versions.length === 0;
  return customOf({
    'archive.record': first?.id,
    'archive.leaf': planned.leaf,
    'archive.records': records.length > 1 ? records.map(({ leaf, id }) => `${leaf}:${id}`).join(' ') : null,
    'archive.kind': line.kind,
    'export.scope': planned.isHit ? 'hit' : 'context',
    'export.skipped_before': planned.skipped === 0 ? null : planned.skipped,
    'content.state': isLost ? 'never captured' : null,
    'time.local': telling.at,
    'ttl.seconds': content?.expiresInSeconds,
    'quote.text': content?.quote?.text,
    'archive.said':
      line.versions.length > 0 && telling.said.join('\n') !== content?.text ? telling.said.join('\n') : null,
    'archive.notes': telling.notes.join('\n'),
    'archive.files': telling.files
      .map(({ label, state, lie }) => `${label}: ${state}${lie === null ? '' : `; ${lie}`}`)
      .join('\n'),
    'source.data': telling.rest.join('\n'),
  });
}

/** By the agency's directory, as of this line's time. */
function custodianFields(
  { shown: { line, people, custodians, atMs } }: Item,
  snapshot: IndexSnapshot,
): RsmfEvent['custom'] {
  const author = line.author === null ? undefined : people.get(line.author);
  return customOf({
    'author.custodian': author === undefined ? null : snapshot.custodianOf(author, atMs),
    'archive.custodians': custodians.join('; '),
  });
}

/** Who came and who went, one event each: viewers keep the list of members by them. */
function comings(
  { shown, records, planned }: Item,
  people: Participants,
  base: Pick<RsmfEvent, 'conversation' | 'timestamp'>,
): RsmfEvent[] {
  if (shown.line.kind !== 'group-update') return [];
  const view = records[0]?.view;
  const news = view == null ? null : membershipIn(view);
  if (news === null || 'all' in news) return [];
  const event = (type: 'join' | 'leave', party: (typeof news.came)[number], index: number): RsmfEvent => ({
    ...base,
    id: `L${planned.leaf}-${type}-${index + 1}`,
    type,
    participant: people.idOfParty(party),
    custom: customOf({ 'derived.from': `L${planned.leaf}`, 'archive.leaf': planned.leaf }),
  });
  return [
    ...news.came.map((party, index) => event('join', party, index)),
    ...news.went.map((party, index) => event('leave', party, index)),
  ];
}

/** A line of the extracted text, in the order and words of the viewer, so that searches near one another agree with it. */
function textOf({ shown: { line, atMs } }: Item, telling: Telling): string[] {
  const who = telling.who === '' ? '[system]' : telling.who;
  const [first = '', ...more] = telling.said;
  const reactions = standingReactions(line.reactions).map(({ emoji }) => plainLine(emoji));
  return [
    `${isoOf(atMs)} ${who}: ${first}`,
    ...more.map((one) => `    ${one}`),
    ...(reactions.length === 0 ? [] : [`    reactions: ${reactions.join(' ')}`]),
    ...telling.files.map(({ label }) => `    file: ${label}`),
    ...telling.notes.filter((note) => /^(?:first written|edited|deleted)/.test(note)).map((note) => `    ${note}`),
  ];
}
