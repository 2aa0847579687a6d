// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  BufferJSON,
  proto,
  type SignalDataSet,
  type SignalDataTypeMap,
  type SignalKeyStore,
} from '@whiskeysockets/baileys';
import type { AccountSink, Capture, SessionChange } from '../connector.ts';
import { never } from './fence.ts';
import type { StateName } from './state.ts';

/** Kinds of the client's own entries, and the words they have in names. */
const KINDS: Readonly<Record<keyof SignalDataTypeMap, string>> = {
  'pre-key': 'prekey',
  session: 'session',
  'sender-key': 'senderkey',
  'sender-key-memory': 'sendermemory',
  'app-state-sync-key': 'appkey',
  'app-state-sync-version': 'appversion',
  'lid-mapping': 'lid',
  'device-list': 'devices',
  tctoken: 'tctoken',
  'identity-key': 'identity',
};

/** What every message needs again. They are texts, or bytes that nobody changes. */
const KEPT: ReadonlySet<string> = new Set<keyof SignalDataTypeMap>(['session', 'sender-key', 'lid-mapping']);
const MOST_KEPT = 64;

/** What was captured, put into the client's own transaction, so that it becomes durable with the ratchet that moved for it. */
export interface JournalRow {
  readonly captures: readonly Capture[];
  readonly session: readonly SessionChange[];
  /** Once it is durable. */
  readonly onDurable: () => void;
}

/** The one kind of entry that is not the client's. It cannot be read back. */
export const JOURNAL = 'holdfast-journal';

/** A set of entries as the client hands it over at the end of a transaction. */
export type KeyChanges = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface KeyStoreParts {
  readonly sink: AccountSink;
  /** Session state, with what is on its way. */
  readonly read: (name: string) => Uint8Array | null;
  /** Takes a transaction on its way to the disk. What the client sends from now on waits for it. */
  readonly enter: (captures: readonly Capture[], session: readonly SessionChange[], onDurable: () => void) => void;
  /** What else goes with these entries: credentials that changed, records of new addresses and identities. */
  readonly also: (changes: KeyChanges) => { captures: readonly Capture[]; session: readonly SessionChange[] };
  /** The store cannot be read: fatal. */
  readonly onUnreadable: (error: unknown) => void;
}

/**
 * The client's Signal keys, in the spool. `set` never rejects: to the client an error means that the message is bad, and it would tell the
 * server so. `get` sees what was set, durable or not, and never says "none" for what it cannot read.
 */
export class SpoolKeyStore implements SignalKeyStore {
  readonly #parts: KeyStoreParts;
  /** Latest entries as the client knows them: one connection is the only one that writes. The oldest goes first. */
  readonly #kept = new Map<string, unknown>();

  constructor(parts: KeyStoreParts) {
    this.#parts = parts;
  }

  async get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]): Promise<Record<string, SignalDataTypeMap[T]>> {
    const found: Record<string, SignalDataTypeMap[T]> = {};
    try {
      for (const id of ids) {
        const value = this.#read(type, id);
        if (value !== null) found[id] = value;
      }
    } catch (error) {
      this.#parts.onUnreadable(error);
      return never();
    }
    return found;
  }

  set(data: SignalDataSet): void {
    const changes = data as KeyChanges;
    const rows = Object.values(changes[JOURNAL] ?? {}) as JournalRow[];
    const { captures, session } = this.#parts.also(changes);
    for (const type of KEPT) for (const [id, value] of Object.entries(changes[type] ?? {})) this.#keep(type, id, value);
    this.#parts.enter(
      [...rows.flatMap((row) => row.captures), ...captures],
      [...rows.flatMap((row) => row.session), ...keyChanges(this.#parts.sink, changes), ...session],
      () => rows.forEach(({ onDurable }) => onDurable()),
    );
  }

  #read<T extends keyof SignalDataTypeMap>(type: T, id: string): SignalDataTypeMap[T] | null {
    const kept = this.#kept.get(`${type} ${id}`) as SignalDataTypeMap[T] | undefined;
    if (kept !== undefined) return kept;
    const bytes = this.#parts.read(keyName(this.#parts.sink, type, id));
    if (bytes === null) return null;
    const value = decodeKey(type, bytes);
    if (KEPT.has(type)) this.#keep(type, id, value);
    return value;
  }

  #keep(type: string, id: string, value: unknown): void {
    const name = `${type} ${id}`;
    this.#kept.delete(name);
    if (value === null || value === undefined) return;
    this.#kept.set(name, value);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
  }
}

export function keyChanges(sink: AccountSink, changes: KeyChanges): SessionChange[] {
  return (Object.keys(KINDS) as (keyof SignalDataTypeMap)[]).flatMap((type) =>
    Object.entries(changes[type] ?? {}).map(([id, value]) => ({
      name: keyName(sink, type, id),
      value: value === null || value === undefined ? null : encodeKey(type, value),
    })),
  );
}

/** Ids hold numbers of people; names in the spool are readable, so they get a pseudonym. */
export function keyName(sink: AccountSink, type: keyof SignalDataTypeMap, id: string): StateName {
  return `key/${sink.tagOf({ chat: '', sender: '', id, kind: `key ${KINDS[type]}`, revision: '' })}`;
}

/** Sessions hold texts and numbers only: looking for bytes in them takes most of the time. */
function encodeKey(type: keyof SignalDataTypeMap, value: unknown): Uint8Array {
  return Buffer.from(type === 'session' ? JSON.stringify(value) : JSON.stringify(value, BufferJSON.replacer));
}

export function decodeKey<T extends keyof SignalDataTypeMap>(type: T, bytes: Uint8Array): SignalDataTypeMap[T] {
  const text = Buffer.from(bytes).toString('utf8');
  const value: unknown = type === 'session' ? JSON.parse(text) : JSON.parse(text, BufferJSON.reviver);
  const revived = type === 'app-state-sync-key' ? proto.Message.AppStateSyncKeyData.fromObject(value as object) : value;
  return revived as SignalDataTypeMap[T];
}
