// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  ALL_WA_PATCH_NAMES,
  areJidsSameUser,
  jidDecode,
  type BinaryNode,
  type ConnectionState,
  type WASocket,
} from '@whiskeysockets/baileys';
import type { ConnectorEvents } from '../connector.ts';
import { StanzaBook } from './accounting.ts';
import { peopleRecords } from './address-book.ts';
import type { ClientCaches } from './client-caches.ts';
import { closeCodeOf } from './close-codes.ts';
import type { WhatsAppConfig } from './config.ts';
import type { Credentials } from './credentials.ts';
import type { Fence } from './fence.ts';
import { holdFrames, rawSocketOf } from './frame-holder.ts';
import { Gate, type Admission } from './gate.ts';
import type { Anchor } from './history/repair.ts';
import { journalling, type Source } from './journal.ts';
import { keyName, SpoolKeyStore } from './key-store.ts';
import type { AccountLane } from './lane.ts';
import { Meaning, type FollowUp, type Learnt, type Normalise } from './meaning.ts';
import type { AddressPair, OwnAddresses, StanzaNode } from './normalise/input.ts';
import { Pipeline } from './pipeline.ts';
import { openSocket } from './socket.ts';
import { courseOf, hashOf } from './stanza.ts';
import { plainName, plainWeeks } from './state.ts';
import type { Wire } from './wire.ts';

export interface ConnectionParts {
  readonly config: WhatsAppConfig;
  readonly wire: Wire;
  readonly normalise: Normalise;
  readonly followUps: readonly FollowUp[];
  readonly events: ConnectorEvents;
  readonly lane: AccountLane;
  readonly caches: ClientCaches;
  readonly credentials: Credentials;
  readonly fence: Fence;
  readonly onFatal: (error: unknown) => void;
  readonly onUpdate: (update: Partial<ConnectionState>) => void;
  /** Something came from the owner's phone itself. */
  readonly onPhone: () => void;
  readonly onArrival: (node: StanzaNode) => void;
}

const OWNERS_PHONE = 0;
const AT_ONCE: Admission = { before: null, after: null };
const CAPTURED = Buffer.from([1]);

/** One connection of one account, from the first byte until it is closed. */
export class Connection {
  readonly book = new StanzaBook();
  readonly meaning: Meaning;
  readonly socket: WASocket;
  /** Resolves with the close code. */
  readonly ended: Promise<number>;
  readonly #parts: ConnectionParts;
  readonly #pipeline: Pipeline;
  readonly #sources = new WeakMap<Uint8Array, Source>();
  #isFlushing = false;
  #isOpen = false;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    const { lane, credentials, normalise, followUps, config } = parts;
    this.#pipeline = new Pipeline({
      ...parts,
      mostWaitingBytes: config.limits.pending,
      onFull: () => this.drop(),
      onStuck: (error) => this.#stuck(error),
    });
    lane.pipeline = this.#pipeline;
    this.meaning = new Meaning({ lane, normalise, followUps, own: () => this.own });
    this.socket = openSocket({
      ...parts,
      auth: { creds: credentials.value, keys: this.#keyStore() },
      makeSignalRepository: journalling({
        lane,
        credentials,
        meaning: this.meaning,
        sourceOf: (ciphertext) => this.#sources.get(ciphertext),
        onRead: ({ node, part }) => this.book.read(node, part),
        onAccounted: ({ node, part }) => this.book.accounted(node, part),
        commit: (learnt) => this.commit(learnt),
        onAppStateKeys: () => this.#syncAppState(),
      }),
    });
    this.#holdFrames();
    void new Gate(this.socket.ws, {
      admit: (node) => this.#admit(node),
      onFault: (error) => this.#fault(error),
      onFull: () => this.drop(),
      mostWaitingBytes: config.limits.pending,
    });
    const { promise, resolve } = Promise.withResolvers<number>();
    this.ended = promise;
    this.socket.ev.on('connection.update', (update) => {
      this.#isOpen = update.connection === 'open' || (this.#isOpen && update.connection === undefined);
      if (update.connection === 'open') this.#syncAppState();
      parts.onUpdate(update);
      if (update.connection === 'close') resolve(closeCodeOf(update.lastDisconnect?.error));
    });
    this.socket.ev.on('creds.update', () => this.#changed());
  }

  get own(): OwnAddresses {
    return this.#parts.credentials.own;
  }

  /** Something that goes to the owner's own devices only. False if the account is not logged in. */
  async tellPhone(node: StanzaNode): Promise<boolean> {
    if (!this.#isOpen || this.#parts.fence.hasFallen) return false;
    try {
      await this.socket.sendNode(node as BinaryNode);
      return true;
    } catch {
      return false;
    }
  }

  /** The owner's phone is asked for the past of a chat; nobody else sees it. The answer comes as history. */
  async askPast({ jid, id, fromMe, atMs }: Anchor, count: number): Promise<boolean> {
    if (!this.#isOpen || this.#parts.fence.hasFallen) return false;
    try {
      await this.socket.fetchMessageHistory(count, { remoteJid: jid, id, fromMe }, atMs);
      return true;
    } catch {
      return false;
    }
  }

  /** Whom the history says to be one person, for the client's own table. Known again from the next message if it fails. */
  async tellPairs(pairs: readonly AddressPair[]): Promise<void> {
    if (this.#isOpen) await this.socket.signalRepository.lidMapping.storeLIDPNMappings([...pairs]);
  }

  /** Resolves once it is durable; not at all if the connection ends before. */
  commit(learnt: Learnt): Promise<void> {
    return this.#pipeline.enter(learnt);
  }

  /** Ends it without a word: what was not receipted comes again. */
  drop(): void {
    const raw = rawSocketOf(this.socket.ws);
    if (raw !== null) raw.terminate();
    else void this.socket.end(undefined);
  }

  /** Stores credentials that changed and are not stored yet. */
  async flush(): Promise<void> {
    const { lane, credentials, fence } = this.#parts;
    while (lane.credentials === credentials && credentials.pending().changes.length > 0)
      await lane.deliver([], [], fence);
  }

  #holdFrames(): void {
    try {
      holdFrames(this.socket.ws, () => this.#pipeline.durable);
    } catch (error) {
      this.drop();
      throw error;
    }
  }

  #keyStore(): SpoolKeyStore {
    const { lane, onFatal } = this.#parts;
    return new SpoolKeyStore({
      sink: lane.sink,
      read: (name) => lane.session(name),
      enter: (captures, session, onDurable) => void this.#pipeline.enter({ captures, session, onDurable }),
      also: (changes) => ({ captures: peopleRecords(lane, changes), session: [] }),
      onUnreadable: onFatal,
    });
  }

  /** The client asks for everything once only, and only after it has taken in the history itself, which it is not let to. */
  #syncAppState(): void {
    const { lane, credentials, events } = this.#parts;
    const isKnown = lane.session(keyName(lane.sink, 'app-state-sync-version', 'regular')) !== null;
    if (isKnown || !this.#isOpen || credentials.value.myAppStateKeyId === undefined) return;
    this.socket.resyncAppState(ALL_WA_PATCH_NAMES, true).catch((error: unknown) => events.trouble('app-state', error));
  }

  #changed(): void {
    this.#parts.credentials.touch();
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // A transaction that commits in this turn takes them along.
    setImmediate(() => {
      this.#isFlushing = false;
      this.flush().catch((error: unknown) => this.#parts.events.trouble('connection', error));
    });
  }

  #fault(error: unknown): void {
    const { events, lane } = this.#parts;
    if (this.#parts.fence.hasFallen) return;
    events.trouble('frame', error);
    lane.alarm('frame-unreadable');
    this.drop();
  }

  /** What was entered is not receipted: it comes again, to a connection that does not wait for it. */
  #stuck(error: unknown): void {
    this.#parts.events.trouble('deliver', error);
    this.drop();
  }

  #admit(node: StanzaNode): Admission {
    this.#parts.onArrival(node);
    this.#notePhone(node);
    if (node.tag === 'iq') return this.#capture(node, () => [this.meaning.appState(node)]);
    if (node.tag !== 'message') return this.#capture(node, () => [this.meaning.stanza(node)]);
    const course = courseOf(node, this.own);
    switch (course.course) {
      case 'decrypts':
        for (const part of course.parts) this.#sources.set(contentOf(node, part), { node, part });
        return { before: null, after: this.book.arrived(node, course.parts, this.#parts.lane.nowMs) };
      case 'reads':
        return this.#capture(node, () =>
          course.parts.map((part) => this.meaning.decrypted({ node, part, plaintext: contentOf(node, part) })),
        );
      case 'drops':
        if (course.why === 'bot-message') this.#parts.lane.alarm('bot-message');
        return this.#capture(node, () => [this.meaning.stanza(node, course.why)]);
    }
  }

  /** Unless it is a stanza that was captured before, and whose acknowledgement the server missed. */
  #capture(node: StanzaNode, learn: () => readonly Learnt[]): Admission {
    const { lane } = this.#parts;
    const hash = hashOf(node);
    const [week = 0, ...earlier] = plainWeeks(lane.nowMs);
    if ([week, ...earlier].some((one) => lane.session(plainName(one, hash)) !== null)) return AT_ONCE;
    const learnt = learn();
    const captures = learnt.flatMap((one) => one.captures);
    if (captures.length === 0) return AT_ONCE;
    const session = [...learnt.flatMap((one) => one.session), { name: plainName(week, hash), value: CAPTURED }];
    const onDurable = (): void => learnt.forEach((one) => one.onDurable());
    const durable = this.commit({ captures, session, onDurable });
    // What closes a gap must find it open, so the client goes on only after a gap is there.
    return captures.some(({ type }) => type === 'gap') ? { before: durable, after: null } : AT_ONCE;
  }

  #notePhone({ attrs }: StanzaNode): void {
    const { me } = this.#parts.credentials.value;
    const from = attrs['participant'] ?? attrs['from'];
    if (from === undefined || me === undefined) return;
    const isOwn = areJidsSameUser(from, me.id) || areJidsSameUser(from, me.lid);
    if (isOwn && (jidDecode(from)?.device ?? OWNERS_PHONE) === OWNERS_PHONE) this.#parts.onPhone();
  }
}

function contentOf(node: StanzaNode, part: number): Uint8Array {
  return (node.content as readonly StanzaNode[])[part]?.content as Uint8Array;
}
