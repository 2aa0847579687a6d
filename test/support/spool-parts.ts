// SPDX-License-Identifier: AGPL-3.0-or-later
import { createSecretKey } from 'node:crypto';
import type { ContentCapture, GapCapture, MediaCapture } from '../../src/connectors/connector.ts';
import type { Manifest } from '../../src/record/manifest.ts';
import type { View } from '../../src/record/message.ts';
import { noteKey } from '../../src/record/note.ts';
import { ARCHIVER, CONNECTOR, ESCROW, hexOf, LOG, ORIGIN, READER, signingPair } from '../vectors/keys.ts';

// What spools in tests are made of. Imports nothing of the test runner: programs that tests kill use it too.

export const CLASS = 'GRS-6.1-011';
export const LOG_KEY = noteKey(ORIGIN, LOG.key);
export const SECOND_CONNECTOR = signingPair('second connector');
export const START_MS = Date.parse('2026-11-22T15:02:03Z');
const pub = ({ key }: { key: { raw: Buffer } }): string => key.raw.toString('base64');
export const secret = (word: string): ReturnType<typeof createSecretKey> =>
  createSecretKey(Buffer.from(hexOf(word), 'hex'));

export const MANIFEST: Manifest = {
  origin: ORIGIN,
  n: 0,
  at: '2026-11-22T08:00:00Z',
  previous: null,
  evaluation: true,
  recipients: [READER.recipient, ESCROW.recipient],
  signers: [
    { role: 'archiver', name: 'archiver', pub: pub(ARCHIVER) },
    { role: 'connector', name: 'connector', pub: pub(CONNECTOR) },
    { role: 'connector', name: 'second-connector', pub: pub(SECOND_CONNECTOR) },
  ],
};

export function viewOf(text: string): View {
  return {
    v: 1,
    app: 'signal',
    account: { id: null },
    direction: 'in',
    chat: null,
    sender: null,
    sentAtMs: START_MS,
    serverAtMs: null,
    kind: 'message',
    content: { text },
  };
}

export function message(id: string, changes: Partial<ContentCapture> = {}): ContentCapture {
  return {
    type: 'content',
    native: { chat: 'chat', sender: 'sender', id, kind: 'message', revision: '0' },
    via: 'webhook',
    atMs: START_MS,
    view: viewOf(`text of ${id}`),
    raw: Buffer.from(`raw bytes of ${id}`),
    ...changes,
  };
}

export function gapCapture(changes: Partial<GapCapture> = {}): GapCapture {
  return {
    type: 'gap',
    cause: 'unlinked',
    scope: 'account',
    state: 'open',
    atMs: START_MS,
    via: 'rest',
    view: viewOf('a gap'),
    raw: Buffer.alloc(0),
    ...changes,
  };
}

export function attachment(id: string, bytes: Buffer, changes: Partial<MediaCapture> = {}): MediaCapture {
  return {
    native: { chat: 'chat', sender: 'sender', id, kind: 'attachment', revision: '0' },
    via: 'rest',
    atMs: START_MS,
    view: (object) => ({ ...viewOf(''), kind: 'attachment', target: TARGET, attachment: ATTACHMENT, object }),
    raw: Buffer.from(`about ${id}`),
    bytes: pieces(bytes),
    ...changes,
  };
}

const TARGET = { author: { id: null }, sentAtMs: START_MS };
const ATTACHMENT = { id: null, contentType: null, fileName: null, size: null, place: 'attachment' } as const;

/** A stream of bytes in pieces of odd size. */
export async function* pieces(bytes: Buffer, size = 70_001): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
