// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import type { Named } from '../../search/index-db.ts';
import { plainLine } from '../../search/plain-text.ts';
import { shortened } from '../files/file-name.ts';
import { itemsOf, type Item } from '../item.ts';
import type { Rendering } from '../rendering.ts';
import { Tally } from '../tally.ts';
import { tell } from '../telling.ts';
import { isoOf } from '../iso.ts';
import { container, type Envelope } from './container.ts';
import type { ZippedFile } from './event-files.ts';
import { CONVERSATION, eventsOf } from './event.ts';
import { customOf, type RsmfConversation, type RsmfEvent, type RsmfManifest } from './manifest.ts';
import { Participants } from './participants.ts';
import { Replies } from './replies.ts';
import type { Slice } from './slices.ts';

/** One RSMF file. Only the lines of its slice are in memory; the bytes of files pass through. */
export async function* rsmfFile(rendering: Rendering, slice: Slice): AsyncGenerator<Buffer> {
  const made = await eventsIn(rendering, slice);
  const { snapshot, staging } = rendering;
  const title = plainLine(snapshot.title(slice.conversation.facts.id, made.lastMs));
  const manifest: RsmfManifest = {
    version: '2.0.0',
    eventcollectionid: collectionOf(rendering, slice),
    participants: made.people.all,
    conversations: [conversationOf(slice, made, title)],
    events: made.events,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  yield* container(envelopeOf(rendering, slice, made, { title, bytes }), bytes, made.zipped, (name) =>
    staging.pathOf(name),
  ) as AsyncIterable<Buffer>;
}

interface Made {
  readonly people: Participants;
  readonly events: readonly RsmfEvent[];
  readonly zipped: readonly ZippedFile[];
  readonly text: readonly string[];
  readonly members: readonly string[];
  readonly custodian: Named | undefined;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly lines: number;
}

async function eventsIn(rendering: Rendering, slice: Slice): Promise<Made> {
  const { conversation, from, end } = slice;
  const { snapshot } = rendering;
  // The first line's time stands for all of the file, which is a day; each event names its own custodians.
  const sinceMs = conversation.lines[from]?.atMs ?? 0;
  const people = new Participants(conversation.facts.app, (named) => snapshot.custodianOf(named, sinceMs));
  const replies = new Replies();
  const tally = new Tally();
  const events: RsmfEvent[] = [];
  const zipped: ZippedFile[] = [];
  const text: string[] = [];
  let first: Item | null = null;
  let lastMs = 0;
  for await (const item of itemsOf(snapshot, conversation, from, end)) {
    first ??= item;
    lastMs = item.shown.atMs;
    const made = eventsOf(item, tell(item, rendering), people, { parent: replies.parentOf(item), snapshot });
    replies.add(item);
    events.push(...made.events);
    zipped.push(...made.zipped);
    text.push(...made.text);
    tally.out(item.planned);
    rendering.onLine();
  }
  tally.assertEqual(conversation.lines.slice(from, end), slice.name);
  const account = first?.shown.line.capturedBy[0]?.account ?? null;
  const custodian = account === null ? undefined : first?.shown.people.get(account);
  const listed = first?.shown.members ?? conversation.facts.pair;
  const present = [...listed, ...(custodian === undefined ? [] : [custodian])].map((one) => people.idOf(one));
  const firstMs = first?.shown.atMs ?? 0;
  const members = membersAtFirst(present, events, people);
  return { people, events, zipped, text, members, custodian, firstMs, lastMs, lines: tally.lines };
}

/** Those who were there when the file begins: whom the archive knows of, and whoever does something before coming. */
function membersAtFirst(present: readonly string[], events: readonly RsmfEvent[], people: Participants): string[] {
  const members = new Set(present);
  const now = new Set(present);
  for (const { type, participant } of events) {
    if (participant === undefined) continue;
    if (type === 'join') now.add(participant);
    else if (!now.has(participant)) {
      now.add(participant);
      members.add(participant);
    }
    if (type === 'leave') now.delete(participant);
  }
  // The format wants somebody.
  return members.size === 0 ? [people.idOf(undefined)] : [...members];
}

function conversationOf(
  { conversation }: Slice,
  { members, custodian, people }: Made,
  title: string,
): RsmfConversation {
  const { facts, key, total } = conversation;
  return {
    id: CONVERSATION,
    display: title === '' ? key : title,
    platform: facts.app,
    type: facts.type === 'direct' || facts.type === 'self' ? 'direct' : 'channel',
    participants: members,
    ...(custodian === undefined ? {} : { custodian: people.idOf(custodian) }),
    custom: customOf({
      'source.id': facts.native,
      'source.type': facts.type,
      'archive.conversation': key,
      'archive.lines': total,
    }),
  };
}

function collectionOf({ provenance }: Rendering, { conversation }: Slice): string {
  return `${provenance.origin} ${conversation.key}`;
}

/** By the agency's directory; else as the messenger has it. */
function custodianName({ snapshot }: Rendering, { custodian, firstMs }: Made): string {
  if (custodian === undefined) return 'unknown';
  return snapshot.custodianOf(custodian, firstMs) ?? custodian.name ?? custodian.number ?? custodian.id ?? 'unknown';
}

function envelopeOf(
  rendering: Rendering,
  slice: Slice,
  made: Made,
  { title, bytes }: { title: string; bytes: Buffer },
): Envelope {
  const { provenance, zone, gaps } = rendering;
  const { checkpoint, generator } = provenance;
  const { conversation, day, part, parts } = slice;
  const { people, events, custodian, firstMs, lastMs, lines } = made;
  const id = createHash('sha256').update(bytes).update(slice.name).digest('hex');
  const to = people.addresses;
  const from = to[custodian === undefined ? 0 : Number(people.idOf(custodian).slice(1)) - 1] ?? {
    name: 'nobody',
    address: 'nobody@export.invalid',
  };
  const attachments = events.reduce((sum, one) => sum + (one.attachments?.length ?? 0), 0);
  return {
    from,
    to: to.length === 0 ? [from] : to,
    subject: shortened(`${title} (${conversation.facts.app}) ${day} ${zone.zone}`),
    dateMs: firstMs,
    id,
    headers: {
      'X-RSMF-Version': '2.0.0',
      'X-RSMF-Generator': generator,
      'X-RSMF-BeginDate': isoOf(firstMs),
      'X-RSMF-EndDate': isoOf(lastMs),
      'X-RSMF-EventCount': String(events.length),
      'X-RSMF-AttachmentCount': String(attachments),
      'X-RSMF-Application': conversation.facts.app,
      'X-RSMF-Custodian': plainLine(custodianName(rendering, made)),
      'X-RSMF-Participants': to.map(({ name }) => name.replaceAll(';', ',')).join('; '),
      'X-RSMF-EventCollectionID': collectionOf(rendering, slice),
      'X-RSMF-Slice': `${day} ${zone.zone} 24h`,
      'X-RSMF-Part': `${part} of ${parts}`,
      'X-RSMF-AsOf': checkpoint.at,
      'X-RSMF-InScopeCount': String(lines),
      'X-RSMF-Checkpoint': String(checkpoint.size),
      'X-RSMF-SourceRoot': checkpoint.root,
      'X-RSMF-ManifestSHA256': createHash('sha256').update(bytes).digest('hex'),
      'X-RSMF-Completeness': `${gaps.length} gaps within the span of the export; see completeness.txt`,
    },
    text: `${made.text.join('\n')}\n`,
  };
}
