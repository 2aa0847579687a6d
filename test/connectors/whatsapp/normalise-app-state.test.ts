// SPDX-License-Identifier: AGPL-3.0-or-later

import { encodeSyncdPatch, newLTHashState, type LTHashState } from '@whiskeysockets/baileys';
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { expect, test } from 'vitest';
import { normaliseAppState, normaliseRecords, type StanzaNode } from '../../../src/connectors/whatsapp/normalise.ts';
import { decodeRaw } from '../../../src/connectors/whatsapp/normalise/raw.ts';
import { rememberingContext } from './golden.ts';

const keyId = Buffer.from([0, 0, 0, 7]).toString('base64');
const keyData = Buffer.alloc(32, 7);
const ana = '810000000000001@lid';
const keys = (id: string): Uint8Array | null => (id === keyId ? keyData : null);
const { SET, REMOVE } = proto.SyncdMutation.SyncdOperation;

interface Change {
  readonly index: string[];
  readonly value: proto.ISyncActionValue;
  readonly operation?: proto.SyncdMutation.SyncdOperation;
}

/** Patches as the client's own encoder writes them. */
async function patches(...changes: readonly Change[]): Promise<proto.ISyncdPatch[]> {
  let state: LTHashState = newLTHashState();
  const all: proto.ISyncdPatch[] = [];
  for (const { index, value, operation = SET } of changes) {
    const change = { type: 'regular_high' as const, index, syncAction: value, apiVersion: 3, operation };
    const key = { keyData, fingerprint: {}, timestamp: 0 };
    const made = await encodeSyncdPatch(change as never, keyId, state, () => Promise.resolve(key));
    all.push({ ...made.patch, version: { version: made.state.version } });
    ({ state } = made);
  }
  return all;
}

function answer(patch: readonly proto.ISyncdPatch[]): StanzaNode {
  const content = patch.map((one) => ({ tag: 'patch', attrs: {}, content: proto.SyncdPatch.encode(one).finish() }));
  const collection = {
    tag: 'collection',
    attrs: { name: 'regular_high' },
    content: [{ tag: 'patches', attrs: {}, content }],
  };
  return {
    tag: 'iq',
    attrs: { type: 'result', id: '1' },
    content: [{ tag: 'sync', attrs: {}, content: [collection] }],
  };
}

const deletion: Change = {
  index: ['deleteMessageForMe', ana, '3EB0A', '0', '0'],
  value: { timestamp: 1795000000000, deleteMessageForMeAction: { deleteMedia: true, messageTimestamp: 1794000000 } },
};

test('sees in the patches of the app state what the owner deleted on the phone alone', async () => {
  const found = normaliseAppState(answer(await patches(deletion)), keys, rememberingContext());
  expect(found.map(({ view }) => view)).toMatchObject([
    {
      kind: 'delete-for-me',
      what: 'message',
      sentAtMs: 1795000000000,
      target: { id: '3EB0A', sentAtMs: 1794000000000 },
    },
  ]);
  expect(decodeRaw(found[0]?.raw ?? Buffer.alloc(0))).toMatchObject({
    facts: { collection: 'regular_high', operation: 'set' },
  });
});

test.each([
  [
    'a mutation was left out',
    (patch: proto.ISyncdPatch) => ({ ...patch, mutations: patch.mutations?.slice(0, 1) ?? [] }),
  ],
  ['its version is another', (patch: proto.ISyncdPatch) => ({ ...patch, version: { version: 7 } })],
  ['its MAC is missing', (patch: proto.ISyncdPatch) => ({ ...patch, patchMac: null })],
])('says that a patch is not as the phone made it when %s, and keeps all of it', async (_what, change) => {
  const [first, second] = await patches(deletion, {
    ...deletion,
    index: ['deleteMessageForMe', ana, '3EB0B', '0', '0'],
  });
  const both = { ...second, mutations: [...(first?.mutations ?? []), ...(second?.mutations ?? [])] };
  const changed = change(both);
  const found = normaliseAppState(answer([changed]), keys, rememberingContext());
  expect(found.map(({ view }) => (view.kind === 'unknown' ? view.reason : view.kind))).toEqual([
    ...(changed.mutations ?? []).map(() => 'delete-for-me'),
    'app state: not whole',
  ]);
  const bytes = Buffer.from(proto.SyncdPatch.encode(changed).finish());
  expect(decodeRaw(found.at(-1)?.raw ?? Buffer.alloc(0))?.parts.map((part) => Buffer.from(part.bytes))).toEqual([
    bytes,
  ]);
});

test('makes one capture of each mutation of each patch, and tells set from remove', async () => {
  const mute = { index: ['mute', ana], value: { timestamp: 1, muteAction: { muted: true } } };
  const found = normaliseAppState(
    answer(await patches(deletion, mute, { ...mute, operation: REMOVE })),
    keys,
    rememberingContext(),
  );
  expect(found.map(({ view }) => (view.kind === 'sync' ? view.what : view.kind))).toEqual([
    'delete-for-me',
    'mute',
    'unmute',
  ]);
  expect(new Set(found.map(({ native }) => native.id)).size).toBe(3);
});

test('folds a mutation that comes again, in a patch or in a snapshot', async () => {
  const made = await patches(deletion);
  const context = rememberingContext();
  const [first] = normaliseAppState(answer(made), keys, context);
  const snapshot = proto.SyncdSnapshot.encode({
    records: made.flatMap(({ mutations }) => mutations?.[0]?.record ?? []),
  }).finish();
  const external = proto.SyncdMutations.encode({
    mutations: made.flatMap(({ mutations }) => mutations ?? []),
  }).finish();
  const again = [
    ...normaliseAppState(answer(made), keys, context),
    ...normaliseRecords({ collection: 'regular_high', sort: 'snapshot', blob: snapshot }, keys, context),
    ...normaliseRecords({ collection: 'regular_high', sort: 'mutations', blob: external }, keys, context),
  ];
  expect(again.length).toBe(3);
  for (const one of again)
    expect({ native: one.native, raw: one.raw }).toEqual({ native: first?.native, raw: first?.raw });
});

test('keeps what it has no key for, and what was changed, sealed as it is', async () => {
  const made = await patches(deletion);
  const context = rememberingContext();
  const views = (found: ReturnType<typeof normaliseAppState>): unknown[] => found.map(({ view }) => view);
  expect(views(normaliseAppState(answer(made), () => null, context))).toMatchObject([
    { kind: 'unknown', reason: 'app state: key not known' },
  ]);
  const mutation = made[0]?.mutations?.[0];
  const blob = Buffer.from(mutation?.record?.value?.blob ?? []);
  for (const at of [0, 20, blob.length - 1]) {
    const changed = Buffer.from(blob);
    changed[at] = (changed[at] ?? 0) ^ 1;
    const record = { ...mutation?.record, value: { blob: changed } };
    const found = normaliseAppState(answer([{ mutations: [{ operation: SET, record }] }]), keys, context);
    expect(views(found)).toMatchObject([{ kind: 'unknown', reason: 'app state: not opened' }]);
    expect(decodeRaw(found[0]?.raw ?? Buffer.alloc(0))?.parts[0]?.is).toBe('sealed-mutation');
  }
  const elsewhere = { ...mutation?.record, index: { blob: Buffer.alloc(32) } };
  expect(
    views(normaliseAppState(answer([{ mutations: [{ operation: SET, record: elsewhere }] }]), keys, context)),
  ).toMatchObject([{ kind: 'unknown', reason: 'app state: another index' }]);
});

test('records where a snapshot and the rest of a patch lie, with the bytes of the reference', async () => {
  const reference = { mediaKey: Buffer.alloc(32, 1), directPath: '/v/state', fileEncSha256: Buffer.alloc(32, 2) };
  const bytes = proto.ExternalBlobReference.encode(reference).finish();
  const [patch] = await patches(deletion);
  const node = answer([{ ...patch, externalMutations: reference }]);
  const found = normaliseAppState(node, keys, rememberingContext());
  expect(found.map(({ view }) => (view.kind === 'sync' ? view.what : view.kind))).toEqual([
    'delete-for-me',
    'app-state mutations regular_high',
  ]);
  const collection = {
    tag: 'collection',
    attrs: { name: 'regular' },
    content: [{ tag: 'snapshot', attrs: {}, content: bytes }],
  };
  const snapshot: StanzaNode = { tag: 'iq', attrs: {}, content: [{ tag: 'sync', attrs: {}, content: [collection] }] };
  const [one] = normaliseAppState(snapshot, keys, rememberingContext());
  expect(one?.view).toMatchObject({ kind: 'sync', what: 'app-state snapshot regular' });
  for (const { raw } of [found[1], one].flatMap((capture) => capture ?? [])) {
    expect(Buffer.from(decodeRaw(raw)?.parts[0]?.bytes ?? [])).toEqual(Buffer.from(bytes));
  }
});

test('never throws on answers and blobs that are none', () => {
  const context = rememberingContext();
  const patch = { tag: 'patch', attrs: {}, content: Buffer.from('ffff', 'hex') };
  const node = {
    tag: 'iq',
    attrs: {},
    content: [{ tag: 'sync', attrs: {}, content: [{ tag: 'collection', attrs: {}, content: [patch] }] }],
  };
  expect(normaliseAppState({ tag: 'iq', attrs: {} }, keys, context)).toEqual([]);
  expect(normaliseAppState(node, keys, context).map(({ view }) => view)).toMatchObject([
    { reason: 'app state: not a patch' },
  ]);
  for (const sort of ['snapshot', 'mutations'] as const) {
    const found = normaliseRecords({ collection: 'x', sort, blob: Buffer.from('0a03ffffff', 'hex') }, keys, context);
    expect(found.map(({ view }) => view.kind)).toEqual(['unknown']);
  }
});
