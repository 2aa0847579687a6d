// SPDX-License-Identifier: Apache-2.0
import type { KeyObject } from 'node:crypto';
import { canonicalize, parseCanonical, type Json } from './canonical.ts';
import { openCheckpoint } from './checkpoint.ts';
import type { Hex256, Seconds } from './entry-types.ts';
import { FormatError } from './format-error.ts';
import { decodeBase64, signBytes, signingKeyOf, verifyBytes, type SigningKey } from './key.ts';
import { encodeVerifierKey, parseVerifierKey, type NoteKey } from './note.ts';

/** `exchanged`: the old log key signs its own end. `lost`, `stolen`: it cannot, or its word is worth nothing; the root says where the log ended. */
export const LINK_CAUSES = ['exchanged', 'lost', 'stolen'] as const;
export type LinkCause = (typeof LINK_CAUSES)[number];

/** Where a log ends. */
export interface LogEnd {
  readonly size: number;
  readonly root: Hex256;
}

/** The root's word that one log goes on in another. */
export interface LogLink {
  readonly at: Seconds;
  readonly cause: LinkCause;
  /** Number of the later log in its line: 1 for the successor of a first one. */
  readonly n: number;
  readonly from: NoteKey;
  readonly to: NoteKey;
  /** Null where the old log key signs the end itself. */
  readonly end: LogEnd | null;
}

/** What the later log says of the earlier one. */
export interface Predecessor {
  readonly link: LogLink;
  /** The link as it was signed, one line. */
  readonly document: string;
  readonly end: LogEnd;
}

const CONTEXT = 'holdfast link v1';
const PREDECESSOR = 'holdfast predecessor v1';
const SECONDS = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const HEX_256 = /^[0-9a-f]{64}$/;

type Members = Readonly<Record<string, Json>>;

function linkJson({ at, cause, n, from, to, end }: LogLink): Members {
  const pinned = end === null ? null : { root: end.root, size: end.size };
  return { at, cause, ctx: CONTEXT, end: pinned, from: encodeVerifierKey(from), n, to: encodeVerifierKey(to) };
}

/** The root's order: complete only once both log keys have signed it as well, see {@link completeLink}. */
export function orderLink(link: LogLink, rootKey: KeyObject): string {
  const body = linkJson(link);
  readLink(body);
  const sig = signBytes(rootKey, canonicalize(body)).toString('base64');
  return canonicalize({ link: body, root: signingKeyOf(rootKey).id, sig });
}

/** Opens an order. Throws `format/link`, `format/link-signature`. */
export function openOrder(document: string, root: SigningKey): LogLink {
  const { link: body, root: id, sig } = members(parseCanonical(document), 'link,root,sig');
  return openSigned(body, root, id, sig);
}

/** The order with the signatures of the new log key and, unless that is lost or stolen, of the old one. */
export function completeLink(
  order: string,
  root: SigningKey,
  keys: { readonly old: KeyObject | null; readonly new: KeyObject },
): string {
  openOrder(order, root);
  const { link, ...rest } = parseCanonical(order) as { readonly link: Json };
  const signed = (key: KeyObject): string => signBytes(key, canonicalize(link)).toString('base64');
  const complete = canonicalize({
    ...rest,
    link,
    new: signed(keys.new),
    old: keys.old === null ? null : signed(keys.old),
  });
  openLink(complete, root);
  return complete;
}

/** Opens a link that is signed by all who must. Throws `format/link`, `format/link-signature`. */
export function openLink(document: string, root: SigningKey): LogLink {
  const {
    link: body,
    new: byNew,
    old: byOld,
    root: id,
    sig,
  } = members(parseCanonical(document), 'link,new,old,root,sig');
  const link = openSigned(body, root, id, sig);
  assertSigned(link.to, body, byNew);
  if (link.cause === 'exchanged') assertSigned(link.from, body, byOld);
  else if (byOld !== null) throw malformed('no signature of a key that is lost or stolen');
  return link;
}

function openSigned(body: Json | undefined, root: SigningKey, id: Json | undefined, sig: Json | undefined): LogLink {
  const isSigned =
    id === root.id &&
    typeof sig === 'string' &&
    verifyBytes(root, canonicalize(body as Json), decodeBase64('format/key', sig));
  if (!isSigned) throw unsigned(`root key ${root.id}`);
  return readLink(body);
}

function assertSigned({ name, key }: NoteKey, body: Json | undefined, sig: Json | undefined): void {
  const isSigned =
    typeof sig === 'string' && verifyBytes(key, canonicalize(body as Json), decodeBase64('format/key', sig));
  if (!isSigned) throw unsigned(`the log key of ${name}`);
}

function readLink(body: Json | undefined): LogLink {
  const { at, cause, ctx, end, from, n, to } = members(body, 'at,cause,ctx,end,from,n,to');
  const isLink =
    ctx === CONTEXT && typeof at === 'string' && SECONDS.test(at) && LINK_CAUSES.includes(cause as LinkCause);
  if (!isLink || typeof from !== 'string' || typeof to !== 'string') throw malformed('a link of two logs');
  if (typeof n !== 'number' || !Number.isSafeInteger(n) || n < 1) throw malformed('the number of the later log');
  const [old, next] = [parseVerifierKey(from), parseVerifierKey(to)];
  if (!areApart(old.name, next.name)) throw malformed('two logs, neither within the other');
  if (old.key.id === next.key.id) throw malformed('a log key of its own for each');
  const pinned = end === null ? null : readEnd(end);
  if ((cause === 'exchanged') !== (pinned === null))
    throw malformed('an end where the old log key signs none, and only there');
  return { at, cause: cause as LinkCause, n, from: old, to: next, end: pinned };
}

/** A log within another one's folder would look like foreign objects there. */
function areApart(a: string, b: string): boolean {
  return !`${a}/`.startsWith(`${b}/`) && !`${b}/`.startsWith(`${a}/`);
}

function readEnd(value: Json | undefined): LogEnd {
  const { root, size } = members(value, 'root,size');
  const isEnd =
    typeof root === 'string' && HEX_256.test(root) && typeof size === 'number' && Number.isSafeInteger(size);
  if (!isEnd || size < 1) throw malformed('root and size of the earlier log');
  return { root, size };
}

/** The document by which a log names the one before it. `checkpoint`: the last of that log, null where the link says how it ended. */
export function encodePredecessor(link: string, checkpoint: string | null): string {
  return canonicalize({ checkpoint, ctx: PREDECESSOR, link });
}

/** Throws `format/link`, `format/link-signature`, or what a checkpoint is refused for. */
export function openPredecessor(text: string, root: SigningKey): Predecessor {
  const { checkpoint, ctx, link: document } = members(parseCanonical(text), 'checkpoint,ctx,link');
  if (ctx !== PREDECESSOR || typeof document !== 'string') throw malformed('what a log says of the one before it');
  const link = openLink(document, root);
  if (link.end !== null) {
    if (checkpoint !== null) throw malformed('no checkpoint of a log whose key is lost or stolen');
    return { link, document, end: link.end };
  }
  if (typeof checkpoint !== 'string') throw malformed('the last checkpoint of the earlier log');
  const { size, root: hash } = openCheckpoint(checkpoint, link.from);
  return { link, document, end: { size, root: hash.toString('hex') } };
}

function members(value: Json | undefined, names: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).join() !== names)
    throw malformed(`an object of ${names}`);
  return value as Members;
}

function malformed(expected: string): FormatError {
  return new FormatError('format/link', expected, 'another value');
}

function unsigned(by: string): FormatError {
  return new FormatError('format/link-signature', `a signature by ${by}`, 'one that does not verify, or none');
}
