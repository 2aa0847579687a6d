// SPDX-License-Identifier: AGPL-3.0-or-later

/**
 * Where a message stands between Signal's server and the intakes.
 *
 * - `on-server`: not fetched yet; it is safe and comes later.
 * - `acknowledged`: signal-cli told the server that it has it; nobody will send it again.
 * - `undeliverable`: the account was not linked; the server keeps nothing for it.
 */
export type MessageState = 'on-server' | 'acknowledged' | 'undeliverable';

/** Why an acknowledged message was handed to nobody. */
export type DropReason =
  | 'blocked-contact'
  | 'blocked-group'
  | 'not-a-member'
  | 'not-an-admin'
  | 'untrusted-identity'
  | 'crash-before-handler';

/** One message and which intake really got it. Owned by the emulator; tests only read. */
export interface EmulatedMessage {
  readonly account: string;
  readonly timestamp: number | null;
  /** Exactly the bytes that each intake is to see. */
  readonly params: string;
  state: MessageState;
  dropped: DropReason | null;
  /** Lines in out.log. */
  journal: number;
  webhook: {
    /** Answered 200 or 201. */
    accepted: number;
    /** Answered anything else, or not at all: lost for the webhook. */
    failed: number;
  };
  webSocket: {
    /** Frames handed to the kernel, over all sockets of the number. */
    written: number;
    /** Frames that a socket of the number did not get because its consumer was still writing. */
    missed: number;
  };
  /** Times it was in a complete 200 answer of `GET /v1/receive` (normal mode). */
  receiveApi: number;
}

export function newMessage(account: string, timestamp: number | null, params: string): EmulatedMessage {
  return {
    account,
    timestamp,
    params,
    state: 'on-server',
    dropped: null,
    journal: 0,
    webhook: { accepted: 0, failed: 0 },
    webSocket: { written: 0, missed: 0 },
    receiveApi: 0,
  };
}

export type Intake = 'journal' | 'webhook' | 'web-socket' | 'receive-api';

export function reached(message: EmulatedMessage, intake: Intake): boolean {
  switch (intake) {
    case 'journal':
      return message.journal > 0;
    case 'webhook':
      return message.webhook.accepted > 0;
    case 'web-socket':
      return message.webSocket.written > 0;
    case 'receive-api':
      return message.receiveApi > 0;
  }
}
