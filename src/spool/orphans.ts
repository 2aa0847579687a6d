// SPDX-License-Identifier: AGPL-3.0-or-later
import { parseEntry, sealedPart } from '../record/entry.ts';
import type { BytesRef, Entry, Hex128, Hex256 } from '../record/entry-types.ts';
import type { View } from '../record/message.ts';
import type { App } from '../record/vocabulary.ts';
import type { AccessCapture, AccountSpool, OwnCapture, OwnContent, OwnGap } from './account.ts';
import type { SpoolObjects } from './objects.ts';
import type { Outbox, StoredRecord } from './outbox.ts';

/*
 * Orphans: sealed records that no stream of this spool can ship any more, because the log took their stream another way or their
 * database is damaged. They are recorded once more, whole, as opaque content of the account's present stream; in a reader's spool, which
 * may sign no content, as `access`. Their identity is their bytes, so that doing it twice is harmless.
 */

/** A sealed record as it was, `header line \n epoch document \n body`, and the objects it names. */
export interface Orphan {
  readonly raw: Buffer;
  readonly objects: readonly BytesRef[];
  /** Its own tag, if it has one. */
  readonly tag: Hex128 | null;
}

/** A row as an opaque record holds it. */
export function opaque(outbox: Outbox, { line, body }: Pick<StoredRecord, 'line' | 'body'>): Buffer {
  const epoch = epochOf(line);
  return joined(line, epoch === null ? '' : outbox.document(epoch), body);
}

export function joined(line: string, document: string, body: Buffer | null): Buffer {
  return Buffer.concat([Buffer.from(`${line}\n${document}\n`), body ?? Buffer.alloc(0)]);
}

/** What damage left of a line may still name its epoch. */
function epochOf(line: string): Hex256 | null {
  return /"epoch":"([0-9a-f]{64})"/.exec(line)?.[1] ?? null;
}

export function orphanOf(raw: Buffer): Orphan {
  const entry = entryOf(raw.toString('utf8', 0, Math.max(0, raw.indexOf('\n'))));
  const objects = entry !== null && 'obj' in entry && entry.obj !== undefined ? entry.obj : [];
  const tag = entry !== null && sealedPart(entry) !== null && 'tag' in entry ? (entry.tag ?? null) : null;
  return { raw, objects, tag };
}

function entryOf(line: string): Entry | null {
  try {
    return parseEntry(line);
  } catch {
    return null;
  }
}

/** Where orphans go. */
export interface Adoption {
  readonly app: App;
  readonly sink: AccountSpool;
  readonly objects: SpoolObjects;
  readonly nowMs: number;
}

/**
 * The captures that record orphans again. An object that is still to be had goes with its record; one whose file is missing or
 * rotten becomes a gap, once.
 */
export async function capturesOf(orphans: readonly Orphan[], adoption: Adoption): Promise<OwnCapture[]> {
  const captures: OwnCapture[] = [];
  for (const orphan of orphans) {
    if (adoption.sink.isReaders) {
      captures.push(readerOrphan(orphan, adoption));
      continue;
    }
    const capture = orphanCapture(orphan, adoption);
    const isNew = !adoption.sink.has(capture.native);
    const present: BytesRef[] = [];
    for (const ref of isNew ? orphan.objects : []) {
      if (await isToBeHad(ref, adoption.objects)) present.push(ref);
      else captures.push(lostObject(orphan.tag, adoption));
    }
    captures.push({ ...capture, objects: present });
  }
  return captures;
}

async function isToBeHad({ h, n }: BytesRef, objects: SpoolObjects): Promise<boolean> {
  return objects.isUploaded(h) || (await objects.check({ hash: h, size: n })) !== null;
}

const ORPHAN_ID_BYTES = 4096;

function orphanCapture({ raw }: Orphan, { app, nowMs }: Adoption): OwnContent {
  const id = raw.toString('latin1', 0, ORPHAN_ID_BYTES);
  return {
    type: 'content',
    native: { chat: '', sender: '', id, kind: 'orphan', revision: '' },
    via: 'spool',
    atMs: nowMs,
    view: { ...ownView(app), kind: 'unknown', reason: 'orphan-record' },
    raw,
  };
}

/** What is put around a record once more; the rest of a body is for the record. An act is at most half as long. */
const MAX_READER_ORPHAN_BYTES = 60_000;

/** A reader's record names no object and has none to go to. One that grew too long by being put around again and again is a gap that names it. */
function readerOrphan({ raw, tag }: Orphan, { app, nowMs }: Adoption): AccessCapture | OwnGap {
  if (raw.length <= MAX_READER_ORPHAN_BYTES) {
    const id = raw.toString('latin1', 0, ORPHAN_ID_BYTES);
    const native = { chat: '', sender: '', id, kind: 'orphan', revision: '' };
    return { type: 'access', native, via: 'spool', atMs: nowMs, view: { v: 1, kind: 'orphan' }, raw };
  }
  return {
    type: 'gap',
    cause: 'spool-doubtful',
    scope: 'message',
    state: 'final',
    atMs: nowMs,
    via: 'spool',
    ...(tag === null ? {} : { tag }),
    view: { ...ownView(app), kind: 'gap', cause: 'spool-doubtful', detail: null },
    raw: Buffer.alloc(0),
  };
}

function lostObject(tag: Hex128 | null, { app, nowMs }: Adoption): OwnGap {
  return {
    type: 'gap',
    cause: 'object-unreadable',
    scope: 'attachment',
    state: 'final',
    atMs: nowMs,
    via: 'spool',
    ...(tag === null ? {} : { tag }),
    view: { ...ownView(app), kind: 'gap', cause: 'object-unreadable', detail: null },
    raw: Buffer.alloc(0),
  };
}

/** What every view of this folder's own captures has: it is about the spool, not about a message. */
export function ownView(
  app: App,
): Pick<View, 'v' | 'app' | 'account' | 'direction' | 'chat' | 'sender' | 'sentAtMs' | 'serverAtMs'> {
  return {
    v: 1,
    app,
    account: { id: null },
    direction: 'none',
    chat: null,
    sender: null,
    sentAtMs: null,
    serverAtMs: null,
  };
}
