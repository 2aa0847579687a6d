// SPDX-License-Identifier: AGPL-3.0-or-later

import { readdirSync, readFileSync } from 'node:fs';
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import {
  normaliseDecrypted,
  normaliseHistory,
  normaliseMutation,
  normaliseStanza,
  type Context,
  type StanzaNode,
  type Understood,
} from '../../../src/connectors/whatsapp/normalise.ts';
import { decodeRaw } from '../../../src/connectors/whatsapp/normalise/raw.ts';

export const goldenDir = new URL('../../../src/connectors/whatsapp/fixtures/', import.meta.url);

export const own = { pn: '12025550100@s.whatsapp.net', lid: '900100200300400@lid' };

/** A node as fixtures write it: bytes are base64. */
interface WrittenNode {
  readonly tag: string;
  readonly attrs?: Readonly<Record<string, string>>;
  readonly content?: readonly WrittenNode[] | string;
  readonly bytes?: string;
}

/** One thing that comes in. What was remembered of one is there for the next. Messages stand as JSON of the protocol, bytes as base64. */
export interface Step {
  readonly node?: WrittenNode;
  readonly message?: object;
  /** Fields added to the message's bytes as they are, hex: what a newer version would send. */
  readonly newer?: string;
  readonly failure?: string;
  readonly history?: { readonly notification: object; readonly blob: object };
  readonly mutation?: {
    readonly collection: string;
    readonly operation: 'set' | 'remove';
    readonly index: unknown[];
    readonly value: object;
  };
}

export interface GoldenCase {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly out: URL;
}

/** The golden pairs beside the source: what upstream says, and what it is understood as. */
export function goldenCases(): GoldenCase[] {
  return readdirSync(goldenDir)
    .filter((file) => file.endsWith('.in.json'))
    .toSorted()
    .map((file) => {
      const name = file.replace(/\.in\.json$/, '');
      const steps = JSON.parse(readFileSync(new URL(file, goldenDir), 'utf8')) as Step[];
      return { name, steps, out: new URL(`${name}.out.json`, goldenDir) };
    });
}

/** A context that remembers what it is told, as session state does. */
export function rememberingContext(): Context & { learn(found: Understood): void } {
  const memory = new Map<string, Uint8Array>();
  const addresses = new Map<string, string>();
  return {
    own,
    counterpart: (jid) => addresses.get(jid) ?? null,
    recall: (of) => memory.get(JSON.stringify(of)) ?? null,
    learn(found) {
      for (const { of, value } of found.memory) memory.set(JSON.stringify(of), value);
      for (const { lid, pn } of found.pairs) addresses.set(lid, pn).set(pn, lid);
    },
  };
}

export function understoodOf(steps: readonly Step[]): Understood[][] {
  const context = rememberingContext();
  return steps.map((step) => {
    const found = [...understand(step, context)];
    for (const one of found) context.learn(one);
    return found;
  });
}

function understand(step: Step, context: Context): Iterable<Understood> {
  const { node, message, failure, history, mutation } = step;
  if (history !== undefined) {
    const notification = proto.Message.HistorySyncNotification.encode(
      proto.Message.HistorySyncNotification.fromObject(history.notification),
    ).finish();
    const blob = proto.HistorySync.encode(proto.HistorySync.fromObject(history.blob)).finish();
    return normaliseHistory({ notification, blob }, context);
  }
  if (mutation !== undefined) {
    const { collection, operation, index, value } = mutation;
    const action = proto.SyncActionData.encode(
      proto.SyncActionData.fromObject({ index: Buffer.from(JSON.stringify(index)), value, version: 3 }),
    ).finish();
    return normaliseMutation({ collection, operation, action }, context);
  }
  const stanza = nodeOf(node ?? { tag: 'nothing' });
  if (message === undefined)
    return normaliseStanza({ node: stanza, ...(failure === undefined ? {} : { failure }) }, context);
  const bytes = Buffer.concat([messageBytes(message), Buffer.from(step.newer ?? '', 'hex')]);
  const part = Array.isArray(stanza.content) ? (stanza.content as StanzaNode[]).findIndex(isCipher) : 0;
  const isPlain = (stanza.content as StanzaNode[])[part]?.tag === 'plaintext';
  return normaliseDecrypted({ node: stanza, part, plaintext: isPlain ? bytes : padded(bytes) }, context);
}

function isCipher({ tag }: StanzaNode): boolean {
  return tag === 'enc' || tag === 'plaintext';
}

export function messageBytes(message: object): Uint8Array {
  return proto.Message.encode(proto.Message.fromObject(message)).finish();
}

/** As senders pad: the last byte says how many. */
export function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, Buffer.from([3, 3, 3])]);
}

function nodeOf({ tag, attrs = {}, content, bytes }: WrittenNode): StanzaNode {
  if (bytes !== undefined) return { tag, attrs, content: Buffer.from(bytes, 'base64') };
  if (content === undefined) return { tag, attrs };
  return { tag, attrs, content: typeof content === 'string' ? content : content.map(nodeOf) };
}

/** What a golden file says of each capture; of its bytes, what they are. */
export function goldenOf(steps: readonly Step[]): unknown {
  return understoodOf(steps).map((found) =>
    found.map(({ native, view, raw, ref, isComplete, media, memory, pairs, history }) => ({
      native,
      view,
      raw: decodeRaw(raw)?.parts.map(({ is, bytes }) => `${is}: ${bytes.length}`),
      ref,
      isComplete,
      ...(media.length === 0 ? {} : { media: media.map(({ native: one, type }) => ({ type, native: one })) }),
      ...(memory.length === 0 ? {} : { memory: memory.map(({ of }) => of) }),
      ...(pairs.length === 0 ? {} : { pairs }),
      ...(history === null ? {} : { history: { syncType: history.syncType, chunk: history.chunk } }),
    })),
  );
}
