// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ClientSocket } from './gate.ts';

/** The WebSocket under the client's socket, as far as it is needed here. */
export interface RawSocket {
  send(data: Uint8Array | string, sent?: (error?: Error) => void): void;
  terminate(): void;
}

/** The client keeps it in a member that its types do not show; null before it connects and after it is closed. */
export function rawSocketOf(socket: ClientSocket): RawSocket | null {
  return (socket as unknown as { readonly socket?: RawSocket | null }).socket ?? null;
}

/**
 * Holds back every frame that the client sends until what it may be an answer to is durable: receipts, acknowledgements, keys it offers
 * to others. Order is kept; the cipher of the frames counts them. The client is told that a frame is sent when it is accepted here: it
 * would give up on a receipt after 20 s, and the spool may take longer.
 */
export function holdFrames(raw: RawSocket, durable: () => Promise<void> | null): void {
  const send = raw.send.bind(raw);
  let last: Promise<void> | null = null;
  raw.send = (data, sent) => {
    const wait = durable();
    if (wait === null && last === null) return send(data, sent);
    const turn = Promise.all([last, wait]).then(() => {
      if (last === turn) last = null;
      send(data);
    });
    last = turn;
    sent?.();
  };
}
