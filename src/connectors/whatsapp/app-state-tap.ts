// SPDX-License-Identifier: AGPL-3.0-or-later
import type { AccountSink } from '../connector.ts';
import { decodeKey, keyName } from './key-store.ts';
import type { AppStateKeys, StanzaNode } from './normalise/input.ts';

/** The part of the client's socket that answers come out of. */
export interface AnswerSocket {
  emit: (event: string | symbol, ...values: unknown[]) => boolean;
}

export interface AppStateTapParts {
  /** Resolves once what the answer says is durable; not at all if the connection ends before. */
  readonly capture: (answer: StanzaNode) => Promise<void>;
  readonly onFault: (error: unknown) => void;
}

/** How the client names the event of an answer to one of its questions. */
const ANSWER = 'TAG:';

/**
 * Captures changes of the app state (deleted for me, cleared, muted, contacts) from the server's answers, before the client sees them.
 * The client counts a patch as taken once it has read it and never asks for it again, and its events come later still: what it has not
 * seen yet, it asks for again after a crash.
 */
export function tapAppState(socket: AnswerSocket, { capture, onFault }: AppStateTapParts): void {
  const emit = socket.emit.bind(socket);
  socket.emit = (event, ...values) => {
    const [node] = values;
    if (typeof event !== 'string' || !event.startsWith(ANSWER) || !isAppState(node)) return emit(event, ...values);
    capture(node)
      .then(() => emit(event, ...values))
      .catch(onFault);
    return true;
  };
}

/** An answer with changes in it, or with a reference to where they lie. */
function isAppState(node: unknown): node is StanzaNode {
  const { tag, content } = (node ?? {}) as Partial<StanzaNode>;
  return tag === 'iq' && Array.isArray(content) && (content as readonly StanzaNode[]).some((one) => one.tag === 'sync');
}

/** The keys that the owner's phone shared with this device, from the client's own store. */
export function appStateKeys(sink: AccountSink): AppStateKeys {
  return (keyId) => {
    const bytes = sink.session(keyName(sink, 'app-state-sync-key', keyId));
    return bytes === null ? null : (decodeKey('app-state-sync-key', bytes).keyData ?? null);
  };
}
