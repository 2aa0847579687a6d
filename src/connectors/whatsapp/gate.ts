// SPDX-License-Identifier: AGPL-3.0-or-later
import type { WASocket } from '@whiskeysockets/baileys';
import { isFailure } from '../../base/failure.ts';
import { never } from './fence.ts';
import type { StanzaNode } from './normalise/input.ts';

export type ClientSocket = WASocket['ws'];

/** When a stanza is shown to the client, and when the one after it. Null: at once. */
export interface Admission {
  /** What must be durable before the client sees it, and so before it acknowledges it. */
  readonly before: Promise<void> | null;
  /** What it must have led to before the next one is shown. */
  readonly after: Promise<void> | null;
}

export interface GateParts {
  /** Called for each stanza in the order of arrival, when its turn comes. */
  readonly admit: (node: StanzaNode) => Admission;
  /** Something in the client failed in a way that it does not handle itself. */
  readonly onFault: (error: unknown) => void;
  /** Stanzas wait in memory, and there are too many of them. */
  readonly onFull: () => void;
  readonly mostWaitingBytes: number;
}

/** One stanza that the client ponders over holds up the others no longer than this. */
const LONGEST_TURN_MS = 5000;

/** What the client answers by itself, or acts on without acknowledging it. */
const GATED = new Set(['CB:message', 'CB:receipt', 'CB:notification', 'CB:call', 'CB:chatstate']);

/**
 * Stands between the client's socket and the client's own handlers, by the one door that leads there: `emit` of the socket. Nothing of
 * the client is changed; its handlers are called later, or not at all. Their failures end here instead of in the process.
 */
export class Gate {
  readonly #socket: ClientSocket;
  readonly #parts: GateParts;
  #last: Promise<void> | null = null;
  #waitingBytes = 0;

  constructor(socket: ClientSocket, parts: GateParts) {
    this.#socket = socket;
    this.#parts = parts;
    socket.emit = (event: string | symbol, ...values: unknown[]): boolean => this.#emit(event, values);
  }

  #emit(event: string | symbol, values: readonly unknown[]): boolean {
    const node = values[0] as StanzaNode;
    if (!GATED.has(event as string) && !isAppState(event, node)) return this.#call(event, values);
    const call = (): boolean => this.#call(event, values);
    if (this.#last !== null) return this.#wait(node, this.#last, call);
    const admission = this.#parts.admit(node);
    if (admission.before === null && admission.after === null) return call();
    this.#follow(this.#turn(admission, call));
    return true;
  }

  #wait(node: StanzaNode, last: Promise<void>, call: () => void): boolean {
    const bytes = sizeOf(node);
    this.#waitingBytes += bytes;
    this.#follow(
      last.then(async () => {
        this.#waitingBytes -= bytes;
        await this.#turn(this.#parts.admit(node), call);
      }),
    );
    if (this.#waitingBytes > this.#parts.mostWaitingBytes) this.#parts.onFull();
    return true;
  }

  #follow(turn: Promise<void>): void {
    const last = turn
      .catch((error: unknown) => this.#refuse(error))
      .then(() => {
        if (this.#last === last) this.#last = null;
      });
    this.#last = last;
  }

  /** The client starts on several messages at once and lets a later one overtake: one at a time keeps them in order. */
  async #turn({ before, after }: Admission, call: () => void): Promise<void> {
    await before;
    call();
    if (after === null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LONGEST_TURN_MS);
    await Promise.race([after, promise]);
    clearTimeout(timer);
  }

  /** Not admitted: neither this stanza nor any after it is shown to the client, so nothing of them is acknowledged. */
  #refuse(error: unknown): Promise<void> {
    if (!isFailure(error, 'retry')) this.#parts.onFault(error);
    return never();
  }

  #call(event: string | symbol, values: readonly unknown[]): boolean {
    const listeners = this.#socket.rawListeners(event);
    for (const listener of listeners) {
      try {
        const result: unknown = Reflect.apply(listener, this.#socket, values);
        if (result instanceof Promise) result.catch((error: unknown) => this.#parts.onFault(error));
      } catch (error) {
        this.#parts.onFault(error);
      }
    }
    return listeners.length > 0;
  }
}

/** An answer to the client's question for changes of the app state: it counts them as taken once it has seen them. */
function isAppState(event: string | symbol, node: StanzaNode | undefined): boolean {
  if (typeof event !== 'string' || !event.startsWith('TAG:') || node?.tag !== 'iq') return false;
  return Array.isArray(node.content) && (node.content as readonly StanzaNode[]).some(({ tag }) => tag === 'sync');
}

function sizeOf({ content }: StanzaNode): number {
  if (content instanceof Uint8Array || typeof content === 'string') return content.length;
  return (content as readonly StanzaNode[] | undefined)?.reduce((sum, child) => sum + sizeOf(child), 64) ?? 64;
}
