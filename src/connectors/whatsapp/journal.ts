// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import {
  areJidsSameUser,
  DEFAULT_CONNECTION_CONFIG,
  proto,
  type SignalDataSet,
  type SignalKeyStoreWithTransaction,
  type SignalRepositoryWithLIDStore,
  type SocketConfig,
} from '@whiskeysockets/baileys';
import type { SessionChange } from '../connector.ts';
import type { Credentials } from './credentials.ts';
import { GroupReader } from './group-cipher.ts';
import { JOURNAL, type JournalRow } from './key-store.ts';
import type { AccountLane } from './lane.ts';
import type { Learnt, Meaning } from './meaning.ts';
import type { StanzaNode } from './normalise/input.ts';
import type { Unread } from './reasons.ts';
import { silenced } from './silence.ts';
import { withoutStacks } from './stackless.ts';
import { plainName, plainWeeks } from './state.ts';

/** Where a ciphertext stands: found by the identity of its bytes, which the client passes on uncopied. */
export interface Source {
  readonly node: StanzaNode;
  readonly part: number;
}

export interface JournalParts {
  readonly lane: AccountLane;
  readonly meaning: Meaning;
  readonly credentials: Credentials;
  readonly sourceOf: (ciphertext: Uint8Array) => Source | undefined;
  /** The client has the part, and may go on to the next message. */
  readonly onRead: (source: Source) => void;
  /** The part is durable, or what stands for it is. */
  readonly onAccounted: (source: Source) => void;
  /** Makes durable what no transaction of the client carries. Resolves only when it is. */
  readonly commit: (learnt: Learnt) => Promise<void>;
  /** Keys for the app state are there, durably. */
  readonly onAppStateKeys: () => void;
}

type Repository = SignalRepositoryWithLIDStore;
/** Longer plaintexts are not kept for the server that sends again: it then gets the answer for an empty message, archived as it is. */
const MOST_KEPT_BYTES = 256 * 1024;
/** A `Message` with nothing in it, padded. */
const EMPTY_MESSAGE = Buffer.from([1]);

/**
 * The client's Signal sessions, with every plaintext written in the transaction that moves the ratchet. Nothing
 * that the client sends after it leaves before that transaction is durable: a message that it receipted is in the spool, and one that is
 * not comes again.
 */
export function journalling(parts: JournalParts): SocketConfig['makeSignalRepository'] {
  return (auth, logger, lookUp) => {
    const repository = silenced(DEFAULT_CONNECTION_CONFIG.makeSignalRepository(auth, logger, gently(lookUp)));
    const keys = auth.keys as SignalKeyStoreWithTransaction;
    const journal = new Journal(parts, keys);
    const groups = new GroupReader(keys, (jid) => repository.jidToSignalProtocolAddress(jid));
    // The same keys of transactions as inside: a nested transaction takes no lock of its own.
    return {
      ...repository,
      decryptMessage: (options) =>
        journal.through(options.jid, `${options.jid}`, options.ciphertext, () => repository.decryptMessage(options)),
      decryptGroupMessage: (options) =>
        journal.through(
          options.group,
          `${options.group} ${options.authorJid}`,
          options.msg,
          async () => (await groups.read(options)) ?? (await repository.decryptGroupMessage(options)),
        ),
    } satisfies Repository;
  };
}

class Journal {
  readonly #parts: JournalParts;
  readonly #keys: SignalKeyStoreWithTransaction;

  constructor(parts: JournalParts, keys: SignalKeyStoreWithTransaction) {
    this.#parts = parts;
    this.#keys = keys;
  }

  async through(
    lock: string,
    address: string,
    ciphertext: Uint8Array,
    decrypt: () => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    const source = this.#parts.sourceOf(ciphertext) ?? unknownSource(address, ciphertext);
    const hash = createHash('sha256').update(`${address}\0`).update(ciphertext).digest('hex');
    let plaintext: Uint8Array;
    try {
      plaintext = await this.#keys.transaction(() => this.#read(source, hash, decrypt), lock);
    } catch (error) {
      // The store never rejects, so the ciphertext is bad, or its key is missing.
      await this.#parts.commit(this.#parts.meaning.stanza(source.node, unreadBy(error)));
      this.#parts.lane.alarm('undecryptable');
      this.#parts.onAccounted(source);
      throw error;
    }
    this.#parts.onRead(source);
    return plaintext;
  }

  async #read(source: Source, hash: string, decrypt: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const { lane, meaning } = this.#parts;
    const weeks = plainWeeks(lane.nowMs);
    for (const week of weeks) {
      const kept = lane.session(plainName(week, hash));
      if (kept === null) continue;
      this.#parts.onAccounted(source);
      return kept;
    }
    const plaintext = await withoutStacks(decrypt);
    const { captures, session, onDurable } = meaning.decrypted({ ...source, plaintext });
    const kept = plaintext.length > MOST_KEPT_BYTES ? EMPTY_MESSAGE : plaintext;
    const keep: SessionChange = { name: plainName(weeks[0] as number, hash), value: kept };
    const hasKeys = await this.#takeKeys(source, plaintext);
    const row: JournalRow = {
      captures,
      session: [...session, keep],
      onDurable: () => {
        onDurable();
        this.#parts.onAccounted(source);
        if (hasKeys) this.#parts.onAppStateKeys();
      },
    };
    await this.#keys.set({ [JOURNAL]: { [hash]: row } } as unknown as SignalDataSet);
    return plaintext;
  }

  /** The client stores keys for the app state only after it has receipted the message that brought them. */
  async #takeKeys({ node }: Source, plaintext: Uint8Array): Promise<boolean> {
    const { credentials } = this.#parts;
    const { me } = credentials.value;
    if (!areJidsSameUser(node.attrs['from'], me?.id) && !areJidsSameUser(node.attrs['from'], me?.lid)) return false;
    const keys = sharedKeys(plaintext);
    if (keys.length === 0) return false;
    await this.#keys.set({ 'app-state-sync-key': Object.fromEntries(keys) });
    Object.assign(credentials.value, { myAppStateKeyId: keys.at(-1)?.[0] });
    credentials.touch();
    return true;
  }
}

function sharedKeys(padded: Uint8Array): [string, proto.Message.IAppStateSyncKeyData][] {
  try {
    const message = proto.Message.decode(padded.subarray(0, padded.length - (padded.at(-1) ?? 0)));
    const inner = message.deviceSentMessage?.message ?? message;
    return (inner.protocolMessage?.appStateSyncKeyShare?.keys ?? []).flatMap(({ keyId, keyData }) => {
      const id = keyId?.keyId;
      return id === null || id === undefined || !keyData ? [] : [[Buffer.from(id).toString('base64'), keyData]];
    });
  } catch {
    return [];
  }
}

/** A look-up that fails must not fail the message that made the client look. */
function gently(lookUp: Parameters<SocketConfig['makeSignalRepository']>[2]): typeof lookUp {
  return lookUp === undefined ? undefined : (jids) => lookUp(jids).catch(() => undefined);
}

function unreadBy(error: unknown): Unread {
  const text = error instanceof Error ? `${error.name} ${error.message}` : '';
  if (text.includes('Key used already')) return 'key-used';
  if (/no sender ?key|SenderKeyState|No session found to decrypt/i.test(text)) return 'no-sender-key';
  return /no (?:open |matching )?session|session record/i.test(text) ? 'no-session' : 'decryption-failed';
}

/** Bytes that came in no stanza we saw: kept all the same. */
function unknownSource(address: string, ciphertext: Uint8Array): Source {
  const id = createHash('sha256').update(ciphertext).digest('hex');
  const enc: StanzaNode = { tag: 'enc', attrs: {}, content: ciphertext };
  return { node: { tag: 'message', attrs: { from: address, id }, content: [enc] }, part: 0 };
}
