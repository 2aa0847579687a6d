// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { ESCROW_ACTS } from '../record/vocabulary.ts';

/*
 * Acts: what readers do. Each is the sealed view of an `access` record in the log, so what is said here is read by holders of a reader
 * key only. Messages are named by a leaf of the log, which no rebuilt index and no later version changes: a leaf means the line that
 * its record is part of, and the conversation that this line stands in.
 */

export const MOST_TEXT = 8000;
export const MOST_SHOWN = 1000;
/** An act has no object to go to: it must fit a record's body, and once more around it if a spool is in doubt. */
export const MAX_ACT_BYTES = 32_768;
export const MOST_DIRECTORY_ROWS = 100;

const hex128 = z.string().regex(/^[0-9a-f]{32}$/);
const leaf = z.int().min(0);
const text = z.string().max(MOST_TEXT);
const short = z.string().max(400);
const time = z.int().min(0);
/** A label of an agency's own, or one of `responsive`, `privileged`, `issue`. */
export const TAG = /^[a-z0-9][a-z0-9-]{0,39}$/;

/** What a tag, a note or a hold is about. */
export const targetForm = z.discriminatedUnion('what', [
  z.object({ what: z.literal('message'), leaf }),
  /** The lines of one conversation from that of one leaf to that of another, both included. */
  z.object({ what: z.literal('range'), from: leaf, to: leaf }),
  z.object({ what: z.literal('conversation'), leaf }),
]);
export type Target = z.output<typeof targetForm>;

/** Which messages a hold covers: those that are there, and those that come. */
export const scopeForm = z.discriminatedUnion('by', [
  z.object({ by: z.literal('custodian'), custodian: short }),
  z.object({ by: z.literal('conversation'), leaf }),
  z.object({ by: z.literal('search'), query: text }),
  z.object({ by: z.literal('record'), leaf }),
]);
export type HoldScope = z.output<typeof scopeForm>;

/** A line of the agency's directory: whose an identifier or number is, and from when until when (ms since 1970). */
export const directoryRowForm = z.object({
  identifier: short,
  custodian: short,
  fromMs: time.nullable(),
  toMs: time.nullable(),
});
export type DirectoryRow = z.output<typeof directoryRowForm>;

const deedForm = z.discriminatedUnion('act', [
  z.object({ act: z.literal('login') }),
  /** `hits` counts all; `shown` are leaves of those that were shown. */
  z.object({
    act: z.literal('search'),
    query: text,
    order: short,
    hits: z.int().min(0),
    shown: z.array(leaf).max(MOST_SHOWN),
  }),
  /** Lines of a conversation, from that of `leaf` on; null for the list of conversations. */
  z.object({ act: z.literal('view'), leaf: leaf.nullable(), lines: z.int().min(0) }),
  z.object({ act: z.literal('file'), leaf, sha256: short }),
  z.object({ act: z.literal('export'), selection: text, format: short, items: z.int().min(0) }),
  z.object({ act: z.literal('report'), what: short, matter: hex128.nullable(), items: z.int().min(0) }),
  /** `what` was asked for (a command, a route) and refused with this code. */
  z.object({ act: z.literal('denial'), what: short, code: short }),
  z.object({ act: z.literal('matter'), matter: hex128, name: short, state: z.enum(['open', 'closed']) }),
  z.object({ act: z.literal('custodian'), matter: hex128, custodian: short, on: z.boolean() }),
  /** A null query takes the saved search of that name back. */
  z.object({ act: z.literal('saved-search'), matter: hex128, name: short, query: text.nullable() }),
  z.object({ act: z.literal('tag'), matter: hex128, tag: z.string().regex(TAG), on: z.boolean(), target: targetForm }),
  z.object({ act: z.literal('note'), matter: hex128, text, target: targetForm.nullable() }),
  z.object({ act: z.literal('hold'), hold: hex128, matter: hex128, scope: scopeForm }),
  /** What was done online about a ceremony with the shares of a key; that it happened is the log's own word. */
  z.object({
    act: z.literal('escrow'),
    step: z.enum(['announced', 'submitted', 'proven', 'done', 'failed']),
    what: z.enum(ESCROW_ACTS),
    ceremony: hex128,
    key: hex128,
  }),
  /** One part of a version of the directory, which is in force once all its parts are there. */
  z.object({
    act: z.literal('directory'),
    version: hex128,
    part: z.int().min(1),
    of: z.int().min(1),
    rows: z.array(directoryRowForm).max(MOST_DIRECTORY_ROWS),
  }),
]);
export type Deed = z.output<typeof deedForm>;

/** Who acts: the reader's name in the config, the user of the system or of the identity provider, and one run or sign-on of theirs. */
const actorForm = z.object({ reader: short, user: short, session: hex128, via: z.enum(['command', 'web']) });
export type Actor = z.output<typeof actorForm>;

const actForm = z.object({
  v: z.literal(1),
  kind: z.literal('act'),
  id: hex128,
  atMs: time,
  by: actorForm,
  deed: deedForm,
});
/** An act as it is sealed. `id` is random: an act that stands in the log twice counts once. */
export type Act = z.output<typeof actForm>;

/** The view of a record that holds another one whole, in its raw part: what a spool in doubt recorded again. */
export interface OrphanView {
  readonly v: 1;
  readonly kind: 'orphan';
}

/** The act, if it has the form of one; null for anything else: whoever sealed it may have sealed anything. */
export function asAct(value: unknown): Act | null {
  const parsed = actForm.safeParse(value);
  return parsed.success ? parsed.data : null;
}
