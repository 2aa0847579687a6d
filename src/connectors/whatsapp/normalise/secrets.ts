// SPDX-License-Identifier: AGPL-3.0-or-later
import { createDecipheriv, createHash, createHmac } from 'node:crypto';
import { aliasesOf, type Person } from './address.ts';
import { refNative } from './frame.ts';
import type { Context, Memory } from './input.ts';

/** What is encrypted under a secret that only the members of a conversation know: the secret of the message it is about. */
export type SealedUse = 'Poll Vote' | 'Enc Reaction' | 'Enc Comment' | 'Event Response' | 'Event Edit' | 'Message Edit';

export interface Sealed {
  readonly payload: Uint8Array;
  readonly iv: Uint8Array;
}

/** Which message something sealed is about, and who sealed it. */
export interface SealedAbout {
  readonly room: string;
  readonly author: Person;
  readonly id: string;
  readonly by: Person;
}

/** What is kept of a message for what may come: its secret, time, and the hashes of its options if it is a poll. */
export interface Recalled {
  readonly secret: Uint8Array | null;
  readonly sentAtMs: number | null;
  /** SHA-256 of each option's name, hex. */
  readonly options: readonly string[];
}

const SECRET_BYTES = 32;
const TAG_BYTES = 16;
/** Ids are the sender's choice: one who uses an id twice must not make the first message's secret forgotten. */
const MOST_REMEMBERED = 4;

/**
 * The key of one use: HKDF-SHA256 of the original's secret without salt, told apart by the original's id and author, the modifier and the
 * use. Both parties as JIDs without device.
 */
export function useKey(secret: Uint8Array, id: string, author: string, by: string, use: SealedUse): Buffer {
  const info = Buffer.from(`${id}${author}${by}${use}`);
  const extracted = createHmac('sha256', new Uint8Array(SECRET_BYTES)).update(secret).digest();
  return createHmac('sha256', extracted).update(info).update(Uint8Array.of(1)).digest();
}

/** Votes and event responses are bound to the voter as additional data; the other uses have none. */
function additionalData(id: string, by: string, use: SealedUse): Buffer {
  return use === 'Poll Vote' || use === 'Event Response' ? Buffer.from(`${id}\0${by}`) : Buffer.alloc(0);
}

/** AES-256-GCM with the tag at the end. Null if it is not sealed with this key. */
export function openSealed({ payload, iv }: Sealed, key: Uint8Array, additional: Uint8Array): Buffer | null {
  if (payload.length < TAG_BYTES || iv.length === 0) return null;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, iv);
    decipher.setAAD(additional);
    decipher.setAuthTag(payload.subarray(payload.length - TAG_BYTES));
    const opened = decipher.update(payload.subarray(0, payload.length - TAG_BYTES));
    return Buffer.concat([opened, decipher.final()]);
  } catch {
    return null;
  }
}

export type Opened =
  | { readonly bytes: Buffer; readonly recalled: Recalled }
  | { readonly bytes: null; readonly why: 'secret not known' | 'not opened' };

/** Which of a person's two JIDs the sealer used is not told: all are tried, and every secret remembered under the id. */
export function open(context: Context, about: SealedAbout, use: SealedUse, sealed: Sealed): Opened {
  const known = recall(context, about.room, about.author, about.id).filter(({ secret }) => secret !== null);
  if (known.length === 0) return { bytes: null, why: 'secret not known' };
  for (const recalled of known) {
    for (const author of aliasesOf(context, about.author)) {
      for (const by of aliasesOf(context, about.by)) {
        const key = useKey(recalled.secret ?? new Uint8Array(), about.id, author, by, use);
        const bytes = openSealed(sealed, key, additionalData(about.id, by, use));
        if (bytes !== null) return { bytes, recalled };
      }
    }
  }
  return { bytes: null, why: 'not opened' };
}

/** What was remembered of the messages of this author and id; the newest first. */
export function recall(context: Context, room: string, author: Person, id: string): Recalled[] {
  return aliasesOf(context, author).flatMap((alias) => decodeMemory(context.recall(refNative(room, alias, id))));
}

/** What to store for a message; null where nothing can come that needs it. Keeps what was remembered under the same identity. */
export function remember(
  context: Context,
  message: { room: string; sender: string; id: string },
  fresh: Recalled,
): Memory | null {
  if (fresh.secret?.length !== SECRET_BYTES || message.sender === '') return null;
  const of = refNative(message.room, message.sender, message.id);
  const before = decodeMemory(context.recall(of)).filter(
    ({ secret }) => secret === null || fresh.secret === null || Buffer.compare(secret, fresh.secret) !== 0,
  );
  return { of, value: encodeMemory([fresh, ...before].slice(0, MOST_REMEMBERED)) };
}

export function optionHash(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

interface WrittenMemory {
  readonly s: string;
  readonly t: number | null;
  readonly o?: readonly string[];
}

function encodeMemory(all: readonly Recalled[]): Uint8Array {
  const written = all.map(({ secret, sentAtMs, options }): WrittenMemory => ({
    s: Buffer.from(secret ?? []).toString('base64'),
    t: sentAtMs,
    ...(options.length === 0 ? {} : { o: options }),
  }));
  return Buffer.from(JSON.stringify(written));
}

function decodeMemory(bytes: Uint8Array | null): Recalled[] {
  if (bytes === null || bytes.length === 0) return [];
  const all = JSON.parse(Buffer.from(bytes).toString('utf8')) as readonly WrittenMemory[];
  return all.map(({ s, t, o = [] }) => ({ secret: Buffer.from(s, 'base64'), sentAtMs: t, options: o }));
}
