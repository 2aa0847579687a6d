// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../../base/failure.ts';
import type { LinkStep } from '../connector.ts';
import { fields, text } from './json.ts';
import type { Rest } from './rest.ts';
import { Waker } from '../waker.ts';

export interface LinkParts {
  readonly rest: Rest;
  readonly account: string;
  readonly deviceName: string;
  readonly timeoutMs: number;
  readonly pollMs: number;
  /** The account was found linked: makes that durable. */
  readonly onLinked: () => Promise<void>;
}

/** After so many codes nobody is in front of the screen. */
const MOST_CODES = 5;
const SECOND_MS = 1000;

/**
 * Links the account: shows codes, one after the other, until the number appears. The API tells of no failure, so time decides. The
 * URI is a bearer credential: it goes to the caller and nowhere else.
 */
export async function* linkAccount(parts: LinkParts, signal: AbortSignal): AsyncGenerator<LinkStep> {
  try {
    const before = await parts.rest.accounts(signal);
    if (before.has(parts.account)) return yield* linked(parts);
    for (let code = 1; code <= MOST_CODES && !signal.aborted; code += 1) {
      const path = `v1/qrcodelink/raw?device_name=${encodeURIComponent(parts.deviceName)}`;
      const uri = text(fields((await parts.rest.get(path, signal)).json)?.['device_link_uri']);
      if (uri === null) return yield { step: 'failed', reason: 'no-link' };
      yield { step: 'show-qr', uri, expiresInSeconds: Math.round(parts.timeoutMs / SECOND_MS) };
      const end = yield* waitForScan(parts, before, signal);
      if (end !== 'expired') return;
      yield { step: 'expired' };
    }
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Failure) || error.kind === 'fatal') throw error;
    yield { step: 'failed', reason: error.code };
  }
}

async function* waitForScan(
  parts: LinkParts,
  before: ReadonlySet<string>,
  signal: AbortSignal,
): AsyncGenerator<LinkStep, 'ended' | 'expired'> {
  const { rest, account, pollMs, timeoutMs } = parts;
  const untilMs = performance.now() + timeoutMs;
  while (performance.now() < untilMs && !signal.aborted) {
    yield { step: 'waiting' };
    await new Waker().sleep(pollMs, signal);
    const now = await rest.accounts(signal).catch((error: unknown) => unlessFailure(error, signal));
    if (now === null) continue;
    if (now.has(account)) {
      yield* linked(parts);
      return 'ended';
    }
    if (now.difference(before).size > 0) {
      // Another phone scanned the code. Nobody archives that account here.
      yield { step: 'failed', reason: 'other-account' };
      return 'ended';
    }
  }
  return signal.aborted ? 'ended' : 'expired';
}

async function* linked({ onLinked }: LinkParts): AsyncGenerator<LinkStep> {
  await onLinked();
  yield { step: 'linked' };
}

/** A look that failed is one look less. */
function unlessFailure(error: unknown, signal: AbortSignal): null {
  if (error instanceof Failure && !signal.aborted) return null;
  throw error;
}
