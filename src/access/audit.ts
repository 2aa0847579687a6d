// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Actor, Deed } from './act.ts';

/**
 * The record of what readers do: who looked for what, saw what, took what out, was refused.
 *
 * Whoever shows plaintext MUST call `record` with what is about to be shown, MUST await it, and MUST show nothing if it rejects.
 * `record` resolves once the deeds are sealed and fsynced in the reader's own spool, all of one call together or none; they reach
 * the log by the ordinary way from there. Calls may overlap; those of one audit are recorded in the order of the calls.
 *
 * Rejects with a `Failure`: `access/unrecorded` (they could not be written: reading stops), `access/busy` (another process held the
 * spool for too long; the same call may succeed later).
 */
export interface Audit extends AsyncDisposable {
  /** Without `by` the deeds are those of whoever runs this process. A server names the user each request comes from. */
  record(deeds: readonly Deed[], by?: Pick<Actor, 'user' | 'session' | 'via'>): Promise<void>;
}
