// SPDX-License-Identifier: AGPL-3.0-or-later

import { EventEmitter } from 'node:events';
import { BufferJSON } from '@whiskeysockets/baileys';
import { expect, test } from 'vitest';
import { appStateKeys, tapAppState } from '../../../src/connectors/whatsapp/app-state-tap.ts';
import { keyName } from '../../../src/connectors/whatsapp/key-store.ts';
import { eventually } from '../../support/eventually.ts';
import { MemorySink } from '../../support/memory-sink.ts';

const answer = { tag: 'iq', attrs: { id: '7', type: 'result' }, content: [{ tag: 'sync', attrs: {}, content: [] }] };

test('shows the client an answer with app state only once it is durable', async () => {
  const socket = new EventEmitter();
  const seen: unknown[] = [];
  const durable = Promise.withResolvers<void>();
  const captured: unknown[] = [];
  socket.on('TAG:7', (node) => seen.push(node));
  tapAppState(socket, {
    capture: (node) => {
      captured.push(node);
      return durable.promise;
    },
    onFault: () => expect.unreachable(),
  });
  expect(socket.emit('TAG:7', answer)).toBe(true);
  await Promise.resolve();
  expect(captured).toEqual([answer]);
  expect(seen).toEqual([]);
  durable.resolve();
  await eventually(() => seen).toEqual([answer]);
});

test('lets every other answer and event through at once', () => {
  const socket = new EventEmitter();
  const seen: unknown[] = [];
  for (const event of ['TAG:8', 'TAG:9', 'frame']) socket.on(event, (node) => seen.push(node));
  tapAppState(socket, { capture: () => expect.unreachable(), onFault: () => expect.unreachable() });
  const other = { tag: 'iq', attrs: {}, content: [{ tag: 'group', attrs: {} }] };
  expect(socket.emit('TAG:8', other)).toBe(true);
  expect(socket.emit('TAG:9', undefined)).toBe(true);
  expect(socket.emit('frame', answer)).toBe(true);
  expect(socket.emit('TAG:nobody', other)).toBe(false);
  expect(seen).toEqual([other, undefined, answer]);
});

test('shows the client nothing that could not be captured, and says so', async () => {
  const socket = new EventEmitter();
  const faults: unknown[] = [];
  socket.on('TAG:7', () => expect.unreachable());
  const failure = new Error('disk');
  tapAppState(socket, { capture: () => Promise.reject(failure), onFault: (error) => faults.push(error) });
  socket.emit('TAG:7', answer);
  await eventually(() => faults).toEqual([failure]);
});

test('finds the keys where the client stores them', async () => {
  const sink = new MemorySink();
  const keyId = Buffer.from([0, 7]).toString('base64');
  const value = Buffer.from(JSON.stringify({ keyData: Buffer.alloc(32, 7) }, BufferJSON.replacer));
  await sink.deliver([], [{ name: keyName(sink, 'app-state-sync-key', keyId), value }]);
  expect(Buffer.from(appStateKeys(sink)(keyId) ?? [])).toEqual(Buffer.alloc(32, 7));
  expect(appStateKeys(sink)('AAA=')).toBeNull();
});
