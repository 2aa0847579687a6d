// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { BufferJSON, jidDecode } from '@whiskeysockets/baileys';
import type { Capture, ContentCapture, SessionChange } from '../connector.ts';
import { decodeKey, keyName } from './key-store.ts';
import type { AccountLane } from './lane.ts';
import type {
  AddressPair,
  AppStateKeys,
  AppStateRecords,
  Context,
  DecryptedInput,
  HistoryInput,
  OwnAddresses,
  StanzaInput,
  StanzaNode,
  Understood,
} from './normalise/input.ts';
import { accountHead, gapCapture } from './own-records.ts';
import type { Unread, Via } from './reasons.ts';
import { memoryName, memoryQuarters } from './state.ts';

/** Pure: what bytes mean. */
export interface Normalise {
  decrypted(input: DecryptedInput, context: Context): readonly Understood[];
  stanza(input: StanzaInput, context: Context): readonly Understood[];
  /** Of an answer with changes that the owner made on another device without a message. */
  appState(node: StanzaNode, keys: AppStateKeys, context: Context): readonly Understood[];
  /** Of a file that such an answer refers to. */
  appStateFile(file: AppStateRecords, keys: AppStateKeys, context: Context): readonly Understood[];
  /** Lazily: a blob holds thousands. */
  history(input: HistoryInput, context: Context): Iterable<Understood>;
}

/** Something else that a capture makes necessary: a file to fetch, a history blob to read. */
export interface FollowUp {
  /** Stored in the same transaction as the capture. */
  plan(lane: AccountLane, found: Understood): readonly SessionChange[];
  /** The capture and the plan are durable. */
  begin(lane: AccountLane, found: Understood): void;
}

/** What must become durable together, and what follows once it is. */
export interface Learnt {
  readonly captures: readonly Capture[];
  readonly session: readonly SessionChange[];
  readonly onDurable: () => void;
}

export interface MeaningParts {
  readonly lane: AccountLane;
  readonly normalise: Normalise;
  readonly own: () => OwnAddresses;
  readonly followUps: readonly FollowUp[];
}

/** Turns what the client received into captures, gaps and what is to be remembered. Never throws: bytes are kept whatever they are. */
export class Meaning {
  readonly #parts: MeaningParts;
  readonly #context: Context;
  /** Asked for again and again while one thing is understood. */
  readonly #counterparts = new Map<string, string | null>();

  constructor(parts: MeaningParts) {
    this.#parts = parts;
    const { sink } = parts.lane;
    this.#context = {
      get own() {
        return parts.own();
      },
      counterpart: (jid) => {
        const known = this.#counterparts.get(jid);
        if (known !== undefined) return known;
        const found = this.#counterpart(jid);
        this.#counterparts.set(jid, found);
        return found;
      },
      recall: (of) => this.#recall(sink.tagOf(of)),
    };
  }

  decrypted(input: DecryptedInput): Learnt {
    return this.#learn(
      this.#understand(
        () => this.#parts.normalise.decrypted(input, this.#context),
        () => opaque(this.#parts.lane.account, input.node, input.plaintext),
      ),
    );
  }

  /**
   * Everything in a history blob, one thing after the other. What one tells is known to those after it before it is durable, so the caller
   * makes them durable in this order.
   */
  *history(input: HistoryInput): Generator<Learnt & { readonly pairs: readonly AddressPair[] }> {
    const { sink } = this.#parts.lane;
    const told = new Map<string, Uint8Array>();
    const recall: Context['recall'] = (of) => told.get(sink.tagOf(of)) ?? this.#context.recall(of);
    const context: Context = { ...this.#context, own: this.#context.own, recall };
    for (const found of this.#parts.normalise.history(input, context)) {
      for (const { of, value } of found.memory) told.set(sink.tagOf(of), value);
      yield { ...this.#learn([found], undefined, 'history'), pairs: found.pairs };
    }
  }

  /** `failure`: why a `<message>` was not read. */
  stanza(node: StanzaNode, failure?: Unread): Learnt {
    return this.#learn(
      this.#understand(
        () => this.#parts.normalise.stanza({ node, ...(failure === undefined ? {} : { failure }) }, this.#context),
        () => opaque(this.#parts.lane.account, node, null),
      ),
      failure,
    );
  }

  /** An answer with changes of the app state. The client moves on past them as soon as it sees them. */
  appState(node: StanzaNode): Learnt {
    const { lane, normalise } = this.#parts;
    return this.#learn(
      this.#understand(
        () => normalise.appState(node, this.#appStateKeys, this.#context),
        () => opaque(lane.account, node, null),
      ),
    );
  }

  /** Everything in a downloaded file of app state: the first state of an account, or changes that were too many for an answer. */
  *appStateFile(file: AppStateRecords): Generator<Learnt & { readonly pairs: readonly AddressPair[] }> {
    for (const found of this.#parts.normalise.appStateFile(file, this.#appStateKeys, this.#context))
      yield { ...this.#learn([found], undefined, 'history'), pairs: found.pairs };
  }

  /** The keys that the owner's phone shared with this device. */
  readonly #appStateKeys: AppStateKeys = (id) => {
    const { lane } = this.#parts;
    const bytes = lane.session(keyName(lane.sink, 'app-state-sync-key', id));
    return bytes === null ? null : (decodeKey('app-state-sync-key', bytes).keyData ?? null);
  };

  #understand(understand: () => readonly Understood[], instead: () => Understood): readonly Understood[] {
    try {
      return understand();
    } catch {
      this.#parts.lane.alarm('not-understood');
      return [instead()];
    }
  }

  #learn(found: readonly Understood[], failure?: Unread, via: Via = 'socket'): Learnt {
    const { lane, followUps } = this.#parts;
    const { nowMs, sink } = lane;
    const [quarter = 0] = memoryQuarters(nowMs);
    this.#counterparts.clear();
    const captures = found.flatMap((one): Capture[] => [contentCapture(one, via, nowMs), ...this.#gaps(one, failure)]);
    const session = found.flatMap((one) => [
      ...one.memory.map(({ of, value }) => ({ name: memoryName(quarter, sink.tagOf(of)), value })),
      ...followUps.flatMap((followUp) => followUp.plan(lane, one)),
    ]);
    const onDurable = (): void => {
      for (const one of found) for (const followUp of followUps) followUp.begin(lane, one);
    };
    return { captures, session, onDurable };
  }

  /** A message that was not read opens a gap, unless one is open; the same message read closes it. */
  #gaps({ ref, isComplete }: Understood, failure: Unread | undefined): Capture[] {
    const { lane } = this.#parts;
    if (ref === null) return [];
    const open = lane.gaps.ofTag(lane.sink.tagOf(ref));
    const { account, nowMs } = lane;
    if (isComplete) {
      return open.map(({ id, cause, scope }) =>
        gapCapture(account, nowMs, { cause, scope, state: 'closed', ref: id, native: ref, toMs: nowMs }),
      );
    }
    if (open.length > 0) return [];
    const cause = failure === 'unaccounted' ? 'intake-lost' : 'undecryptable';
    const about = { cause, scope: 'message', native: ref, fromMs: nowMs } as const;
    return [
      gapCapture(account, nowMs, { ...about, state: 'open', ...(failure === undefined ? {} : { detail: failure }) }),
    ];
  }

  #recall(tag: string): Uint8Array | null {
    const { lane } = this.#parts;
    for (const quarter of memoryQuarters(lane.nowMs)) {
      const value = lane.session(memoryName(quarter, tag));
      if (value !== null) return value;
    }
    return null;
  }

  /** The other address of a person, from the client's own table. */
  #counterpart(jid: string): string | null {
    const decoded = jidDecode(jid);
    if (decoded === undefined) return null;
    const isLid = decoded.server === 'lid';
    const { lane } = this.#parts;
    const { sink } = lane;
    const id = isLid ? `${decoded.user}_reverse` : decoded.user;
    const bytes = lane.session(keyName(sink, 'lid-mapping', id));
    if (bytes === null) return null;
    return `${decodeKey('lid-mapping', bytes)}@${isLid ? 's.whatsapp.net' : 'lid'}`;
  }
}

export function contentCapture({ native, view, raw }: Understood, via: Via, atMs: number): ContentCapture {
  return { type: 'content', native, via, atMs, view, raw };
}

/** A record of bytes that defeated whoever was to understand them. */
function opaque(account: string, node: StanzaNode, plaintext: Uint8Array | null): Understood {
  const raw = Buffer.from(JSON.stringify({ node, plaintext }, BufferJSON.replacer));
  const { from = '', participant = '', id = '' } = node.attrs;
  const revision = createHash('sha256').update(raw).digest('hex');
  return {
    native: { chat: from, sender: participant, id, kind: 'opaque', revision },
    view: { ...accountHead(account), kind: 'unknown', reason: 'not-understood' },
    raw,
    ref: null,
    isComplete: true,
    media: [],
    memory: [],
    pairs: [],
    history: null,
  };
}
