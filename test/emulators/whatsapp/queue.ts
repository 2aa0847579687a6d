// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { encodeBinaryNode } from '@whiskeysockets/baileys';
import type { EntryState, QueueEntry, Reply } from './book.ts';
import { childOf, childrenOf } from './wire.ts';
import type { WireNode } from './wire.ts';
import type { LinkedDevice } from './world.ts';

export interface LiveEntry extends QueueEntry {
  state: EntryState;
  sent: number;
  retries: number;
  readonly replies: Reply[];
  readonly node: WireNode;
  readonly owner: LinkedDevice;
  /** Not to be put on the wire yet. */
  held: boolean;
  /** Encoded once, without the `offline` attribute. */
  encoded: Buffer | null;
}

export interface Described {
  readonly plaintexts?: readonly Uint8Array[];
  readonly text?: string | null;
}

/** Receipt types that say nothing about a message having arrived. */
const NOT_DELIVERY = new Set(['retry', 'server-error', 'read', 'read-self', 'played']);

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** User part without device: `15550001111:3@s.whatsapp.net` → `15550001111@s.whatsapp.net`. */
export function withoutDevice(jid: string): string {
  const [user = '', server = ''] = jid.split('@');
  return `${user.split(':')[0]}@${server}`;
}

/**
 * What waits on the server for each device, and the book of how it ended. A stanza is sent at every login until a receipt or an
 * ack takes it away.
 */
export class Queue {
  readonly entries: LiveEntry[] = [];
  readonly #open = new Map<LinkedDevice, Map<number, LiveEntry>>();
  readonly #byId = new Map<string, LiveEntry[]>();
  readonly #waiting = new Set<() => void>();
  readonly #nowMs: () => number;
  readonly #historyFile: string | null;

  constructor(nowMs: () => number, historyFile: string | null) {
    this.#nowMs = nowMs;
    this.#historyFile = historyFile;
  }

  add(owner: LinkedDevice, node: WireNode, described: Described = {}, held = false): LiveEntry {
    const enc = childrenOf(node, 'enc').map(({ content }) => (content instanceof Uint8Array ? sha256(content) : ''));
    const entry: LiveEntry = {
      serial: this.entries.length,
      number: owner.account.number,
      device: owner.device,
      tag: node.tag,
      id: node.attrs['id'] ?? '',
      from: node.attrs['from'] ?? '',
      participant: node.attrs['participant'] ?? null,
      plaintextSha256: (described.plaintexts ?? []).map(sha256),
      ciphertextSha256: enc,
      text: described.text ?? null,
      state: 'on-server',
      sent: 0,
      retries: 0,
      replies: [],
      node,
      owner,
      held,
      encoded: null,
    };
    this.entries.push(entry);
    this.#openOf(owner).set(entry.serial, entry);
    const sameId = this.#byId.get(entry.id);
    if (sameId === undefined) this.#byId.set(entry.id, [entry]);
    else sameId.push(entry);
    this.#write(entry);
    return entry;
  }

  /** Oldest first. */
  waiting(owner: LinkedDevice): readonly LiveEntry[] {
    return [...this.#openOf(owner).values()].filter(({ held }) => !held);
  }

  isEmpty(owner: LinkedDevice): boolean {
    return this.#openOf(owner).size === 0;
  }

  held(number: string): readonly LiveEntry[] {
    return this.entries.filter((entry) => entry.held && entry.number === number);
  }

  entry(serial: number): LiveEntry {
    const entry = this.entries[serial];
    if (entry === undefined) throw new Error(`no entry ${serial}`);
    return entry;
  }

  encoded(entry: LiveEntry): Buffer {
    entry.encoded ??= encodeBinaryNode(entry.node);
    return entry.encoded;
  }

  /** Entries that a receipt or ack is about. With an id that several senders used, those of the sender it names. */
  answered(owner: LinkedDevice, reply: WireNode): readonly LiveEntry[] {
    const items = childrenOf(childOf(reply, 'list'), 'item').map(({ attrs }) => attrs['id'] ?? '');
    return [reply.attrs['id'] ?? '', ...items].flatMap((id) => {
      const what = reply.tag === 'ack' ? reply.attrs['class'] : 'message';
      const sameId = this.#byId.get(id) ?? [];
      const mine = sameId.filter((entry) => entry.owner === owner && entry.sent > 0 && entry.tag === what);
      if (mine.length < 2) return mine;
      const named = mine.filter((entry) => isAbout(reply, entry));
      const open = named.filter(({ state }) => state === 'on-server');
      return (open.length > 0 ? open : named).slice(0, 1);
    });
  }

  /** Books the reply. Unless `forget`, the entry leaves the server. */
  settle(entry: LiveEntry, reply: WireNode, forget: boolean): void {
    const type = reply.attrs['type'] ?? null;
    const error = reply.attrs['error'] ?? null;
    entry.replies.push({ tag: reply.tag === 'ack' ? 'ack' : 'receipt', type, error, atMs: this.#nowMs() });
    if (reply.tag === 'receipt' && type === 'retry') entry.retries += 1;
    const isAnswer = reply.tag === 'ack' || type === null || !NOT_DELIVERY.has(type);
    if (isAnswer && !forget && entry.state === 'on-server') {
      entry.state = error === null ? 'receipted' : 'refused';
      this.#openOf(entry.owner).delete(entry.serial);
    }
    this.#write(entry);
    this.changed();
  }

  reopen(entry: LiveEntry): void {
    entry.state = 'on-server';
    this.#openOf(entry.owner).set(entry.serial, entry);
  }

  dropAll(owner: LinkedDevice): void {
    for (const entry of this.#openOf(owner).values()) {
      entry.state = 'dropped';
      this.#write(entry);
    }
    this.#openOf(owner).clear();
    this.changed();
  }

  /** Resolves as soon as the condition holds; looks whenever something changed. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
    }
  }

  /** Wakes those who wait in {@link until}. */
  changed(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #openOf(owner: LinkedDevice): Map<number, LiveEntry> {
    const open = this.#open.get(owner);
    if (open !== undefined) return open;
    const fresh = new Map<number, LiveEntry>();
    this.#open.set(owner, fresh);
    return fresh;
  }

  #write(entry: LiveEntry): void {
    if (this.#historyFile !== null) appendFileSync(this.#historyFile, `${JSON.stringify(plainEntry(entry))}\n`);
  }
}

function isAbout(reply: WireNode, entry: LiveEntry): boolean {
  const { participant, to } = reply.attrs;
  if (participant !== undefined && entry.participant !== null) {
    return withoutDevice(participant) === withoutDevice(entry.participant);
  }
  return to === undefined || withoutDevice(to) === withoutDevice(entry.from);
}

export function plainEntry(entry: LiveEntry): QueueEntry {
  const { node: _node, owner: _owner, held: _held, encoded: _encoded, ...plain } = entry;
  return { ...plain, replies: [...plain.replies] };
}
