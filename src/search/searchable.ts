// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Attachment, Content } from '../record/message.ts';
import { currentContent, standingReactions } from './fold.ts';
import type { HeldFile, Line, LineRecord, PersonId } from './line.ts';
import { BREAK, indexWords } from './words.ts';

/** What `has:` may ask for. */
export const FEATURES = [
  'attachment',
  'audio',
  'contact',
  'document',
  'event',
  'forward',
  'gap',
  'image',
  'link',
  'mention',
  'missing-file',
  'payment',
  'place',
  'poll',
  'quote',
  'reaction',
  'sticker',
  'timer',
  'video',
  'view-once',
  'voice',
] as const;
export type Feature = (typeof FEATURES)[number];

const LINK = /\bhttps?:\/\//i;

/** Words of everything a line says or said: all versions, names of files, previews, polls, contacts; in separate stretches. */
export function wordsOf(line: Line): string {
  const texts = [
    ...new Set([...line.versions.flatMap(({ content }) => textsOf(content)), ...line.events.flatMap(eventTexts)]),
  ];
  const files = line.files.flatMap(({ attachment }) => fileTexts(attachment));
  return [...texts, ...new Set(files)]
    .map((text) => indexWords(text).join(' '))
    .filter((words) => words !== '')
    .join(` ${BREAK} `);
}

function textsOf(content: Content): string[] {
  const { text, previews, poll, payment, event, place, groupInvite, card, choice, contacts, mentions } = content;
  return strings([
    text,
    ...(previews ?? []).flatMap(({ title, description, url }) => [title, description, url]),
    ...(poll === undefined ? [] : [poll.question, ...poll.options]),
    payment?.note,
    event?.name,
    event?.description,
    event?.link,
    ...[place, event?.place].flatMap((one) => [one?.name, one?.address]),
    groupInvite?.name,
    ...(card === undefined ? [] : [...card.lines, ...card.choices]),
    choice?.label,
    ...(contacts ?? []).flatMap((contact) => everyString(contact, 4)),
    ...(mentions ?? []).map(({ party }) => party.name),
  ]);
}

function fileTexts({ fileName, caption }: Attachment): string[] {
  return strings([fileName, caption]);
}

function eventTexts({ view, clear }: LineRecord): string[] {
  if (clear?.t === 'gap') return [clear.cause];
  switch (view?.kind) {
    case 'group-update':
      return strings((view.changes ?? []).flatMap(({ what, value }) => [what, value]));
    case 'unknown':
    case 'undecryptable':
      return strings([view.reason]);
    case 'unavailable':
      return strings([view.what]);
    case 'gap':
      return strings([view.cause, view.detail]);
    case 'call':
      return strings([view.event, view.callType]);
    default:
      return [];
  }
}

/** What a foreign value says, to a depth: shared contacts are given as the messenger has them. */
function everyString(value: unknown, depth: number): string[] {
  if (typeof value === 'string') return [value];
  if (depth === 0 || typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap((member) => everyString(member, depth - 1));
}

/** Views are sealed by connectors, but what is in them was chosen by strangers: only text is taken for text. */
function strings(values: readonly unknown[]): string[] {
  return values.filter((value): value is string => typeof value === 'string' && value !== '');
}

/** Who had a part in a line without having written or been sent it. */
export function bystanders({ reactions, votes, marks, events, deleted }: Line): PersonId[] {
  const parts = [...reactions, ...votes, ...marks, ...(deleted === null ? [] : [deleted])].map(({ person }) => person);
  const people = new Set([...parts, ...events.map(({ sender }) => sender)]);
  return [...people].filter((person) => person !== null);
}

/** The text a hit shows: what the message says now, or what kind of thing the line is about. */
export function shownText(line: Line): string {
  const content = currentContent(line);
  if (content !== null) {
    const files = line.files.map(({ attachment }) => fileTexts(attachment).join(' '));
    return [...textsOf(content), ...files].filter((text) => text !== '').join('\n');
  }
  return [...new Set(line.events.flatMap(eventTexts))].join(' ');
}

export function featuresOf(line: Line): Feature[] {
  const content = currentContent(line);
  const found = new Set<Feature>();
  if (content !== null) {
    if (content.quote !== undefined || content.storyReply !== undefined) found.add('quote');
    if ((content.mentions ?? []).length > 0) found.add('mention');
    if ((content.previews ?? []).length > 0 || LINK.test(content.text ?? '')) found.add('link');
    if (content.sticker !== undefined) found.add('sticker');
    if ((content.contacts ?? []).length > 0) found.add('contact');
    if (content.payment !== undefined) found.add('payment');
    if (content.poll !== undefined) found.add('poll');
    if (content.event !== undefined) found.add('event');
    if (content.place !== undefined) found.add('place');
    if (content.viewOnce === true) found.add('view-once');
    if (content.forwarded !== undefined) found.add('forward');
    if ((content.expiresInSeconds ?? 0) > 0) found.add('timer');
  }
  if (standingReactions(line.reactions).length > 0) found.add('reaction');
  if (line.marks.some(({ kind }) => kind === 'gap')) found.add('gap');
  for (const file of line.files) for (const feature of fileFeatures(file)) found.add(feature);
  return [...found];
}

function fileFeatures({ attachment, held }: HeldFile): Feature[] {
  const { contentType, shownAs, place } = attachment;
  // What is quoted or previewed is the file of another message, or of nobody.
  if (place === 'quote' || place === 'preview') return [];
  const found: Feature[] = held === null ? ['attachment', 'missing-file'] : ['attachment'];
  const type = String(contentType ?? '').split('/')[0];
  if (shownAs === 'voice') found.push('voice', 'audio');
  else if (shownAs === 'sticker') found.push('sticker');
  else if (type === 'image' || type === 'video' || type === 'audio') found.push(type);
  else found.push('document');
  return found;
}
