// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Json } from '../../../record/canonical.ts';
import type { SessionChange } from '../../connector.ts';
import type { Fence } from '../fence.ts';
import type { AccountLane } from '../lane.ts';
import { reuploadKeyOf } from '../media/reupload.ts';
import type { FollowUp } from '../meaning.ts';
import type { Understood } from '../normalise/input.ts';
import type { StateName } from '../state.ts';
import { decodeState, encodeState } from '../../state.ts';

/** A message of a chat that the phone has too: it gives what stood before it. */
export interface Anchor {
  readonly jid: string;
  readonly id: string;
  readonly fromMe: boolean;
  readonly atMs: number;
}

/** The account's connection, as far as a question for the past needs it. */
export interface PastLine {
  /** True once the phone is asked for so many messages before this one; false while there is no connection. */
  askPast(before: Anchor, count: number): Promise<boolean>;
}

/** A message that exists and could not be read. Persisted with the record that says so, gone with the one that has it. */
interface Missing {
  readonly tag: string;
  readonly jid: string;
  readonly atMs: number;
  readonly asked: number;
  /** When it was found missing, or the phone was asked last. */
  readonly sinceMs: number;
}

const MOST_ASKED = 4;
const GROWTH = 6;
/** What phones give at once. */
const COUNT = 50;

/**
 * Gets messages that could not be read out of the history of the owner's phone, which mostly could. Nobody else is told of it. The phone gives
 * what stood before a message that it has, so it is asked once a later message of the same chat is there; what it sends comes as
 * history, and closes the gap.
 */
export class HistoryRepair implements FollowUp {
  readonly #afterMs: number;
  readonly #missing = new Map<string, Map<StateName, Missing>>();
  /** Latest message of each chat with something missing, by account and chat. */
  readonly #anchors = new Map<string, Anchor>();

  constructor(afterMs: number) {
    this.#afterMs = afterMs;
  }

  resume(lane: AccountLane): void {
    for (const name of lane.sink.sessionNames('repair/')) {
      const missing = decodeState<Missing>(lane.sink.session(name));
      if (missing !== null) this.#of(lane).set(name as StateName, missing);
    }
  }

  plan(lane: AccountLane, found: Understood): readonly SessionChange[] {
    if (found.ref === null) return [];
    if (!found.isComplete) {
      const missing = missingOf(lane, found);
      return missing === null ? [] : [{ name: nameOf(missing), value: encoded(missing) }];
    }
    if (this.#of(lane).size === 0) return [];
    const name = nameOf({ tag: lane.sink.tagOf(found.ref) });
    return this.#of(lane).has(name) ? [{ name, value: null }] : [];
  }

  begin(lane: AccountLane, found: Understood): void {
    const all = this.#of(lane);
    if (found.ref === null || (found.isComplete && all.size === 0)) return;
    const name = nameOf({ tag: lane.sink.tagOf(found.ref) });
    const missing = decodeState<Missing>(lane.sink.session(name));
    if (missing === null) all.delete(name);
    else if (!all.has(name)) all.set(name, missing);
    if (found.isComplete) this.#noteAnchor(lane, found);
  }

  /** Asks for what is due, one question at most. Called again and again while a connection is well. */
  async tend(lane: AccountLane, line: PastLine, fence: Fence): Promise<void> {
    const all = this.#of(lane);
    for (const [name, missing] of all) {
      const isOver = missing.asked >= MOST_ASKED || lane.gaps.ofTag(missing.tag).length === 0;
      if (isOver) {
        all.delete(name);
        return void (await lane.deliver([], [{ name, value: null }], fence));
      }
      const anchor = this.#anchors.get(chatKey(lane, missing.jid));
      const dueMs = missing.sinceMs + this.#afterMs * GROWTH ** missing.asked;
      if (anchor === undefined || anchor.atMs < missing.atMs || lane.nowMs < dueMs) continue;
      return await this.#ask(lane, name, missing, { anchor, line, fence });
    }
  }

  async #ask(
    lane: AccountLane,
    name: StateName,
    missing: Missing,
    { anchor, line, fence }: { readonly anchor: Anchor; readonly line: PastLine; readonly fence: Fence },
  ): Promise<void> {
    const next: Missing = { ...missing, asked: missing.asked + 1, sinceMs: lane.nowMs };
    const isAsked = await line.askPast(anchor, COUNT);
    if (!isAsked) return;
    this.#of(lane).set(name, next);
    await lane.deliver([], [{ name, value: encoded(next) }], fence);
  }

  #noteAnchor(lane: AccountLane, found: Understood): void {
    const key = reuploadKeyOf(found);
    const atMs = found.view.serverAtMs ?? null;
    if (key === null || atMs === null) return;
    if (![...this.#of(lane).values()].some(({ jid }) => jid === key.jid)) return;
    const chat = chatKey(lane, key.jid);
    if (atMs >= (this.#anchors.get(chat)?.atMs ?? 0))
      this.#anchors.set(chat, { jid: key.jid, id: key.id, fromMe: key.fromMe, atMs });
  }

  #of(lane: AccountLane): Map<StateName, Missing> {
    const known = this.#missing.get(lane.account);
    if (known !== undefined) return known;
    const fresh = new Map<StateName, Missing>();
    this.#missing.set(lane.account, fresh);
    return fresh;
  }
}

/** Null where it is known to be missing already, or where nothing tells its chat. */
function missingOf(lane: AccountLane, { ref, view, ...found }: Understood): Missing | null {
  if (ref === null) return null;
  const tag = lane.sink.tagOf(ref);
  const key = reuploadKeyOf({ ref, view, ...found });
  if (key === null || lane.session(nameOf({ tag })) !== null) return null;
  const { nowMs } = lane;
  return { tag, jid: key.jid, atMs: view.serverAtMs ?? nowMs, asked: 0, sinceMs: nowMs };
}

function nameOf({ tag }: Pick<Missing, 'tag'>): StateName {
  return `repair/${tag}`;
}

function encoded(missing: Missing): Uint8Array {
  return encodeState(missing as unknown as Json);
}

function chatKey(lane: AccountLane, jid: string): string {
  return `${lane.account}\n${jid}`;
}
