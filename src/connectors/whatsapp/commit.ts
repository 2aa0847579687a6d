// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { codeOf, isFailure } from '../../base/failure.ts';
import type { Capture, ContentCapture, SessionChange } from '../connector.ts';
import type { Fence } from './fence.ts';
import type { AccountLane } from './lane.ts';
import { accountHead, gapCapture } from './own-records.ts';

/** What must become durable together. */
export interface Changes {
  readonly captures: readonly Capture[];
  readonly session: readonly SessionChange[];
}

/**
 * Makes durable what the client or the server will not tell again. What the spool will never take is recorded as having been there, with
 * its bytes if these can be had; the session goes on with it. Throws when nothing is decided: the fence has fallen, an
 * outcome is unknown, or the session state itself is what the spool refuses.
 */
export async function commit(lane: AccountLane, fence: Fence, { captures, session }: Changes): Promise<void> {
  if (captures.length + session.length === 0) return;
  try {
    await lane.deliver(captures, session, fence);
  } catch (error) {
    if (isUndecided(error) || captures.length === 0) throw error;
    await commitRefused(lane, fence, { captures, session }, codeOf(error));
  }
}

async function commitRefused(lane: AccountLane, fence: Fence, refused: Changes, code: string): Promise<void> {
  lane.alarm('refused-by-spool', refused.captures.length);
  const contents = refused.captures.filter(({ type }) => type === 'content') as ContentCapture[];
  const bytes = contents.map((capture) => bytesOf(lane.account, capture, code));
  const about = { cause: 'oversized', scope: 'message', state: 'final', detail: `refused: ${code}` } as const;
  const count = refused.captures.length;
  const gap = gapCapture(lane.account, lane.nowMs, { ...about, count });
  const named = gapCapture(lane.account, lane.nowMs, { ...about, count, native: contents[0]?.native });
  let last: unknown;
  // The identity may be what cannot be taken, and so may the bytes.
  for (const captures of [[...bytes, named], [...bytes, gap], [named], [gap]]) {
    try {
      await lane.deliver(captures, refused.session, fence);
      return;
    } catch (error) {
      if (isUndecided(error)) throw error;
      last = error;
    }
  }
  throw last;
}

/** The bytes count more than what was understood of them. */
function bytesOf(account: string, { via, atMs, raw }: ContentCapture, code: string): ContentCapture {
  const revision = createHash('sha256').update(raw).digest('hex');
  const native = { chat: '', sender: '', id: '', kind: 'opaque', revision };
  return {
    type: 'content',
    native,
    via,
    atMs,
    view: { ...accountHead(account), kind: 'unknown', reason: `refused: ${code}` },
    raw,
  };
}

/** All else was thrown before anything was written, or was rolled back, and will be thrown again. */
function isUndecided(error: unknown): boolean {
  return isFailure(error, 'fatal') || isFailure(error, 'retry');
}
