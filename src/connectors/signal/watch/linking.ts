// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../../../base/failure.ts';
import type { AccountSink, Capture, SessionChange } from '../../connector.ts';
import type { AccountLane } from '../lane.ts';
import { jsonBytes } from '../../own-records.ts';
import { gapCapture, ownRecord } from '../own-records.ts';
import { decodeState, encodeState, type Linked } from '../../state.ts';
import { accountPath, type WatchParts } from './parts.ts';

/**
 * Whether the account is linked. An unlinked number vanishes from `/v1/accounts`, and nothing else tells: its WebSocket stays open
 * and silent.
 */
export class LinkWatch {
  readonly #parts: WatchParts;
  readonly #listedMs = new Map<string, number>();

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** Takes note of a look at the list. True if the account is on it. */
  async observe(lane: AccountLane, isListed: boolean, signal: AbortSignal): Promise<boolean> {
    if (isListed) await this.#listed(lane);
    else if (lane.read<Linked>('linked') === null) await this.#neverLinked(lane);
    else if (lane.gaps.find('unlinked') !== undefined || (await this.#isGone(lane, signal))) await this.#unlinked(lane);
    return isListed;
  }

  async #listed(lane: AccountLane): Promise<void> {
    const { clock, config, health } = this.#parts;
    const nowMs = clock();
    this.#listedMs.set(lane.account, nowMs);
    const change = linkedChange(lane.sink, lane.account, config.deviceName, nowMs);
    if (change !== null) {
      await lane.submit(change);
      lane.linkedMs = nowMs;
    }
    health.link(lane.account, 'linked');
  }

  async #neverLinked(lane: AccountLane): Promise<void> {
    if (lane.gaps.find('not-linked') === undefined) {
      const about = { cause: 'not-linked', scope: 'account', state: 'open' } as const;
      await lane.submit({ captures: [gapCapture(lane.account, this.#parts.clock(), about)] });
      lane.alarm('not-linked');
    }
    this.#parts.health.link(lane.account, 'not-linked');
  }

  async #unlinked(lane: AccountLane): Promise<void> {
    if (lane.gaps.find('unlinked') === undefined) {
      const nowMs = this.#parts.clock();
      const alive = lane.read<{ atMs: number }>('alive')?.atMs;
      const fromMs = this.#listedMs.get(lane.account) ?? alive ?? nowMs;
      const about = { cause: 'unlinked', scope: 'account', state: 'open', fromMs } as const;
      await lane.submit({ captures: [gapCapture(lane.account, nowMs, about)] });
      lane.alarm('unlinked');
    }
    this.#parts.health.link(lane.account, 'unlinked');
  }

  /** The list may be short while the daemon starts: only what the account itself says counts. */
  async #isGone(lane: AccountLane, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#parts.rest.get(accountPath('devices', lane.account), signal);
      return false;
    } catch (error) {
      return error instanceof Failure && error.code === 'signal/account-unknown';
    }
  }
}

/** What becomes durable when an account is found linked, for the first time or again; null if that is known. */
export function linkedChange(
  sink: AccountSink,
  account: string,
  device: string,
  nowMs: number,
): { captures: Capture[]; session: SessionChange[] } | null {
  const ended = sink.openGaps().filter(({ cause }) => cause === 'unlinked' || cause === 'not-linked');
  if (ended.length === 0 && decodeState<Linked>(sink.session('linked')) !== null) return null;
  const raw = jsonBytes({ kind: 'linked', device, atMs: nowMs });
  const linked = ownRecord(account, nowMs, {
    body: { kind: 'linked', device },
    id: String(nowMs),
    raw,
    via: 'connector',
  });
  const closing = ended.map(({ id, cause, scope }) =>
    gapCapture(account, nowMs, { cause, scope, state: 'closed', ref: id, toMs: nowMs }),
  );
  return { captures: [linked, ...closing], session: [{ name: 'linked', value: encodeState({ atMs: nowMs }) }] };
}
