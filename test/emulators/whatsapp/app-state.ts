// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { encodeSyncdPatch, newLTHashState, proto } from '@whiskeysockets/baileys';
import type { LTHashState } from '@whiskeysockets/baileys';
import type { AppStateChange, MediaReference } from './api.ts';
import { childOf, childrenOf, node } from './wire.ts';
import type { WireNode } from './wire.ts';

interface Collection {
  state: LTHashState;
  /** Where its state of a version lies as a file, for devices that have none. */
  snapshot: { readonly version: number; readonly reference: Uint8Array } | null;
  /** Patch i has version i + 1. */
  readonly patches: Uint8Array[];
}

interface Phone {
  readonly keyId: Buffer;
  readonly keyData: Buffer;
  readonly collections: Map<string, Collection>;
}

/** App state as phones write it and the server keeps it: encrypted patches, versions and hashes, made by Baileys' own encoder. */
export class AppState {
  readonly #phones = new Map<string, Phone>();
  readonly #nowSeconds: () => number;

  constructor(nowSeconds: () => number) {
    this.#nowSeconds = nowSeconds;
  }

  /** What the phone sends to its devices so that they can read it. */
  keyShare(number: string): proto.IMessage {
    const { keyId, keyData } = this.#phone(number);
    return {
      protocolMessage: {
        type: proto.Message.ProtocolMessage.Type.APP_STATE_SYNC_KEY_SHARE,
        appStateSyncKeyShare: {
          keys: [
            {
              keyId: { keyId },
              keyData: {
                keyData,
                fingerprint: { rawId: 1, currentIndex: 1, deviceIndexes: [0, 1] },
                timestamp: this.#nowSeconds() * 1000,
              },
            },
          ],
        },
      },
    };
  }

  /** Returns the names and versions of what changed. */
  async change(number: string, changes: readonly AppStateChange[]): Promise<ReadonlyMap<string, number>> {
    const phone = this.#phone(number);
    const changed = new Map<string, number>();
    const keyId = phone.keyId.toString('base64');
    for (const change of changes) {
      const collection = collectionOf(phone, change.collection);
      const { SyncdOperation } = proto.SyncdMutation;
      const { patch, state } = await encodeSyncdPatch(
        {
          type: change.collection,
          index: [...change.index],
          syncAction: { timestamp: this.#nowSeconds() * 1000, ...change.value },
          apiVersion: change.version ?? 2,
          operation: change.operation === 'remove' ? SyncdOperation.REMOVE : SyncdOperation.SET,
        },
        keyId,
        collection.state,
        () => Promise.resolve({ keyData: phone.keyData }),
      );
      collection.state = state;
      collection.patches.push(proto.SyncdPatch.encode({ ...patch, version: { version: state.version } }).finish());
      changed.set(change.collection, state.version);
    }
    return changed;
  }

  /** Puts the collection as it is into a file, as the server does it for devices that were just linked. */
  snapshot(number: string, name: string, put: (bytes: Uint8Array) => MediaReference): void {
    const phone = this.#phone(number);
    const collection = collectionOf(phone, name);
    const records = new Map<string, proto.ISyncdRecord>();
    let mac: Uint8Array = new Uint8Array();
    for (const patch of collection.patches.map((bytes) => proto.SyncdPatch.decode(bytes))) {
      mac = patch.snapshotMac ?? mac;
      for (const { operation, record } of patch.mutations) {
        const index = Buffer.from(record?.index?.blob ?? []).toString('hex');
        if (operation === proto.SyncdMutation.SyncdOperation.REMOVE) records.delete(index);
        else if (record) records.set(index, record);
      }
    }
    const version = collection.patches.length;
    const all = { version: { version }, records: [...records.values()], mac, keyId: { id: phone.keyId } };
    const { directPath, mediaKey, fileSha256, fileEncSha256, fileLength } = put(
      proto.SyncdSnapshot.encode(all).finish(),
    );
    const fields = { directPath, mediaKey, fileSha256, fileEncSha256, fileSizeBytes: fileLength };
    collection.snapshot = { version, reference: proto.ExternalBlobReference.encode(fields).finish() };
  }

  /** `<sync>`: for each collection the patches after the version the device has. */
  answer(number: string, query: WireNode): WireNode {
    const phone = this.#phone(number);
    const collections = childrenOf(childOf(query, 'sync'), 'collection').map(({ attrs }) => {
      const name = attrs['name'] ?? '';
      const { patches, snapshot } = collectionOf(phone, name);
      const from = attrs['return_snapshot'] === 'true' ? (snapshot?.version ?? 0) : Number(attrs['version'] ?? 0);
      const missing = patches.slice(from);
      const content = missing.map((patch) => node('patch', {}, patch));
      const file =
        snapshot !== null && attrs['return_snapshot'] === 'true' ? [node('snapshot', {}, snapshot.reference)] : [];
      return node(
        'collection',
        { name, version: String(patches.length), type: 'result' },
        content.length === 0 ? file : [...file, node('patches', {}, content)],
      );
    });
    return node('sync', {}, collections);
  }

  #phone(number: string): Phone {
    const known = this.#phones.get(number);
    if (known !== undefined) return known;
    const phone: Phone = {
      keyId: Buffer.concat([Buffer.of(0, 0), randomBytes(4)]),
      keyData: randomBytes(32),
      collections: new Map(),
    };
    this.#phones.set(number, phone);
    return phone;
  }
}

function collectionOf(phone: Phone, name: string): Collection {
  const known = phone.collections.get(name);
  if (known !== undefined) return known;
  const collection: Collection = { state: newLTHashState(), snapshot: null, patches: [] };
  phone.collections.set(name, collection);
  return collection;
}
