// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyId } from '../record/key.ts';

/*
 * The way between connector and archiver. It is transport and nothing else: it may lose, repeat and reorder, and may be
 * wiped at any time. What makes it safe stands at its two ends: the spool sends everything again that has no receipt, and the
 * archiver takes every record once, in order.
 */

/** The connector's end. */
export interface Uplink extends AsyncDisposable {
  /**
   * Hands over one encoded job. Resolves when the transport has it, which MUST NOT be taken for "archived".
   * `id` names the job: the same id twice while it waits is one job. Rejects with a `retry` failure when the transport is away.
   */
  send(id: string, job: string): Promise<void>;

  /**
   * Calls back for every reply to this connector, in the order of sending, one at a time. MUST NOT stop on a listener's
   * rejection. Replies sent while nobody listens may be kept or lost.
   */
  listen(onReply: (reply: string) => Promise<void> | void): Promise<void>;

  /** Cached, no I/O: false while the transport is known to be away. */
  readonly connected: boolean;
}

/** The archiver's end. */
export interface Downlink extends AsyncDisposable {
  /**
   * Calls `take` for every job. A job is done when `take` resolves; a rejected one is delivered again later, without limit.
   * `take` may wait, to hold back the flow; jobs of one connector are started in the order of sending but may overlap.
   */
  consume(take: (job: string) => Promise<void>): Promise<void>;

  /** Sends a reply to one connector. May be lost. Rejects with a `retry` failure when the transport is away. */
  reply(to: KeyId, reply: string): Promise<void>;

  readonly connected: boolean;
}
