// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import type { Json } from '../../../record/canonical.ts';
import type { StanzaNode } from './input.ts';

/*
 * What `raw` of a WhatsApp record holds, byte for byte:
 *
 *     holdfast whatsapp raw v1 LF
 *     {"origin":…,"facts":{…},"stanza":NODE|null,"bytes":[{"is":WORD,"n":LENGTH}…]} LF
 *     the byte strings of `bytes`, one behind the other
 *
 * NODE = {"tag":…,"attrs":{…}} and, where the node has content, one of "text": string, "nodes": list of NODE, "bytes": position in
 * `bytes`, or "omitted": {"n","sha256"} for a ciphertext whose plaintext is among `bytes`. JSON as ECMAScript writes it, so strings of
 * any content come back as they were.
 *
 * Words: `content` (a node's bytes), `plaintext` (what the Signal session gave, padding included, of the child number `facts.part`),
 * `opened` (what a message secret opened), `history-message`, `history-conversation`, `history-rest` (parts of a history blob as they
 * lay in it), `mutation` (SyncActionData), `sealed-mutation`
 * (SyncdMutation, or the whole patch, where it was not opened), `app-state-reference` (ExternalBlobReference). `history-conversation` and `history-rest` lack the messages that are records of their own.
 */

const HEAD = 'holdfast whatsapp raw v1\n';
const LF = 0x0a;
const EMPTY = new Uint8Array(0);

/** Never used again: `event`. */
export type RawOrigin = 'stanza' | 'history' | 'mutation';

export interface RawPart {
  readonly is:
    | 'content'
    | 'plaintext'
    | 'opened'
    | 'history-message'
    | 'history-conversation'
    | 'history-rest'
    | 'mutation'
    | 'sealed-mutation'
    | 'app-state-reference';
  readonly bytes: Uint8Array;
}

export interface RawDocument {
  readonly origin: RawOrigin;
  readonly facts: { readonly [name: string]: Json };
  readonly stanza: StanzaNode | null;
  readonly parts: readonly RawPart[];
}

interface Written {
  tag: string;
  attrs: Record<string, string>;
  text?: string;
  nodes?: Written[];
  bytes?: number;
  omitted?: { n: number; sha256: string };
}

/** `omit` names the child of the stanza whose ciphertext need not be kept: it was decrypted. */
export function encodeRaw({ origin, facts, stanza, parts }: RawDocument, omit: number | null = null): Uint8Array {
  const all: RawPart[] = [];
  const node = stanza === null ? null : written(stanza, all, omit);
  all.push(...parts);
  const bytes = all.map((part) => ({ is: part.is, n: part.bytes.length }));
  const header = JSON.stringify({ origin, facts, stanza: node, bytes });
  return Buffer.concat([Buffer.from(`${HEAD}${header}\n`), ...all.map((part) => part.bytes)]);
}

/** Inverse of {@link encodeRaw}; an omitted ciphertext comes back without content. Null for anything else. */
export function decodeRaw(raw: Uint8Array): RawDocument | null {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  const end = bytes.indexOf(LF, HEAD.length);
  if (bytes.toString('latin1', 0, HEAD.length) !== HEAD || end < 0) return null;
  const header = parseHeader(bytes.toString('utf8', HEAD.length, end));
  if (header === null) return null;
  let at = end + 1;
  const all = header.bytes.map(({ is, n }): RawPart => ({ is, bytes: bytes.subarray(at, (at += n)) }));
  if (at !== bytes.length) return null;
  const stanza = header.stanza === null ? null : restored(header.stanza, all);
  const parts = all.filter(({ is }) => is !== 'content');
  return { origin: header.origin, facts: header.facts, stanza, parts };
}

/** The same with one more part at the end. */
export function withPart(raw: Uint8Array, part: RawPart): Uint8Array {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  const end = bytes.indexOf(LF, HEAD.length);
  const header = parseHeader(bytes.toString('utf8', HEAD.length, end));
  if (header === null) return raw;
  const more = JSON.stringify({ ...header, bytes: [...header.bytes, { is: part.is, n: part.bytes.length }] });
  return Buffer.concat([Buffer.from(`${HEAD}${more}\n`), bytes.subarray(end + 1), part.bytes]);
}

interface Header {
  readonly origin: RawOrigin;
  readonly facts: RawDocument['facts'];
  readonly stanza: Written | null;
  readonly bytes: readonly { readonly is: RawPart['is']; readonly n: number }[];
}

function parseHeader(text: string): Header | null {
  try {
    return JSON.parse(text) as Header;
  } catch {
    return null;
  }
}

function written({ tag, attrs, content }: StanzaNode, all: RawPart[], omit: number | null): Written {
  const head = { tag, attrs: { ...attrs } };
  if (content === undefined) return head;
  if (typeof content === 'string') return { ...head, text: content };
  if (content instanceof Uint8Array) {
    all.push({ is: 'content', bytes: content });
    return { ...head, bytes: all.length - 1 };
  }
  const nodes = content.map((child, position) =>
    position === omit && child.content instanceof Uint8Array
      ? omitted(child, child.content)
      : written(child, all, null),
  );
  return { ...head, nodes };
}

function omitted({ tag, attrs }: StanzaNode, content: Uint8Array): Written {
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { tag, attrs: { ...attrs }, omitted: { n: content.length, sha256 } };
}

function restored({ tag, attrs, text, nodes, bytes }: Written, all: readonly RawPart[]): StanzaNode {
  if (text !== undefined) return { tag, attrs, content: text };
  if (nodes !== undefined) return { tag, attrs, content: nodes.map((node) => restored(node, all)) };
  if (bytes === undefined) return { tag, attrs };
  return { tag, attrs, content: all[bytes]?.bytes ?? EMPTY };
}
