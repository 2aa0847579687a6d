// SPDX-License-Identifier: AGPL-3.0-or-later

/** What happens to a live connection. */
export type ConnectionFault =
  /** `<stream:error>`: 401 device removed, 440 replaced by another connection, 500, 503, 515, 516, … */
  | {
      readonly fault: 'stream-error';
      readonly code?: number;
      readonly conflict?: 'replaced' | 'device_removed';
      readonly ack?: boolean;
    }
  /** `<xmlstreamend/>`, then the connection closes. */
  | { readonly fault: 'stream-end' }
  /** The server says nothing more, answers no ping, and takes everything. */
  | { readonly fault: 'silence' }
  /** A frame of the right key whose content is no node. */
  | { readonly fault: 'garbage-node' }
  /** A frame that does not decrypt. */
  | { readonly fault: 'garbage-cipher' }
  /** A frame that announces so many bytes and brings none. */
  | { readonly fault: 'endless-frame'; readonly bytes: number }
  /** `<message>` with children nested so deep. */
  | { readonly fault: 'deep-node'; readonly levels: number }
  /** A compressed frame that is so many bytes when inflated. */
  | { readonly fault: 'inflating-node'; readonly bytes: number }
  | { readonly fault: 'downgrade' };

/** `<failure reason=…>` at login. */
export interface LoginRefusal {
  /** 401 unlinked, 402 banned for a time, 403 banned, 405 outdated, 406, 409, 500, 503 … */
  readonly reason: number;
  readonly code?: number;
  readonly expireSeconds?: number;
  /** Close without a word instead. */
  readonly silent?: boolean;
  /** Only so many logins. */
  readonly times?: number;
}

export interface Switches {
  /** Send the offline batch, but not `<ib><offline/></ib>`. */
  holdOfflineEnd: boolean;
  /** Drop the link when the whole offline batch is receipted, before `<ib><offline/></ib>`. Implies holdOfflineEnd. */
  dropBeforeOfflineEnd: boolean;
  /** Forget receipts: take them, do not mark the entry. The server sends it again at the next login. */
  forgetReceipts: boolean;
  /** Senders answer retry receipts by sending again. Default on. */
  resendOnRetry: boolean;
  /** TCP connections are refused. */
  refuseConnections: boolean;
  /** The handshake presents a certificate chain of another root. */
  foreignRoot: boolean;
  /** Answers to iq take so long. */
  answerDelayMs: number;
  /** No answers to iq at all, pings excepted. */
  ignoreQueries: boolean;
}

export const NO_FAULTS: Switches = {
  holdOfflineEnd: false,
  dropBeforeOfflineEnd: false,
  forgetReceipts: false,
  resendOnRetry: true,
  refuseConnections: false,
  foreignRoot: false,
  answerDelayMs: 0,
  ignoreQueries: false,
};
