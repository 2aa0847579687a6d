// SPDX-License-Identifier: AGPL-3.0-or-later
import { countOf } from '../base/counted.ts';
import type { Content } from '../record/message.ts';
import { standingReactions } from './fold.ts';
import type { GapRow, Named, ShownLine } from './index-db.ts';
import type { HeldFile, LineRecord, Mark, PersonId } from './line.ts';
import { UTC, type LocalTime } from './local-time.ts';
import { plainLine, plainLines } from './plain-text.ts';

/** A line as people read it: who and when are the caller's to lay out. */
export interface DescribedLine {
  readonly who: string;
  /** What was said or happened; the first line beside the name, the others below. */
  readonly said: readonly string[];
  /** Everything that belongs to it: versions, deletion, reactions, votes, receipts, files, sightings. */
  readonly below: readonly string[];
}

export function describeLine(shown: ShownLine, zone: LocalTime = UTC): DescribedLine {
  const { line, people } = shown;
  const name = (person: PersonId | null): string =>
    person === null ? 'somebody' : plainLine(called(people.get(person)));
  const who = line.author === null ? '' : name(line.author);
  const [current] = line.versions.slice(-1);
  const said = current === undefined ? eventText(shown, name) : contentText(current.content, line.deleted !== null);
  return { who, said, below: [...versionLines(shown, zone), ...circumstances(shown, name, zone)] };
}

export function called(named: Named | undefined): string {
  return named?.name ?? named?.number ?? named?.id ?? 'somebody';
}

export const utc = (timeMs: number): string => UTC.text(timeMs);

function contentText(content: Content, isDeleted: boolean): string[] {
  const { quote, text, poll, expiresInSeconds } = content;
  const lines = [
    ...(quote === undefined ? [] : [`> ${plainLine(quote.text ?? '(without text)')}`]),
    ...(text === null || text === '' ? [] : plainLines(text)),
    ...(poll === undefined
      ? []
      : [`poll: ${plainLine(poll.question)}`, ...poll.options.map((option, n) => `  ${n + 1}. ${plainLine(option)}`)]),
    ...otherContent(content),
    ...((expiresInSeconds ?? 0) > 0
      ? [`(set to disappear after ${duration(expiresInSeconds as number)}; kept here)`]
      : []),
  ];
  const marked = lines.length === 0 ? ['(no text)'] : lines;
  return isDeleted ? [`[deleted] ${marked[0] as string}`, ...marked.slice(1)] : marked;
}

/** What a message may hold beside text, in a word each: nothing that was captured is left out. */
function otherContent(content: Content): string[] {
  const { previews, sticker, contacts, payment, event, place, groupInvite, card, choice, forwarded, viewOnce, partOf } =
    content;
  return [
    ...(previews ?? []).map(({ url, title }) => `link: ${plainLine(`${title ?? ''} ${url}`.trim())}`),
    ...(sticker === undefined ? [] : ['sticker']),
    ...(contacts ?? []).map((contact) => `contact: ${plainLine(JSON.stringify(contact))}`),
    ...(payment === undefined ? [] : [`payment: ${plainLine(payment.note ?? '')}`]),
    ...(event === undefined ? [] : [`event: ${plainLine(event.name)}`]),
    ...(place === undefined
      ? []
      : [
          `place: ${plainLine([place.name, place.address, place.latitude, place.longitude].filter((one) => one !== null).join(', '))}`,
        ]),
    ...(groupInvite === undefined
      ? []
      : [`invitation to a group: ${plainLine(groupInvite.name ?? groupInvite.group)}`]),
    ...(card === undefined ? [] : [...card.lines, ...card.choices.map((one) => `[${one}]`)].map(plainLine)),
    ...(choice === undefined ? [] : [`chose: ${plainLine(choice.label ?? choice.id ?? '')}`]),
    ...(forwarded === undefined ? [] : ['(forwarded)']),
    ...(viewOnce === true ? ['(to be viewed once)'] : []),
    ...(partOf === undefined ? [] : [`(part of another message: ${plainLine(partOf.how)})`]),
  ];
}

function versionLines({ line }: ShownLine, zone: LocalTime): string[] {
  const { versions, kind } = line;
  const before = versions.slice(0, -1).map(({ content, atMs }, index) => {
    const what = index === 0 && kind !== 'never-captured' ? 'first written' : 'edited';
    return `${what} ${zone.text(atMs)}: ${plainLine(content.text ?? '(no text)')}`;
  });
  const last = versions.at(-1);
  const isEdited = versions.length > 1 || (versions.length === 1 && kind === 'never-captured');
  const first =
    kind === 'never-captured' && versions.length > 0 ? ['the message as first sent was never captured'] : [];
  return [...first, ...before, ...(isEdited && last !== undefined ? [`as edited ${zone.text(last.atMs)}`] : [])];
}

function circumstances(
  { line, custodians }: ShownLine,
  name: (person: PersonId | null) => string,
  zone: LocalTime,
): string[] {
  const { deleted, reactions, votes, receipts, marks, files, capturedBy, defects } = line;
  const standing = new Set(standingReactions(reactions));
  return [
    ...(deleted === null
      ? []
      : [
          `deleted by ${deleted.by === 'admin' ? 'an admin, ' : ''}${name(deleted.person)} ${zone.text(deleted.atMs)}; kept here`,
        ]),
    ...files.map(fileLine),
    ...reactions.map((reaction) => {
      const { person, emoji, removed, atMs } = reaction;
      const gone = removed ? 'took back ' : standing.has(reaction) ? '' : '(later changed) ';
      return `reaction ${gone}${plainLine(emoji)} ${name(person)} ${zone.text(atMs)}`;
    }),
    ...votes.map(({ person, options, atMs }) => {
      const chosen =
        options === null ? 'not known to this device' : options.map((option) => option + 1).join(', ') || 'nothing';
      return `vote ${name(person)}: ${chosen} ${zone.text(atMs)}`;
    }),
    ...marks.map((mark) => markLine(mark, name, zone)),
    ...receipts.map(
      ({ person, state, atMs }) =>
        `${state === 'read-here' ? 'read on another device of' : `${state} by`} ${name(person)} ${zone.text(atMs)}`,
    ),
    ...(custodians.length > 0 ? [`custodian: ${custodians.map(plainLine).join(', ')}`] : []),
    ...(capturedBy.length > 1
      ? [
          `also captured by ${capturedBy
            .slice(1)
            .map(({ account }) => name(account))
            .join(', ')}`,
        ]
      : []),
    ...defects.map((defect) => `a record of this could not be read: ${defect}`),
  ];
}

function fileLine({ attachment, held }: HeldFile): string {
  const { fileName, contentType, size, caption, place } = attachment;
  const what = plainLine([fileName, contentType].filter((one) => typeof one === 'string').join(', ') || 'file');
  const of = place === 'attachment' ? '' : ` (${place})`;
  const state =
    held === null
      ? `not in the archive${size === null ? '' : `, ${size} bytes as announced`}`
      : `${held.size} bytes, sha256 ${held.sha256}`;
  return `file${of} ${what}: ${state}${caption === null || caption === undefined ? '' : `, “${plainLine(caption)}”`}`;
}

function markLine(
  { kind, person, atMs, detail }: Mark,
  name: (person: PersonId | null) => string,
  zone: LocalTime,
): string {
  if (kind === 'gap') return `the archive says something of this is missing: ${detail}`;
  const words = {
    pin: 'pinned by',
    unpin: 'unpinned by',
    keep: 'kept by',
    unkeep: 'no longer kept by',
    'poll-end': 'poll ended by',
    'delete-for-me': 'removed on the own devices of',
    response: `response “${plainLine(detail)}” of`,
  } as const;
  return `${words[kind]} ${name(person)} ${zone.text(atMs)}`;
}

/** Lines that are no message. */
function eventText({ line, members }: ShownLine, name: (person: PersonId | null) => string): string[] {
  if (line.kind === 'never-captured')
    return ['[ARCHIVE NOTE] a message that is not in the archive: what follows refers to it'];
  const lines = line.events.map((event) => eventLine(event, name));
  const told =
    line.kind === 'group' && members !== null
      ? [`members: ${members.map((one) => plainLine(called(one))).join(', ')}`]
      : [];
  return [...(lines.length === 0 ? [`(${line.kind})`] : lines), ...told];
}

function eventLine({ view, clear, defect, sender }: LineRecord, name: (person: PersonId | null) => string): string {
  if (view === null) return clearLine(clear, defect);
  switch (view.kind) {
    case 'call':
      return `call ${view.event}, ${plainLine(view.callType ?? 'of an unknown type')}${sender === null ? '' : ` (${name(sender)})`}`;
    case 'timer':
      return view.expiresInSeconds > 0
        ? `messages now disappear after ${duration(view.expiresInSeconds)} (not here)`
        : 'messages no longer disappear';
    case 'group-update':
      return `group changed${(view.changes ?? []).map(({ what, value, parties }) => `; ${plainLine(what)} ${plainLine(value ?? parties.map((party) => party.name ?? party.number ?? party.id ?? '').join(', '))}`).join('')}`;
    case 'group':
      return '[ARCHIVE NOTE] the group as it was at this time';
    case 'identity-change':
      return `safety number changed: ${plainLine(view.party.number ?? view.party.id ?? '')}`;
    case 'undecryptable':
      return `[ARCHIVE NOTE] a message came that could not be decrypted: ${plainLine(view.reason)}`;
    case 'unavailable':
      return `[ARCHIVE NOTE] something exists that the messenger does not give to a linked device: ${plainLine(view.what)}`;
    case 'gap':
      return `[ARCHIVE NOTE] gap, ${view.cause}${clear?.t === 'gap' ? ` (${clear.state})` : ''}${view.detail === null ? '' : `: ${plainLine(view.detail)}`}`;
    case 'unknown':
      return `[ARCHIVE NOTE] of a kind that is not known here, kept whole: ${plainLine(view.reason)}`;
    case 'linked':
      return '[ARCHIVE NOTE] the archive’s device was linked';
    default:
      return `(${plainLine(view.kind)})`;
  }
}

function clearLine(clear: LineRecord['clear'], defect: LineRecord['defect']): string {
  if (defect !== null) return `[ARCHIVE NOTE] a record that could not be read: ${defect}`;
  switch (clear?.t) {
    case 'gap':
      return `[ARCHIVE NOTE] gap, ${clear.cause} (${clear.state})`;
    case 'hole':
      return `[ARCHIVE NOTE] ${clear.count} records can no longer be read`;
    case 'open':
      return '[ARCHIVE NOTE] capture begins';
    case 'close':
      return `[ARCHIVE NOTE] capture ends: ${clear.reason}`;
    case undefined:
      return '[ARCHIVE NOTE] a record without content';
  }
}

/** A gap as one line of a statement of completeness. */
export function describeGap(gap: GapRow, zone: LocalTime = UTC): string {
  const { account, app, cause, scope, state, sinceMs, untilMs } = gap;
  const who = plainLine(account === null ? 'an account' : called(account));
  const from = sinceMs === null ? 'an unknown time' : zone.text(sinceMs);
  const to = untilMs === null ? (state === 'open' ? 'still open' : 'an unknown time') : zone.text(untilMs);
  return `gap  ${app} ${who}: ${cause} (${scope}, ${state}), from ${from} to ${to}`;
}

function duration(seconds: number): string {
  for (const [unit, length] of [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ] as const) {
    if (seconds % length === 0) return countOf(seconds / length, unit);
  }
  return countOf(seconds, 'second');
}
