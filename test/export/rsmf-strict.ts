// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import type { OpenedRsmf } from './opened-rsmf.ts';

const text = z.string().min(1);
const custom = z.array(z.strictObject({ name: text, value: text }));
/** RSMF wants ISO 8601 with an offset; milliseconds are allowed. */
const time = z.iso.datetime({ offset: true });

/** What an exporter should write of Relativity's field tables: narrower than RSMF 2.0, so whatever fits is RSMF 2.0. */
const manifest = z.strictObject({
  version: z.literal('2.0.0'),
  eventcollectionid: text,
  participants: z.array(
    z.strictObject({
      id: text,
      display: text.optional(),
      email: text.optional(),
      avatar: text.optional(),
      account_id: text.optional(),
      custom: custom.optional(),
    }),
  ),
  conversations: z.array(
    z.strictObject({
      id: text,
      display: text.optional(),
      platform: text,
      type: z.enum(['direct', 'channel']),
      participants: z.array(text).min(1),
      custodian: text.optional(),
      icon: text.optional(),
      custom: custom.optional(),
    }),
  ),
  events: z
    .array(
      z.strictObject({
        id: text,
        type: z.enum(['message', 'disclaimer', 'join', 'leave', 'history', 'unknown']),
        parent: text.optional(),
        conversation: text,
        participant: text.optional(),
        timestamp: time,
        body: z.string().optional(),
        deleted: z.boolean().optional(),
        importance: z.enum(['normal', 'high']).optional(),
        direction: z.enum(['incoming', 'outgoing']).optional(),
        reactions: z
          .array(z.strictObject({ value: text, count: z.int().min(0), participants: z.array(text) }))
          .optional(),
        attachments: z
          .array(z.strictObject({ id: text, display: text.optional(), size: z.int().min(0).optional() }))
          .optional(),
        edits: z
          .array(
            z.strictObject({
              participant: text,
              timestamp: time,
              previous: z.string().optional(),
              new: z.string().optional(),
            }),
          )
          .optional(),
        read_receipts: z
          .array(z.strictObject({ participant: text, timestamp: time, action: z.enum(['read', 'delivered']) }))
          .optional(),
        custom: custom.optional(),
      }),
    )
    .min(1),
});

/** What is wrong with a file: fields that are not in the tables, names that name nothing, members outside the zip's root. */
export function faultsOf({ manifest: written, files }: OpenedRsmf): string[] {
  const parsed = manifest.safeParse(written);
  if (!parsed.success) return parsed.error.issues.map(({ path, message }) => `${path.join('/')}: ${message}`);
  const { participants, conversations, events } = parsed.data;
  const people = participants.map(({ id }) => id);
  const rooms = conversations.map(({ id }) => id);
  const said = events.map(({ id }) => id);
  const named = [
    ...conversations.flatMap((one) => one.participants.map((id) => ['participant', id, people] as const)),
    ...events.flatMap(({ conversation, participant, parent, reactions = [], edits = [], read_receipts = [] }) => [
      ['conversation', conversation, rooms] as const,
      ...(participant === undefined ? [] : [['participant', participant, people] as const]),
      ...(parent === undefined ? [] : [['event', parent, said] as const]),
      ...reactions.flatMap((one) => one.participants.map((id) => ['participant', id, people] as const)),
      ...[...edits, ...read_receipts].map((one) => ['participant', one.participant, people] as const),
    ]),
    ...events.flatMap(({ attachments = [] }) =>
      attachments.map(({ id }) => ['attachment', id, Object.keys(files)] as const),
    ),
  ];
  const attached = new Set(events.flatMap(({ attachments = [] }) => attachments.map(({ id }) => id)));
  return [
    ...[people, rooms, said].flatMap((ids) => (new Set(ids).size === ids.length ? [] : ['an id twice'])),
    ...named.flatMap(([what, id, known]) => (known.includes(id) ? [] : [`${what} ${id} is not there`])),
    ...Object.keys(files).filter((name) => name.includes('/')),
    ...Object.keys(files).filter((name) => name !== 'rsmf_manifest.json' && !attached.has(name)),
  ];
}
