// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Content } from '../record/message.ts';
import { called, describeLine } from '../search/describe.ts';
import { standingReactions } from '../search/fold.ts';
import type { Named } from '../search/index-db.ts';
import type { HeldFile, Line, PersonId } from '../search/line.ts';
import { plainLine, plainLines } from '../search/plain-text.ts';
import { lieOf, type ExportedFile, type FileBook } from './files/file-book.ts';
import type { Item } from './item.ts';
import type { LocalTime } from '../search/local-time.ts';

/** What a line says, for people: safe to print, nothing left out. Which letters mean what is for each format to lay out. */
export interface Telling {
  readonly who: string;
  /** Number or identifier beside the name; empty where there is none. */
  readonly whoElse: string;
  readonly at: string;
  readonly said: readonly string[];
  readonly marks: readonly ('edited' | 'deleted' | 'context' | 'not said' | 'archive note')[];
  /** Versions, deletion, reactions, votes, receipts, sightings, defects. */
  readonly notes: readonly string[];
  readonly files: readonly ToldFile[];
  /** What has no sentence, as the archive holds it. */
  readonly rest: readonly string[];
}

export interface ToldFile {
  readonly label: string;
  readonly state: string;
  readonly lie: string | null;
  readonly held: HeldFile;
  readonly exported: ExportedFile | null;
}

export interface TellingParts {
  readonly zone: LocalTime;
  readonly files: FileBook;
}

export function tell(item: Item, { zone, files }: TellingParts): Telling {
  const { shown, planned } = item;
  const { line, people, atMs } = shown;
  const { who, said } = describeLine(shown);
  const named = line.author === null ? undefined : people.get(line.author);
  const isNote = said[0]?.startsWith('[ARCHIVE NOTE]') === true;
  return {
    who,
    whoElse: named === undefined ? '' : besideName(named, who),
    at: zone.text(atMs),
    said,
    marks: [
      ...(line.versions.length > 1 ? (['edited'] as const) : []),
      ...(line.deleted === null ? [] : (['deleted'] as const)),
      ...(planned.isHit ? [] : (['context'] as const)),
      ...(line.versions.length > 0 || line.kind === 'never-captured' ? [] : (['not said'] as const)),
      ...(isNote ? (['archive note'] as const) : []),
    ],
    notes: notesOf(item, zone),
    files: line.files.map((held) => toldFile(held, files.of(held))),
    rest: restOf(item),
  };
}

/** The number or identifier of somebody who is shown by name. */
export function besideName({ number, id }: Named, shown: string): string {
  const other = plainLine(number ?? id ?? '');
  return other === shown ? '' : other;
}

function notesOf({ shown: { line, people, atMs } }: Item, zone: LocalTime): string[] {
  const name = (person: PersonId | null): string =>
    person === null ? 'somebody' : plainLine(called(people.get(person)));
  const at = (timeMs: number): string => zone.text(timeMs);
  return [
    ...clockNotes(line, atMs, at),
    ...versionNotes(line, at),
    ...deletionNotes(line, name, at),
    ...reactionNotes(line, name, at),
    ...line.votes.map(({ person, options, atMs: votedMs }) => {
      const chosen = options === null ? 'not told to this device' : options.map((n) => n + 1).join(', ') || 'nothing';
      return `vote of ${name(person)}: ${chosen}, ${at(votedMs)}`;
    }),
    ...line.marks.map(({ kind, person, atMs: markedMs, detail }) =>
      kind === 'gap'
        ? `the archive says that something of this is missing: ${plainLine(detail)}`
        : `${MARKS[kind]}${detail === '' ? '' : ` “${plainLine(detail)}”`}, ${name(person)}, ${at(markedMs)}`,
    ),
    ...line.receipts.map(({ state, person, atMs: seenMs }) =>
      state === 'read-here'
        ? `read on another device of ${name(person)}, ${at(seenMs)}`
        : `${state} to ${name(person)}, ${at(seenMs)}`.replace('read to', 'read by').replace('viewed to', 'viewed by'),
    ),
    ...sightings(line, name),
    ...line.defects.map((defect) => `a record of this could not be read: ${defect}`),
  ];
}

const MARKS = {
  pin: 'pinned',
  unpin: 'no longer pinned',
  keep: 'kept from disappearing',
  unkeep: 'no longer kept from disappearing',
  'poll-end': 'poll ended',
  'delete-for-me': 'removed on own devices only',
  response: 'response',
} as const;

/** A line stands at the server's time where there is one: what the sender's clock said is told where it differs. */
function clockNotes({ sentAtMs }: Line, atMs: number, at: (timeMs: number) => string): string[] {
  return sentAtMs === null || Math.abs(sentAtMs - atMs) < 60_000 ? [] : [`the sender’s clock said ${at(sentAtMs)}`];
}

function versionNotes({ versions, kind }: Line, at: (timeMs: number) => string): string[] {
  const isLost = kind === 'never-captured' && versions.length > 0;
  if (versions.length < 2 && !isLost) return [];
  const before = versions.slice(0, -1).flatMap(({ content, atMs }, index) => {
    const what = index === 0 && !isLost ? 'first written' : 'edited';
    const [first = '', ...more] = plainLines(content.text ?? '(no text)');
    return [`${what} ${at(atMs)}: ${first}`, ...more.map((line) => `    ${line}`)];
  });
  const last = versions.at(-1);
  return [
    ...(isLost ? ['the message as first sent was never captured'] : []),
    ...before,
    ...(last === undefined ? [] : [`shown as edited ${at(last.atMs)}`]),
  ];
}

function deletionNotes(
  { deleted }: Line,
  name: (person: PersonId | null) => string,
  at: (timeMs: number) => string,
): string[] {
  if (deleted === null) return [];
  const by = deleted.by === 'admin' ? 'an administrator, ' : '';
  return [`deleted for everyone by ${by}${name(deleted.person)}, ${at(deleted.atMs)}; kept in the archive`];
}

function reactionNotes(
  { reactions }: Line,
  name: (person: PersonId | null) => string,
  at: (timeMs: number) => string,
): string[] {
  const standing = new Set(standingReactions(reactions));
  return reactions.map((reaction) => {
    const { person, emoji, removed, atMs } = reaction;
    const state = removed ? ' (taken back)' : standing.has(reaction) ? '' : ' (later changed)';
    return `reaction ${plainLine(emoji)}${state}, ${name(person)}, ${at(atMs)}`;
  });
}

function sightings({ capturedBy }: Line, name: (person: PersonId | null) => string): string[] {
  if (capturedBy.length < 2) return [];
  return [
    `also captured by ${capturedBy
      .slice(1)
      .map(({ account }) => name(account))
      .join(', ')}`,
  ];
}

function toldFile(held: HeldFile, exported: ExportedFile | null): ToldFile {
  const { attachment } = held;
  const { fileName, contentType, shownAs, caption, place, size, width, height, seconds } = attachment;
  const label = plainLine(fileName ?? shownAs ?? contentType ?? 'file');
  const facts = [
    ...(contentType === null ? [] : [contentType]),
    ...(place === 'attachment' ? [] : [place]),
    ...(typeof width === 'number' && typeof height === 'number' ? [`${width} × ${height}`] : []),
    ...(typeof seconds === 'number' ? [`${seconds} s`] : []),
    ...(typeof caption === 'string' && caption !== '' ? [`“${caption}”`] : []),
  ].map(plainLine);
  const lie = exported === null ? null : lieOf(attachment, exported);
  return {
    label,
    state: [...facts, stateOf(exported, size)].join(', '),
    lie: lie === null ? null : plainLine(lie),
    held,
    exported,
  };
}

function stateOf(exported: ExportedFile | null, announced: number | null): string {
  if (exported === null) return `not in the archive${announced === null ? '' : `, ${announced} bytes as announced`}`;
  const { path, size, sha256, defect } = exported;
  // Its name is its hash.
  if (path !== null) return `${size} bytes, ${path}`;
  return defect === 'corrupt'
    ? `CORRUPT in the archive: its bytes are not those of sha256 ${sha256}, ${size} bytes`
    : `MISSING from the archive: its bytes are gone; sha256 ${sha256}, ${size} bytes`;
}

/** Members of a message that {@link describeLine} has no words for, or not all of them. */
const WORDLESS = [
  'mentions',
  'storyReply',
  'recipients',
  'album',
  'previews',
  'payment',
  'sticker',
  'event',
  'place',
  'groupInvite',
  'contacts',
  'forwarded',
  'partOf',
] as const satisfies readonly (keyof Content)[];

function restOf({ shown: { line }, records }: Item): string[] {
  const current = line.versions.at(-1)?.content;
  if (current !== undefined) {
    const members = WORDLESS.flatMap((name) => (current[name] === undefined ? [] : [[name, current[name]] as const]));
    return members.length === 0 ? [] : [plainLine(JSON.stringify(Object.fromEntries(members)))];
  }
  const told: ReadonlySet<string> = new Set(['timer', 'typing', 'empty']);
  return records.flatMap(({ view, clear }) => {
    const inClear =
      clear === null || clear.t === 'open' || clear.t === 'close' ? [] : [plainLine(JSON.stringify(clear))];
    if (view === null || told.has(view.kind)) return inClear;
    const { v: _v, app: _app, account: _account, direction: _direction, chat: _chat, ...rest } = view;
    return [...inClear, plainLine(JSON.stringify(withoutKeys(rest)))];
  });
}

/** The archive's own keys open nothing that is not in the export already, and have no business outside. */
export function withoutKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutKeys);
  const members = Object.entries(value).map(([name, member]) =>
    name === 'object' && isObjectKey(member)
      ? [name, { size: member.size, sha256: member.sha256 }]
      : [name, withoutKeys(member)],
  );
  return Object.fromEntries(members);
}

function isObjectKey(value: unknown): value is { readonly size: number; readonly sha256: string } {
  return typeof value === 'object' && value !== null && 'key' in value && 'sha256' in value && 'size' in value;
}
