// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
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
   *
   * - `id` names the job and MUST consist of letters, digits and hyphens, the first a letter. While a job of this name waits or
   *   is in work, another of the same name is the same job, and what was sent first stays. Once it is done, the name is free.
   * - Jobs of one uplink are put in line in the order of the calls, whether or not the caller waits for one before the next.
   * - When there is no room it waits or rejects, and MUST NOT drop. What waits is bounded.
   * - Rejects with a `retry` failure when the transport is away, within seconds and the time that the bytes need. The job may
   *   have arrived all the same.
   */
  send(id: string, job: string): Promise<void>;

  /**
   * Calls back for every reply to this connector, in the order of sending, one at a time. MUST NOT stop on a listener's
   * rejection, and does not repeat that reply. Resolves although the transport is away. Replies sent while nobody listens may
   * be kept or lost; the newest are kept first. To be called once.
   */
  listen(onReply: (reply: string) => Promise<void> | void): Promise<void>;

  /** Cached, no I/O: false while the transport is known to be away. */
  readonly connected: boolean;
}

/** The archiver's end. */
export interface Downlink extends AsyncDisposable {
  /**
   * Calls `take` for every job. Resolves although the transport is away. To be called once.
   *
   * - A job is done when `take` resolves. A rejected one is delivered again later, without limit, behind what waits.
   * - Jobs are started in the order in which they stand in line, and may overlap; only rejected and interrupted ones come later.
   * - `take` may wait, to hold back the flow: a fixed number run at a time.
   * - On closing, `take` is not called again. Jobs in work have a while to finish; what has not is delivered again to whoever
   *   consumes next, as are the jobs of a process that was killed.
   */
  consume(take: (job: string) => Promise<void>): Promise<void>;

  /** Sends a reply to one connector. May be lost. Rejects with a `retry` failure when the transport is away. */
  reply(to: KeyId, reply: string): Promise<void>;

  readonly connected: boolean;
}

/** What a link tells operators: codes only, since it knows the rest of no error. The link goes on after each. */
export interface LinkEvents {
  /** `transport`: it gave trouble, told once until it is there again. `job`: a `take` rejected, or its job was lost hold of. `reply`: a listener rejected. */
  trouble(what: 'transport' | 'job' | 'reply', code: string): void;
}

export function closedFailure(what: string): Failure {
  return new Failure('queue/closed', { expected: 'an open link', got: 'one that was closed', where: what });
}
