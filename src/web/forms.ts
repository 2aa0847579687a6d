// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';

/*
 * Forms of what is asked and answered. Texts are as they were written, by strangers: whoever shows them shows them as text.
 */

export const leaf = z
  .int()
  .min(0)
  .meta({ description: 'Number of a record in the log: names it in every index of this log.' });
const moment = z.iso.datetime().meta({ description: 'UTC, with milliseconds.' });
const local = z
  .string()
  .meta({ description: 'The same moment on clocks of the zone asked for, with its distance from UTC.' });

export const indexForm = z
  .strictObject({
    origin: z.string().meta({ description: 'Name of the log.' }),
    checkpoint: z.int().meta({
      description: 'The answer is complete up to this many leaves of the log, and knows nothing of later ones.',
    }),
    at: z.string().meta({ description: 'Time of the last of them, by the store’s clock.' }),
    records: z.int(),
    lines: z.int(),
    unreadable: z.int().meta({ description: 'Records that could not be read; each is a line that says why.' }),
    awaited: z.int().meta({ description: 'Those of them that are read as soon as their bytes are there again.' }),
  })
  .meta({ id: 'Index' });

export const namedForm = z
  .strictObject({
    person: z.int(),
    name: z.string().nullable().meta({ description: 'Name in force at the time of what it stands beside.' }),
    number: z.string().nullable(),
    id: z.string().nullable().meta({ description: 'The messenger’s identifier.' }),
  })
  .meta({ id: 'Person' });

export const hitForm = z
  .strictObject({
    leaf,
    conversation: z.int().nullable(),
    title: z.string(),
    kind: z.string(),
    at: moment,
    local,
    author: namedForm.nullable(),
    snippet: z.array(z.strictObject({ text: z.string(), hit: z.boolean() })),
    edited: z.boolean(),
    deleted: z.boolean(),
    copies: z.int().meta({ description: 'Accounts it was captured from.' }),
  })
  .meta({ id: 'Hit' });

export const conversationForm = z
  .strictObject({
    id: z.int().meta({ description: 'Number within this index.' }),
    app: z.string(),
    type: z.string(),
    title: z.string(),
    lines: z.int(),
    first: moment.nullable(),
    last: moment.nullable(),
  })
  .meta({ id: 'Conversation' });

export const gapForm = z
  .strictObject({
    leaf,
    app: z.string(),
    account: namedForm.nullable(),
    cause: z.string(),
    scope: z.string(),
    state: z.enum(['open', 'closed', 'final']),
    since: moment.nullable(),
    until: moment.nullable(),
  })
  .meta({ id: 'Gap', description: 'Something that the log itself says is missing.' });

const person = z.int().nullable();
const content = z
  .looseObject({ text: z.string().nullable() })
  .meta({ description: 'As `Content` in src/record/message.ts.' });
const file = z.strictObject({
  attachment: z
    .looseObject({})
    .meta({ description: 'What was said of it: as `Attachment` in src/record/message.ts. Claims, not facts.' }),
  held: z
    .strictObject({ leaf, size: z.int(), sha256: z.string() })
    .nullable()
    .meta({ description: 'Null while, or if, its bytes are not in the archive; else `/files/{leaf}` gives them.' }),
});

export const lineForm = z
  .strictObject({
    mark: z.int().meta({ description: 'For `after` and `before`; of this index only.' }),
    leaf,
    kind: z.string(),
    at: moment,
    local,
    told: z.strictObject({ who: z.string(), said: z.array(z.string()), below: z.array(z.string()) }).meta({
      description:
        'The whole line in words, without anything that acts: control characters and directions are made visible.',
    }),
    author: person,
    sent: moment.nullable().meta({ description: 'By the author’s clock.' }),
    server: moment.nullable().meta({ description: 'By the messenger’s server.' }),
    versions: z.array(z.strictObject({ content, atMs: z.number(), leaf })),
    deleted: z.strictObject({ by: z.enum(['sender', 'admin']), person, atMs: z.number() }).nullable(),
    reactions: z.array(z.strictObject({ person, emoji: z.string(), removed: z.boolean(), atMs: z.number() })),
    votes: z.array(z.strictObject({ person, options: z.array(z.int()).nullable(), atMs: z.number() })),
    receipts: z.array(z.strictObject({ person, state: z.string(), atMs: z.number() })),
    marks: z.array(z.strictObject({ kind: z.string(), person, atMs: z.number(), detail: z.string() })),
    files: z.array(file),
    capturedBy: z.array(z.strictObject({ account: person, leaf, atMs: z.number() })),
    leaves: z.array(leaf).meta({ description: 'Every record that is part of the line.' }),
    defects: z.array(z.string()),
    people: z
      .array(namedForm)
      .meta({ description: 'Everybody whom the numbers above mean, named as of this line’s time.' }),
    members: z.array(namedForm).nullable().meta({ description: 'Who was there then; null where nothing tells.' }),
  })
  .meta({ id: 'Line' });

export const personForm = z
  .strictObject({ ...namedForm.shape, app: z.string(), names: z.array(z.string()) })
  .meta({ id: 'KnownPerson' });

/** Numbers in addresses come as text. */
const whole = (most: number): z.ZodType<number, string | number> =>
  z
    .union([z.int(), z.string().regex(/^\d{1,15}$/)])
    .transform(Number)
    .pipe(z.int().min(0).max(most));
export const leafInPath = whole(Number.MAX_SAFE_INTEGER).meta({ description: 'Number of a record in the log.' });
export const numberInPath = whole(Number.MAX_SAFE_INTEGER);
export const mark = whole(Number.MAX_SAFE_INTEGER).optional();
export const pageSize = (most: number, usual: number): z.ZodType<number, string | number | undefined> =>
  z
    .union([z.int(), z.string().regex(/^\d{1,6}$/)])
    .transform(Number)
    .pipe(z.int().min(1).max(most))
    .default(usual);
export const zone = z.string().max(60).default('UTC').meta({
  description: 'IANA time zone of whoever asks, such as America/New_York: of days in queries, and of `local`.',
});
