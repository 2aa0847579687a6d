// SPDX-License-Identifier: AGPL-3.0-or-later
import { createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { normaliseMutation } from './app-state.ts';
import { childOf, childrenOf, nowhere, understood, unknown } from './frame.ts';
import type { AppStateKeys, AppStateRecords, Context, HistorySource, StanzaNode, Understood } from './input.ts';
import { integer } from './plain.ts';
import { encodeRaw } from './raw.ts';
import { subMessage } from './wire.ts';

const IV_BYTES = 16;
const MAC_BYTES = 32;
/** `externalMutations` in a `SyncdPatch`. */
const EXTERNAL = [3];
const { SET } = proto.SyncdMutation.SyncdOperation;

interface PatchKeys {
  readonly index: Buffer;
  readonly encryption: Buffer;
  readonly mac: Buffer;
  readonly patch: Buffer;
}

/**
 * The changes in an answer to `w:sync:app:state`: one capture for each mutation, and one for each patch that names a key which is not
 * there (yet). Snapshots, and patches whose mutations lie on the media host, are references: once downloaded, {@link normaliseRecords}
 * reads them.
 */
export function normaliseAppState(node: StanzaNode, keys: AppStateKeys, context: Context): readonly Understood[] {
  const sync = childOf(node, 'sync');
  const collections = sync === null ? [] : childrenOf(sync).filter(({ tag }) => tag === 'collection');
  return collections.flatMap((collection) => {
    const name = collection.attrs['name'] ?? '';
    const patches = childrenOf(childOf(collection, 'patches') ?? collection).filter(({ tag }) => tag === 'patch');
    const snapshot = childOf(collection, 'snapshot')?.content;
    return [
      ...(snapshot instanceof Uint8Array ? [elsewhere(name, 'snapshot', snapshot, context)] : []),
      ...patches.flatMap(({ content }) => {
        if (!(content instanceof Uint8Array)) return [];
        const found = records(name, content, keys, context, (bytes) => proto.SyncdPatch.decode(bytes).mutations);
        const external = subMessage(content, EXTERNAL);
        if (external !== null) return [...found, elsewhere(name, 'mutations', external, context)];
        return isWhole(name, content, collection, keys)
          ? found
          : [...found, opaque(name, content, 'not whole', context)];
      }),
    ];
  });
}

/** What a collection's snapshot, or the external part of a patch, holds once downloaded and decrypted. */
export function normaliseRecords(
  { collection, sort, blob }: AppStateRecords,
  keys: AppStateKeys,
  context: Context,
): readonly Understood[] {
  return records(collection, blob, keys, context, (bytes) =>
    sort === 'snapshot'
      ? proto.SyncdSnapshot.decode(bytes).records.map((record) => ({ operation: SET, record }))
      : proto.SyncdMutations.decode(bytes).mutations,
  );
}

function records(
  collection: string,
  bytes: Uint8Array,
  keys: AppStateKeys,
  context: Context,
  read: (bytes: Uint8Array) => readonly proto.ISyncdMutation[],
): Understood[] {
  try {
    return read(bytes).flatMap((mutation) => {
      const action = open(mutation, keys);
      const operation = mutation.operation === SET ? 'set' : 'remove';
      if (typeof action !== 'string') return normaliseMutation({ collection, operation, action }, context);
      return [opaque(collection, proto.SyncdMutation.encode(mutation).finish(), action, context)];
    });
  } catch {
    return [opaque(collection, bytes, 'not a patch', context)];
  }
}

/** What lies on the media host: the record has the reference, with the key that opens it. */
function elsewhere(collection: string, sort: AppStateRecords['sort'], bytes: Uint8Array, context: Context): Understood {
  const facts = { collection, sort };
  const raw = encodeRaw({ origin: 'mutation', facts, stanza: null, parts: [{ is: 'app-state-reference', bytes }] });
  const what = `app-state ${sort} ${collection}`;
  const history: HistorySource = { notification: bytes, syncType: 0, chunk: null, appState: { collection, sort } };
  return understood(nowhere(context, raw), { body: { kind: 'sync', what }, history });
}

/**
 * Whether the patch holds what the phone put into it, all of it and in its order: each mutation says by itself only that the phone made
 * it. True where nothing tells otherwise: a key that is not there, a patch that does not decode.
 */
function isWhole(name: string, bytes: Uint8Array, collection: StanzaNode, keys: AppStateKeys): boolean {
  try {
    const { keyId, mutations, snapshotMac, patchMac, version } = proto.SyncdPatch.decode(bytes);
    const data = keys(Buffer.from(keyId?.id ?? []).toString('base64'));
    if (data === null || mutations.length === 0) return true;
    const number = integer(version?.version) ?? Number(collection.attrs['version'] ?? 0) + 1;
    const mac = createHmac('sha256', patchKeys(data).patch).update(snapshotMac ?? '');
    for (const { record } of mutations) mac.update((record?.value?.blob ?? new Uint8Array()).subarray(-MAC_BYTES));
    return mac
      .update(wide(number))
      .update(name)
      .digest()
      .equals(patchMac ?? new Uint8Array());
  } catch {
    return true;
  }
}

/** Sealed as it is; it can be opened later by who has the key. */
function opaque(collection: string, bytes: Uint8Array, why: string, context: Context): Understood {
  const raw = encodeRaw({
    origin: 'mutation',
    facts: { collection },
    stanza: null,
    parts: [{ is: 'sealed-mutation', bytes }],
  });
  return understood(nowhere(context, raw), unknown(`app state: ${why}`));
}

/** One that breaks must not take the others of its patch with it. */
function open(mutation: proto.ISyncdMutation, keys: AppStateKeys): Uint8Array | string {
  try {
    return openMutation(mutation, keys);
  } catch {
    return 'malformed';
  }
}

/** The mutation's `SyncActionData`, or why it was not opened. Both MACs are checked: of the value, and of the index within. */
function openMutation({ operation, record }: proto.ISyncdMutation, keys: AppStateKeys): Uint8Array | string {
  const keyId = record?.keyId?.id ?? new Uint8Array();
  const blob = record?.value?.blob ?? new Uint8Array();
  const data = keys(Buffer.from(keyId).toString('base64'));
  if (data === null) return 'key not known';
  if (blob.length < IV_BYTES + MAC_BYTES) return 'malformed';
  const { index, encryption, mac } = patchKeys(data);
  const sealed = blob.subarray(0, blob.length - MAC_BYTES);
  if (!valueMac(operation ?? SET, sealed, keyId, mac).equals(blob.subarray(blob.length - MAC_BYTES)))
    return 'not opened';
  const decipher = createDecipheriv('aes-256-cbc', encryption, sealed.subarray(0, IV_BYTES));
  const action = Buffer.concat([decipher.update(sealed.subarray(IV_BYTES)), decipher.final()]);
  const named = proto.SyncActionData.decode(action).index ?? new Uint8Array();
  const isNamed = createHmac('sha256', index)
    .update(named)
    .digest()
    .equals(record?.index?.blob ?? new Uint8Array());
  return isNamed ? action : 'another index';
}

function patchKeys(data: Uint8Array): PatchKeys {
  const all = Buffer.from(hkdfSync('sha256', data, '', 'WhatsApp Mutation Keys', 160));
  return {
    index: all.subarray(0, 32),
    encryption: all.subarray(32, 64),
    mac: all.subarray(64, 96),
    patch: all.subarray(128),
  };
}

function wide(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}

/** HMAC-SHA512, cut to 32 bytes, over operation, key id, ciphertext, and the length of the first two as 64 bits. */
function valueMac(operation: number, sealed: Uint8Array, keyId: Uint8Array, key: Buffer): Buffer {
  const head = Buffer.concat([Uint8Array.of(operation === SET ? 1 : 2), keyId]);
  const length = Buffer.alloc(8);
  length.writeUInt8(head.length, 7);
  return createHmac('sha512', key).update(head).update(sealed).update(length).digest().subarray(0, MAC_BYTES);
}
