// SPDX-License-Identifier: AGPL-3.0-or-later
import type { BinaryNode } from '@whiskeysockets/baileys';
import type { ConnectorEvents, SessionChange } from '../connector.ts';
import type { Connection } from './connection.ts';
import type { AccountLane } from './lane.ts';
import { childrenOf } from './normalise/frame.ts';
import type { StanzaNode } from './normalise/input.ts';
import { hashOf } from './stanza.ts';
import type { StateName } from './state.ts';

export interface GroupWatchParts {
  readonly lane: AccountLane;
  readonly events: ConnectorEvents;
  /** How often all groups are asked for. */
  readonly everyMs: number;
}

/** Stands for the state of being in no group. */
const NONE = 'none';

/**
 * Records who is in which group. Notifications tell of changes, and not of all: some the client acknowledges unseen. So all groups are asked
 * for now and then, and a group that nobody knew when its first message came at once, one question at a time. What is as it was
 * recorded last is not recorded again; what is as it was earlier is.
 */
export class GroupWatch {
  readonly #parts: GroupWatchParts;
  readonly #known = new Set<string>();
  /** Groups with messages and without a record, and when they were asked for. */
  readonly #unknown = new Map<string, number>();
  #allMs = 0;
  #isAsking = false;

  constructor(parts: GroupWatchParts) {
    this.#parts = parts;
  }

  arrived({ tag, attrs }: StanzaNode): void {
    const { from = '' } = attrs;
    if (tag !== 'message' || !from.endsWith('@g.us') || this.#known.has(from) || this.#unknown.has(from)) return;
    if (this.#parts.lane.session(this.#nameOf(from)) === null) this.#unknown.set(from, 0);
    else this.#known.add(from);
  }

  /** Asks at most one question. Called again and again while a connection is well. */
  async tend(connection: Connection): Promise<void> {
    if (this.#isAsking) return;
    const question = this.#due();
    if (question === null) return;
    this.#isAsking = true;
    try {
      await this.#ask(connection, question);
    } catch (error) {
      this.#parts.events.trouble('watch', error);
    } finally {
      this.#isAsking = false;
    }
  }

  #due(): BinaryNode | null {
    const { lane, everyMs } = this.#parts;
    const { nowMs } = lane;
    if (nowMs - this.#allMs >= everyMs) {
      this.#allMs = nowMs;
      return questionAboutAll();
    }
    const [next] = [...this.#unknown].find(([, askedMs]) => nowMs - askedMs >= everyMs) ?? [];
    if (next === undefined) return null;
    this.#unknown.set(next, nowMs);
    return questionAbout(next);
  }

  async #ask(connection: Connection, question: BinaryNode): Promise<void> {
    const answer = (await connection.socket.query(question)) as StanzaNode | undefined;
    if (answer?.tag !== 'iq' || !Array.isArray(answer.content)) return;
    const content = answer.content as readonly StanzaNode[];
    const groups = content.flatMap((child) => (child.tag === 'groups' ? childrenOf(child) : [child]));
    for (const group of groups) if (group.tag === 'group') await this.#record(connection, group);
    const isNone = groups.length === 0 && content.some(({ tag }) => tag === 'groups');
    if (isNone) await this.#record(connection, null);
  }

  /** Null: the account is in no group. */
  async #record(connection: Connection, group: StanzaNode | null): Promise<void> {
    const { lane } = this.#parts;
    const jid = group === null ? NONE : jidOf(group);
    const name = this.#nameOf(jid);
    const state = Buffer.from(group === null ? NONE : hashOf(group));
    this.#known.add(jid);
    this.#unknown.delete(jid);
    const last = lane.session(name);
    if (last !== null && state.equals(last)) return;
    // The time instead of the question's number: a group that comes back to what it was is a record of its own.
    const { nowMs } = lane;
    const attrs = { from: '@g.us', type: 'result', id: String(nowMs), t: String(Math.floor(nowMs / 1000)) };
    const content = [{ tag: 'groups', attrs: {}, content: group === null ? [] : [group] }];
    const { captures, session, onDurable } = connection.meaning.stanza({ tag: 'iq', attrs, content });
    const changes: SessionChange[] = [{ name, value: state }];
    if (group !== null) changes.push({ name: this.#nameOf(NONE), value: null });
    await connection.commit({ captures, session: [...session, ...changes], onDurable });
  }

  #nameOf(jid: string): StateName {
    return `group/${this.#parts.lane.sink.tagOf({ chat: jid, sender: '', id: '', kind: 'group state', revision: '' })}`;
  }
}

function questionAboutAll(): BinaryNode {
  const children = ['participants', 'description'].map((tag) => ({ tag, attrs: {} }));
  return {
    tag: 'iq',
    attrs: { to: '@g.us', xmlns: 'w:g2', type: 'get' },
    content: [{ tag: 'participating', attrs: {}, content: children }],
  };
}

function questionAbout(jid: string): BinaryNode {
  return {
    tag: 'iq',
    attrs: { to: jid, xmlns: 'w:g2', type: 'get' },
    content: [{ tag: 'query', attrs: { request: 'interactive' } }],
  };
}

/** A group's own node names it without server. */
function jidOf({ attrs }: StanzaNode): string {
  const { id = '' } = attrs;
  return id.includes('@') ? id : `${id}@g.us`;
}
