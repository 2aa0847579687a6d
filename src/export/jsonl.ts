// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Named } from '../search/index-db.ts';
import type { PersonId } from '../search/line.ts';
import { lieOf, type ExportedFile, type FileBook } from './files/file-book.ts';
import { itemsOf, lineKey, type Item } from './item.ts';
import { MemberTracker } from './members.ts';
import { plannedLines, type PlannedConversation } from './plan.ts';
import type { Rendering } from './rendering.ts';
import { Tally } from './tally.ts';
import { withoutKeys } from './telling.ts';
import type { LocalTime } from '../search/local-time.ts';
import { isoOf } from './iso.ts';

/*
 * One JSON object a line, in UTF-8, of type `export`, `conversation`, `members`, `line` or `end`. The fullest of all formats: beside
 * what a line became, every record that it was made of, as it was sealed.
 */

export async function* jsonl(rendering: Rendering, file: string): AsyncGenerator<string> {
  const { plan, snapshot, provenance, zone, onLine } = rendering;
  const tally = new Tally();
  const members = new MemberTracker();
  const { origin, checkpoint, generator } = provenance;
  yield json({ type: 'export', v: 1, origin, checkpoint, generator, zone: zone.zone, lines: plan.lines });
  for (const conversation of plan.conversations) {
    yield json(conversationObject(conversation));
    for await (const item of itemsOf(snapshot, conversation)) {
      const membership = members.of(item);
      if (membership?.isNew === true) {
        const { id, members: present } = membership;
        const { atMs } = item.shown;
        const told = present.map((one) => ({ ...person(one), custodian: snapshot.custodianOf(one, atMs) }));
        yield json({ type: 'members', id, conversation: conversation.key, members: told });
      }
      yield json(lineObject(item, rendering, membership?.id ?? null));
      tally.out(item.planned);
      onLine();
    }
  }
  tally.assertEqual(plannedLines(plan), file);
  yield json({ type: 'end', lines: tally.lines });
}

const json = (value: unknown): string => `${JSON.stringify(value)}\n`;

function conversationObject({ key, number, facts, title, lines, hits, total }: PlannedConversation): unknown {
  const { app, type, native, pair } = facts;
  const people = pair.map(person);
  return {
    type: 'conversation',
    key,
    number,
    app,
    kind: type,
    native,
    title,
    pair: people,
    lines: lines.length,
    hits,
    total,
  };
}

export function person(named: Named): { name: string | null; number: string | null; id: string | null } {
  const { name, number, id } = named;
  return { name, number, id };
}

function lineObject(item: Item, { zone, files, snapshot }: Rendering, members: string | null): unknown {
  const { shown, records, conversation, planned } = item;
  const { line, atMs, people } = shown;
  const who = (one: PersonId | null): unknown => {
    const named = one === null ? undefined : people.get(one);
    return named === undefined ? null : person(named);
  };
  const { kind, author, sentAtMs, serverAtMs, versions, deleted, reactions, votes, receipts, marks, capturedBy } = line;
  const by = author === null ? undefined : people.get(author);
  return {
    type: 'line',
    line: lineKey(item),
    leaf: planned.leaf,
    conversation: conversation.key,
    scope: planned.isHit ? 'hit' : 'context',
    ...(planned.skipped === 0 ? {} : { skippedBefore: planned.skipped }),
    kind,
    at: isoOf(atMs),
    ...localTime(atMs, zone),
    author: who(author),
    authorCustodian: by === undefined ? null : snapshot.custodianOf(by, atMs),
    custodians: shown.custodians,
    sentAt: timeOrNull(sentAtMs),
    serverAt: timeOrNull(serverAtMs),
    members,
    text: versions.at(-1)?.content.text ?? null,
    versions: versions.map(({ content, atMs: writtenMs, leaf }) => ({
      at: isoOf(writtenMs),
      leaf,
      text: content.text,
    })),
    deleted: deleted === null ? null : { by: deleted.by, person: who(deleted.person), at: isoOf(deleted.atMs) },
    reactions: reactions.map((one) => ({ ...one, person: who(one.person), atMs: undefined, at: isoOf(one.atMs) })),
    votes: votes.map((one) => ({ ...one, person: who(one.person), atMs: undefined, at: isoOf(one.atMs) })),
    receipts: receipts.map((one) => ({ ...one, person: who(one.person), atMs: undefined, at: isoOf(one.atMs) })),
    marks: marks.map((one) => ({ ...one, person: who(one.person), atMs: undefined, at: isoOf(one.atMs) })),
    files: line.files.map((held) => fileObject(held, files)),
    capturedBy: capturedBy.map(({ account, leaf, atMs: takenMs }) => ({
      account: who(account),
      leaf,
      at: isoOf(takenMs),
    })),
    defects: line.defects,
    records: records.map(({ leaf, id, atMs: takenMs, view, clear, defect }) => ({
      leaf,
      id,
      at: isoOf(takenMs),
      ...(defect === null ? {} : { defect }),
      ...(clear === null ? {} : { clear }),
      view: withoutKeys(view),
    })),
  };
}

function localTime(atMs: number, zone: LocalTime): { local?: string } {
  return zone.zone === 'UTC' ? {} : { local: zone.text(atMs) };
}

const timeOrNull = (timeMs: number | null): string | null => (timeMs === null ? null : isoOf(timeMs));

function fileObject(held: Item['shown']['line']['files'][number], files: FileBook): unknown {
  const { attachment } = held;
  const exported = files.of(held);
  const { id, fileName, contentType, place } = attachment;
  const announced = { id, name: fileName, contentType, place, announcedSize: attachment.size };
  return { ...announced, ...stateOf(exported), lie: exported === null ? null : lieOf(attachment, exported) };
}

function stateOf(exported: ExportedFile | null): Record<string, unknown> {
  if (exported === null) return { state: 'never-captured' };
  const { path, size, sha256, type, defect } = exported;
  return { state: defect ?? 'present', path, size, sha256, type };
}
