// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { canonicalize, type Json } from '../record/canonical.ts';
import type { Hex128, Hex256, StreamHead } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { signBytes, signingKeyOf, verifyBytes, type KeyId, type SigningKey } from '../record/key.ts';

/** Permission to upload one object, as the store gave it. */
export interface Grant {
  readonly key: string;
  readonly sha256: Hex256;
  readonly size: number;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly expires: string;
}

/** Where the log says an account's newest stream stands. */
export interface AccountHead {
  readonly acct: Hex128;
  readonly gen: number;
  readonly head: StreamHead | null;
}

/** What the archiver answers. A receipt proves itself; everything else is signed by the archiver's key. */
export type Reply =
  | { readonly kind: 'receipt'; readonly receipt: string }
  /** The stream's next record must be `seq`: send from there. */
  | { readonly kind: 'want'; readonly stream: Hex128; readonly seq: number }
  /** This batch can never be archived as it is. */
  | { readonly kind: 'refused'; readonly stream: Hex128; readonly first: number; readonly code: string }
  | { readonly kind: 'granted'; readonly stream: Hex128; readonly grants: readonly Grant[] }
  | { readonly kind: 'denied'; readonly stream: Hex128; readonly code: string }
  | { readonly kind: 'heads'; readonly heads: readonly AccountHead[] }
  /** All packs of the first `leaves` leaves were read back and had the right bytes. */
  | { readonly kind: 'readback'; readonly leaves: number };

export type ReplyKind = Reply['kind'];

const CONTEXT = 'holdfast reply v1';
const KINDS: ReadonlySet<string> = new Set([
  'receipt',
  'want',
  'refused',
  'granted',
  'denied',
  'heads',
  'readback',
] satisfies ReplyKind[]);

function signedText(to: KeyId, reply: Reply): string {
  return canonicalize({ ctx: CONTEXT, to, reply } as unknown as Json);
}

/** One line for the return path of connector `to`. */
export function encodeReply(to: KeyId, reply: Reply, archiverKey: KeyObject): string {
  const sig = signBytes(archiverKey, signedText(to, reply)).toString('base64');
  return JSON.stringify({ reply, key: signingKeyOf(archiverKey).id, sig });
}

/**
 * Opens a reply to `to`. Throws a `FormatError` unless one of the manifest's archivers signed it: whoever writes to Redis can
 * neither send a connector anywhere nor tell it what is archived.
 */
export function openReply(text: string, to: KeyId, archivers: ReadonlyMap<KeyId, SigningKey>): Reply {
  let wire: { reply?: Reply; key?: unknown; sig?: unknown };
  try {
    wire = JSON.parse(text) as typeof wire;
  } catch {
    throw new FormatError('format/not-json', 'a JSON reply', `${text.length} other characters`);
  }
  const { reply, key, sig } = wire ?? {};
  const hasForm = typeof reply === 'object' && reply !== null && typeof sig === 'string' && typeof key === 'string';
  if (!hasForm || !KINDS.has(reply.kind)) {
    throw new FormatError('format/receipt', 'a signed reply', 'another value');
  }
  const archiver = archivers.get(key);
  if (archiver === undefined || !verifyBytes(archiver, signedText(to, reply), Buffer.from(sig, 'base64'))) {
    throw new FormatError('format/batch-signature', 'a reply signed by an archiver of the manifest', 'another signer');
  }
  return reply;
}
