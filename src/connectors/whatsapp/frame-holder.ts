// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../../base/failure.ts';
import type { ClientSocket } from './gate.ts';

/** The WebSocket under the client's socket, as far as it is needed here. */
export interface RawSocket {
  send(data: Uint8Array | string, sent?: (error?: Error) => void): void;
  terminate(): void;
}

/** The stream below it, in a member that its types do not show. */
interface Corkable {
  cork(): void;
  uncork(): void;
}

/** The client keeps it in a member that its types do not show; null before it connects and after it is closed. */
export function rawSocketOf(socket: ClientSocket): RawSocket | null {
  return (socket as unknown as { readonly socket?: RawSocket | null }).socket ?? null;
}

interface Held {
  readonly data: Uint8Array | string;
  readonly wait: Promise<void> | null;
}

/**
 * Holds back every frame that the client sends until what it may be an answer to is durable: receipts, acknowledgements, keys it offers
 * to others. Order is kept; the cipher of the frames counts them. The client is told that a frame is sent when it is accepted here: it
 * would give up on a receipt after 20 s, and the spool may take longer.
 *
 * Throws `whatsapp/socket-hidden` where there is no WebSocket to stand in front of: its frames would leave before the fsync.
 */
export function holdFrames(socket: ClientSocket, durable: () => Promise<void> | null): void {
  const raw = rawSocketOf(socket);
  if (raw === null) throw hidden();
  const send = raw.send.bind(raw);
  const held: Held[] = [];
  let isReleasing = false;
  const release = async (): Promise<void> => {
    for (let next = held.shift(); next !== undefined; next = held.shift()) {
      await next.wait;
      inOnePacket(raw, () => send(next.data));
    }
    isReleasing = false;
  };
  raw.send = (data, sent) => {
    const wait = durable();
    if (wait === null && !isReleasing) return send(data, sent);
    held.push({ data, wait });
    sent?.();
    if (isReleasing) return;
    isReleasing = true;
    void release();
  };
}

function hidden(): Failure {
  return new Failure('whatsapp/socket-hidden', {
    expected: 'a client that has its WebSocket as soon as it is made',
    got: 'none',
    fix: 'install again from the lock file: this is another client than Holdfast was made for',
  });
}

/** What became durable together is answered together: all frames of one turn are one write to the network. */
function inOnePacket(raw: RawSocket, send: () => void): void {
  const stream = (raw as { readonly _socket?: Corkable | null })._socket;
  stream?.cork();
  send();
  if (stream !== null && stream !== undefined) setImmediate(() => stream.uncork());
}
