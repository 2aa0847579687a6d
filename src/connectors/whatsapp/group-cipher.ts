// SPDX-License-Identifier: AGPL-3.0-or-later
import type { SignalKeyStoreWithTransaction, SignalRepositoryWithLIDStore } from '@whiskeysockets/baileys';
import { GroupCipher } from '@whiskeysockets/baileys/lib/Signal/Group/group_cipher.js';
import { SenderKeyMessage } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-message.js';
import { SenderKeyName } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-name.js';
import { SenderKeyRecord } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-record.js';
import { XeddsaVerifier } from './xeddsa.ts';

const SIGNATURE_BYTES = 64;
/** In front of public keys that are stored with their type. */
const KEY_TYPE_BYTES = 1;
const PUBLIC_KEY_BYTES = 32;
/** Public keys of senders, for all accounts of the process. */
const SIGNATURES = new XeddsaVerifier();

/** Members of the client's cipher that its types do not show: the steps of the chain, and the decryption itself. */
interface CipherSteps {
  getSenderKey(state: object, iteration: number): { getIv(): Uint8Array; getCipherKey(): Uint8Array };
  getPlainText(iv: Uint8Array, key: Uint8Array, ciphertext: Uint8Array): Promise<Uint8Array>;
}

export interface GroupMessage {
  readonly group: string;
  readonly authorJid: string;
  readonly msg: Uint8Array;
}

/**
 * Reads group messages with the client's own sender keys, chains and cipher; only the signature, which takes the client nine tenths of the
 * time of such a message, is checked natively. Whatever is not plainly in order is left to the client: nothing that it would read is refused.
 */
export class GroupReader {
  readonly #keys: SignalKeyStoreWithTransaction;
  readonly #addressOf: SignalRepositoryWithLIDStore['jidToSignalProtocolAddress'];

  constructor(
    keys: SignalKeyStoreWithTransaction,
    addressOf: SignalRepositoryWithLIDStore['jidToSignalProtocolAddress'],
  ) {
    this.#keys = keys;
    this.#addressOf = addressOf;
  }

  /** Inside a transaction of the group. Null: the client's own code must judge. Throws what the client throws for a bad message. */
  async read({ group, authorJid, msg }: GroupMessage): Promise<Uint8Array | null> {
    if (msg.length <= SIGNATURE_BYTES) return null;
    const name = senderKeyName(group, this.#addressOf(authorJid));
    const { [name.toString()]: stored } = await this.#keys.get('sender-key', [name.toString()]);
    if (stored === undefined) return null;
    const record = SenderKeyRecord.deserialize(stored);
    const message = new SenderKeyMessage(null, null, null, null, msg);
    const state = record.getSenderKeyState(message.getKeyId());
    if (state === undefined || !isSigned(msg, state.getSigningKeyPublic())) return null;
    const cipher = new GroupCipher({ loadSenderKey: never, storeSenderKey: never }, name) as unknown as CipherSteps;
    const key = cipher.getSenderKey(state, message.getIteration());
    const plaintext = await cipher.getPlainText(key.getIv(), key.getCipherKey(), message.getCipherText());
    await this.#keys.set({ 'sender-key': { [name.toString()]: Buffer.from(JSON.stringify(record.serialize())) } });
    return plaintext;
  }
}

function isSigned(msg: Uint8Array, publicKey: Uint8Array): boolean {
  if (publicKey.length !== KEY_TYPE_BYTES + PUBLIC_KEY_BYTES) return false;
  const end = msg.length - SIGNATURE_BYTES;
  return SIGNATURES.verifies(publicKey.subarray(KEY_TYPE_BYTES), msg.subarray(0, end), msg.subarray(end));
}

/** `address`: as the client writes it, `id.device`. */
function senderKeyName(group: string, address: string): SenderKeyName {
  const dot = address.lastIndexOf('.');
  const [id, deviceId] = [address.slice(0, dot), Number(address.slice(dot + 1))];
  return new SenderKeyName(group, { id, deviceId, toString: () => address });
}

/** The cipher reads and writes nothing by itself here. */
function never(): Promise<never> {
  return Promise.reject(new TypeError('expected no access to the store'));
}
