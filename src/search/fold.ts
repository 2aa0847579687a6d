// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Attachment, Content, View } from '../record/message.ts';
import { changesSearch } from './placement.ts';
import type { HeldFile, Line, LineKind, LineRecord, Mark, Reaction, Receipt, Version, Vote } from './line.ts';

type Of<Kind extends View['kind']> = LineRecord & { readonly view: Extract<View, { kind: Kind }> };

function only<Kind extends View['kind']>(records: readonly LineRecord[], ...kinds: readonly Kind[]): Of<Kind>[] {
  return records.filter(
    (record): record is Of<Kind> => record.view !== null && (kinds as readonly string[]).includes(record.view.kind),
  );
}

/** What belongs to a line and does not make one by itself, when it has a target. */
const PARTS: ReadonlySet<string> = new Set([
  'edit',
  'delete',
  'reaction',
  'poll-vote',
  'poll-end',
  'pin',
  'unpin',
  'event-response',
  'keep',
  'attachment',
  'receipt',
  'read-sync',
]);

function makesLine({ view }: LineRecord): boolean {
  if (view === null) return true;
  if (view.kind === 'gap' || view.kind === 'delete-for-me') return view.target === undefined;
  // Only these two have targets: a member that its kind does not have may be anything.
  if (view.kind === 'receipt' || view.kind === 'read-sync') return view.targets.length === 0;
  return !PARTS.has(view.kind);
}

const timeOf = ({ view, atMs }: LineRecord): number => view?.sentAtMs ?? atMs;
const byTime = (a: LineRecord, b: LineRecord): number => timeOf(a) - timeOf(b) || a.leaf - b.leaf;

/**
 * Everything the archive holds about one message or event, as one line. A pure function of the records, in whatever order they
 * were captured, and from however many accounts: the same event seen twice counts once, and both sightings are named.
 */
export function foldLine(all: readonly LineRecord[]): Line {
  const records = all.toSorted((a, b) => a.leaf - b.leaf);
  const bases = records.filter(makesLine);
  const [first] = bases;
  const view = first?.view ?? null;
  const edits = once(only(records, 'edit').toSorted(byTime));
  const said = only(bases, 'message', 'story').slice(0, 1);
  const versions = [...said, ...edits].map(versionOf);
  const [deletion] = only(records, 'delete').toSorted(byTime);
  return {
    kind: kindOf(first),
    author: first?.sender ?? edits[0]?.sender ?? null,
    sentAtMs: view?.sentAtMs ?? null,
    serverAtMs: view?.serverAtMs ?? null,
    versions,
    deleted: deletion === undefined ? null : { by: deletion.view.by, person: deletion.sender, atMs: timeOf(deletion) },
    reactions: reactionsOf(records),
    votes: votesOf(records),
    receipts: receiptsOf(records),
    marks: marksOf(records),
    files: filesOf(versions, records),
    events: said.length > 0 ? [] : distinctEvents(bases),
    capturedBy: sightings(
      bases.length > 0 ? bases : records.filter(({ view }) => view === null || changesSearch(view)),
    ),
    leaves: records.map(({ leaf }) => leaf),
    defects: [...new Set(records.flatMap(({ defect }) => defect ?? []))],
  };
}

function kindOf(first: LineRecord | undefined): LineKind {
  if (first === undefined) return 'never-captured';
  if (first.view !== null) return first.view.kind;
  if (first.clear === null || first.defect !== null) return 'unreadable';
  if (first.clear.t === 'gap') return 'gap';
  return first.clear.t === 'hole' ? 'hole' : 'capture';
}

function versionOf(record: Of<'message' | 'story' | 'edit'>): Version {
  return { content: record.view.content, atMs: timeOf(record), leaf: record.leaf };
}

/** The same event from several accounts: who did it and when are the messenger's own, so the first sighting stands for all. */
function once<Kind extends View['kind']>(
  records: readonly Of<Kind>[],
  detail?: (record: Of<Kind>) => string,
): Of<Kind>[] {
  const seen = new Map<string, Of<Kind>>();
  for (const record of records) {
    const { view, sender, leaf } = record;
    const stamp = view.id ?? view.sentAtMs;
    const key = stamp === null || sender === null ? `leaf ${leaf}` : `${sender} ${stamp} ${detail?.(record) ?? ''}`;
    if (!seen.has(key)) seen.set(key, record);
  }
  return [...seen.values()];
}

function reactionsOf(records: readonly LineRecord[]): Reaction[] {
  const all = once(only(records, 'reaction').toSorted(byTime), ({ view }) => `${view.emoji} ${view.removed}`);
  return all.map((record) => {
    const { emoji, removed } = record.view;
    return { person: record.sender, emoji, removed, atMs: timeOf(record) };
  });
}

/** A person's reactions that stand in the end: a later one takes the place of an earlier one. */
export function standingReactions(reactions: readonly Reaction[]): Reaction[] {
  const last = new Map<string, Reaction>();
  reactions.forEach((reaction, index) => {
    const key = reaction.person === null ? `unknown ${index}` : String(reaction.person);
    last.delete(key);
    last.set(key, reaction);
  });
  return [...last.values()].filter(({ removed, emoji }) => !removed && emoji !== '');
}

/** The last vote of each person: voting again replaces. */
function votesOf(records: readonly LineRecord[]): Vote[] {
  const last = new Map<string, { vote: Vote; count: number }>();
  for (const record of only(records, 'poll-vote').toSorted(byTime)) {
    const { options, count } = record.view;
    const key = String(record.sender ?? `leaf ${record.leaf}`);
    // Messengers that count a person's votes say by it which one is last; the others leave it to the time.
    if (count !== null && (last.get(key)?.count ?? -1) > count) continue;
    last.set(key, { vote: { person: record.sender, options, atMs: timeOf(record) }, count: count ?? -1 });
  }
  return [...last.values()].map(({ vote }) => vote);
}

function receiptsOf(records: readonly LineRecord[]): Receipt[] {
  const first = new Map<string, Receipt>();
  for (const record of only(records, 'receipt', 'read-sync').toSorted(byTime)) {
    const state = record.view.kind === 'receipt' ? record.view.state : 'read-here';
    const key = `${record.sender ?? record.account ?? record.leaf} ${state}`;
    if (!first.has(key)) first.set(key, { person: record.sender ?? record.account, state, atMs: timeOf(record) });
  }
  return [...first.values()];
}

function marksOf(records: readonly LineRecord[]): Mark[] {
  const found = only(records, 'pin', 'unpin', 'keep', 'poll-end', 'delete-for-me', 'event-response', 'gap');
  const relevant = found.filter(
    ({ view }) => (view.kind !== 'gap' && view.kind !== 'delete-for-me') || view.target !== undefined,
  );
  return once(relevant.toSorted(byTime), ({ view }) => view.kind).map((record): Mark => {
    const { view } = record;
    const mark = { person: record.sender, atMs: timeOf(record), detail: '' };
    switch (view.kind) {
      case 'keep':
        return { ...mark, kind: view.kept ? 'keep' : 'unkeep' };
      case 'event-response':
        return { ...mark, kind: 'response', detail: view.response };
      case 'gap':
        return { ...mark, kind: 'gap', detail: view.cause };
      case 'delete-for-me':
        return { ...mark, kind: view.kind, person: record.account };
      case 'pin':
      case 'unpin':
      case 'poll-end':
        return { ...mark, kind: view.kind };
    }
  });
}

/** The files of all versions, each once, with the bytes that came for them. */
function filesOf(versions: readonly Version[], records: readonly LineRecord[]): HeldFile[] {
  const held = new Map<string, HeldFile['held']>();
  const strays: HeldFile[] = [];
  for (const { view, leaf } of only(records, 'attachment')) {
    const { size, sha256 } = view.object;
    const name = fileName(view.attachment);
    if (!held.has(name)) strays.push({ attachment: view.attachment, held: { size, sha256, leaf } });
    held.set(name, { size, sha256, leaf });
  }
  const files = new Map<string, HeldFile>();
  for (const { content } of versions) {
    for (const attachment of content.attachments ?? []) {
      const name = fileName(attachment);
      files.set(name, { attachment, held: held.get(name) ?? null });
    }
  }
  for (const stray of strays) if (!files.has(fileName(stray.attachment))) files.set(fileName(stray.attachment), stray);
  return [...files.values()];
}

const fileName = ({ id, fileName: name, contentType, size, place }: Attachment): string =>
  id ?? `${place} ${name ?? ''} ${contentType ?? ''} ${size ?? ''}`;

/** What happened, each once: the ringing of a call is seen by both sides. */
function distinctEvents(bases: readonly LineRecord[]): LineRecord[] {
  const seen = new Map<string, LineRecord>();
  for (const record of bases.toSorted(byTime)) {
    const { view } = record;
    const what = view?.kind === 'call' ? `${view.event} ${record.sender ?? ''}` : (view?.kind ?? `leaf ${record.leaf}`);
    if (!seen.has(what)) seen.set(what, record);
  }
  return [...seen.values()];
}

function sightings(records: readonly LineRecord[]): Line['capturedBy'] {
  const seen = new Map<number | null, Line['capturedBy'][number]>();
  for (const { account, leaf, atMs } of records) if (!seen.has(account)) seen.set(account, { account, leaf, atMs });
  return [...seen.values()];
}

/** The words a message shows now; null where nothing was captured of it. */
export function currentContent({ versions }: Line): Content | null {
  return versions.at(-1)?.content ?? null;
}
