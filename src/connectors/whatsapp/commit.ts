// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, isFailure } from '../../base/failure.ts';
import type { Capture, SessionChange } from '../connector.ts';
import { never, type Fence } from './fence.ts';
import type { AccountLane } from './lane.ts';
import { gapCapture } from './own-records.ts';

/**
 * Makes durable what the client waits for. Never rejects: an error would make the client tell the server that the message is bad. When the
 * connection has ended, or an outcome is unknown, it does not resolve either, so that nothing is acknowledged any more.
 */
export async function commitForClient(
  lane: AccountLane,
  fence: Fence,
  captures: readonly Capture[],
  session: readonly SessionChange[],
): Promise<void> {
  try {
    if (captures.length > 0 || session.length > 0) await lane.deliver(captures, session, fence);
  } catch (error) {
    if (!isFailure(error, 'refuse')) return never();
    await commitForClient(lane, fence, [refusal(lane, captures, codeOf(error))], session);
  }
}

/** The spool will never take these: that they were there is recorded instead. */
function refusal(lane: AccountLane, captures: readonly Capture[], code: string): Capture {
  lane.alarm('refused-by-spool', captures.length);
  const native = captures.find(({ type }) => type === 'content')?.native;
  const about = { cause: 'oversized', scope: 'message', state: 'final', native, count: captures.length } as const;
  return gapCapture(lane.account, lane.nowMs, { ...about, detail: `refused: ${code}` });
}
