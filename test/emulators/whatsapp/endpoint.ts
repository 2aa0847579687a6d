// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  addTransactionCapability,
  Curve,
  DEFAULT_CONNECTION_CONFIG,
  generateSignalPubKey,
  initAuthCreds,
  proto,
  writeRandomPadMax16,
} from '@whiskeysockets/baileys';
import type {
  AuthenticationCreds,
  SignalKeyStoreWithTransaction,
  SignalRepositoryWithLIDStore,
} from '@whiskeysockets/baileys';
import { memoryKeys, quietLogger } from './key-memory.ts';
import type { SigningKey } from './xeddsa.ts';
import { SenderKey } from './sender-key.ts';
import { SERVER, childOf, node, uintBytes } from './wire.ts';
import type { WireNode } from './wire.ts';

/** What a device uploaded so that others can start a session with it. */
export interface KeyBundle {
  registrationId: number;
  identity: Uint8Array;
  signedPreKey: { keyId: number; publicKey: Uint8Array; signature: Uint8Array };
  /** One-time pre-keys. */
  readonly preKeys: { keyId: number; publicKey: Uint8Array }[];
}

export interface Encrypted {
  readonly type: 'pkmsg' | 'msg' | 'skmsg';
  readonly ciphertext: Uint8Array;
}

export interface EndpointAddress {
  readonly number: string;
  readonly lid: string;
  readonly device: number;
}

function at(user: string, device: number, server: string): string {
  return device === 0 ? `${user}@${server}` : `${user}:${device}@${server}`;
}

export function pnJid({ number, device }: { readonly number: string; readonly device: number }): string {
  return at(number, device, SERVER);
}

export function lidJid({ lid, device }: { readonly lid: string; readonly device: number }): string {
  return at(lid, device, 'lid');
}

/** Credentials of this identity; none given: as `initAuthCreds` makes them. */
function signedBy(identity: SigningKey | undefined): Partial<AuthenticationCreds> {
  if (identity === undefined) return {};
  const { signedPreKey } = initAuthCreds();
  const signature = identity.sign(generateSignalPubKey(signedPreKey.keyPair.public));
  return { signedIdentityKey: identity, signedPreKey: { ...signedPreKey, signature } };
}

/** One device of a person, or the owner's phone: it encrypts and decrypts as the app does, with Baileys' own Signal code. */
export class Endpoint {
  readonly address: EndpointAddress;
  readonly #creds: AuthenticationCreds;
  readonly #keys: SignalKeyStoreWithTransaction;
  readonly #signal: SignalRepositoryWithLIDStore;
  readonly #sessions = new Set<string>();
  readonly #senderKeys = new Map<string, SenderKey>();
  readonly #senderKeysSent = new Set<string>();
  #preKeyId = 0;

  constructor(address: EndpointAddress, identity?: SigningKey) {
    this.address = address;
    this.#creds = { ...initAuthCreds(), ...signedBy(identity), me: { id: pnJid(address), lid: lidJid(address) } };
    this.#keys = addTransactionCapability(memoryKeys(), quietLogger, { maxCommitRetries: 1, delayBetweenTriesMs: 1 });
    this.#signal = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(
      { creds: this.#creds, keys: this.#keys },
      quietLogger,
      () => Promise.resolve([]),
    );
  }

  get pn(): string {
    return pnJid(this.address);
  }

  get lid(): string {
    return lidJid(this.address);
  }

  hasSession(jid: string): boolean {
    return this.#sessions.has(jid);
  }

  async startSession(jid: string, bundle: KeyBundle): Promise<void> {
    const preKey = bundle.preKeys.shift();
    await this.#signal.injectE2ESession({
      jid,
      session: {
        registrationId: bundle.registrationId,
        identityKey: generateSignalPubKey(bundle.identity),
        signedPreKey: bundle.signedPreKey,
        ...(preKey === undefined ? {} : { preKey }),
      },
    });
    this.#sessions.add(jid);
  }

  /** The next message to it starts a new session. */
  async forgetSession(jid: string): Promise<void> {
    this.#sessions.delete(jid);
    for (const key of this.#senderKeysSent) if (key.endsWith(`|${jid}`)) this.#senderKeysSent.delete(key);
    await this.#signal.deleteSession([jid]);
  }

  async encrypt(jid: string, plaintext: Uint8Array): Promise<Encrypted> {
    return await this.#signal.encryptMessage({ jid, data: writeRandomPadMax16(plaintext) });
  }

  async decrypt(jid: string, type: 'pkmsg' | 'msg', ciphertext: Uint8Array): Promise<Uint8Array> {
    const padded = await this.#signal.decryptMessage({ jid, type, ciphertext });
    this.#sessions.add(jid);
    return padded.subarray(0, padded.length - (padded.at(-1) ?? 0));
  }

  /** Ciphertext for a group, and what a device needs to read it if it is new to the group. */
  encryptGroup(
    group: string,
    plaintext: Uint8Array,
  ): { readonly encrypted: Encrypted; readonly distribution: Uint8Array } {
    const key = this.#senderKeys.get(group) ?? new SenderKey();
    this.#senderKeys.set(group, key);
    const distribution = proto.Message.encode({
      senderKeyDistributionMessage: { groupId: group, axolotlSenderKeyDistributionMessage: key.distribution() },
    }).finish();
    return { encrypted: { type: 'skmsg', ciphertext: key.encrypt(writeRandomPadMax16(plaintext)) }, distribution };
  }

  /** True the first time for a group and a device. */
  mustDistribute(group: string, jid: string): boolean {
    const key = `${group}|${jid}`;
    if (this.#senderKeysSent.has(key)) return false;
    this.#senderKeysSent.add(key);
    return true;
  }

  /** `<user>` of an answer to `<iq xmlns="encrypt" type="get"><key>`, with a fresh one-time pre-key. */
  async bundleNode(jid: string): Promise<WireNode> {
    this.#preKeyId += 1;
    const preKey = Curve.generateKeyPair();
    await this.#keys.set({ 'pre-key': { [String(this.#preKeyId)]: preKey } });
    const { signedPreKey, signedIdentityKey, registrationId } = this.#creds;
    return node('user', { jid }, [
      node('registration', {}, uintBytes(registrationId, 4)),
      node('type', {}, Buffer.of(5)),
      node('identity', {}, signedIdentityKey.public),
      node('skey', {}, [
        node('id', {}, uintBytes(signedPreKey.keyId, 3)),
        node('value', {}, signedPreKey.keyPair.public),
        node('signature', {}, signedPreKey.signature),
      ]),
      node('key', {}, [node('id', {}, uintBytes(this.#preKeyId, 3)), node('value', {}, preKey.public)]),
    ]);
  }
}

/** Type and content of the first `<enc>`. */
export function encOf(message: WireNode): { readonly type: 'pkmsg' | 'msg'; readonly ciphertext: Uint8Array } | null {
  const enc = childOf(message, 'enc');
  if (enc === undefined || !(enc.content instanceof Uint8Array)) return null;
  return { type: enc.attrs['type'] === 'pkmsg' ? 'pkmsg' : 'msg', ciphertext: enc.content };
}
