// SPDX-License-Identifier: AGPL-3.0-or-later
import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { codeOf, Failure, isFailure } from '../../../base/failure.ts';
import type { Capture, SessionChange } from '../../connector.ts';
import { fenceUntil, type Fence } from '../fence.ts';
import type { AccountLane } from '../lane.ts';
import { decrypted } from '../media/decrypt.ts';
import type { MediaHost } from '../media/host.ts';
import type { Outcome, Steps } from '../media/work-queue.ts';
import type { Learnt, Meaning } from '../meaning.ts';
import type { AddressPair } from '../normalise/input.ts';
import { type GapFields } from '../../own-records.ts';
import { gapCapture } from '../own-records.ts';
import { encodeHistoryWork, historyNative, notificationOf, placeOf, type HistoryWork } from './work.ts';

export interface HistoryStepParts {
  readonly host: MediaHost;
  /** Of the blob, and of what it inflates to. */
  readonly mostBytes: number;
  readonly giveUpMs: number;
  /** Reads history of this account; null while the account is not linked. */
  readonly meaningOf: (lane: AccountLane) => Meaning | null;
  /** Pairs of addresses that the history told. */
  readonly onPairs: (lane: AccountLane, pairs: readonly AddressPair[]) => void;
}

/** What the last slice carries besides its captures. */
interface End {
  readonly captures: readonly Capture[];
  readonly session: readonly SessionChange[];
}

const NOT_YET: End = { captures: [], session: [] };

type Told = Learnt & { readonly pairs: readonly AddressPair[] };

/** Together in one transaction: enough to be fast, and little enough to let live messages in between. */
const SLICE_CAPTURES = 200;
const SLICE_BYTES = 1 << 20;
const TOMBSTONE_MS = 30 * 86_400_000;
const NOT_LINKED_MS = 60_000;

const inflated = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflate);

/** Fetches a part of the history, reads it, and forgets it once everything in it is durable. Reading it twice records nothing twice. */
export class HistorySteps implements Steps<HistoryWork> {
  readonly #parts: HistoryStepParts;

  constructor(parts: HistoryStepParts) {
    this.#parts = parts;
  }

  async take(lane: AccountLane, work: HistoryWork, signal: AbortSignal): Promise<Outcome> {
    using until = fenceUntil(signal);
    const { fence } = until;
    if (work.phase === 'lost') return await this.#tombstone(lane, work, fence);
    try {
      return await this.#archive(lane, work, fence);
    } catch (error) {
      if (!(error instanceof Failure) || error.kind === 'fatal') throw error;
      const isOver = lane.nowMs - work.addedMs >= this.#parts.giveUpMs;
      if (error.kind === 'retry' && (signal.aborted || !isOver)) throw error;
      const cause = error.code === 'whatsapp/media-oversized' ? 'oversized' : 'intake-lost';
      return await this.#lose(lane, work, fence, { cause, detail: codeOf(error) });
    }
  }

  async #archive(lane: AccountLane, work: HistoryWork, fence: Fence): Promise<Outcome> {
    const meaning = this.#parts.meaningOf(lane);
    if (meaning === null) return { to: 'wait', ms: NOT_LINKED_MS };
    await lane.ready(fence);
    const { bytes: packed, isOther } = await this.#fetch(work, fence.signal);
    const done = [{ name: work.name, value: null }];
    const end: End = { captures: isOther ? [this.#otherThanAnnounced(lane, work)] : [], session: done };
    if (work.appState) {
      await this.#read(lane, meaning.appStateFile({ ...work.appState, blob: packed }), end, fence);
    } else {
      const notification = notificationOf(work);
      const blob = await this.#inflate(packed);
      // Bytes that are no history are kept as what they are.
      const last = blob === null ? { captures: [], session: [] } : end;
      await this.#read(lane, meaning.history({ notification, blob: blob ?? packed }), last, fence);
      if (blob === null) throw unreadable();
    }
    if (isOther) lane.alarm('attachment-mismatch');
    return { to: 'end' };
  }

  /** `isOther`: who has the key made it, and it is not what was announced. It is all there will be, so it is kept, and marked. */
  async #fetch(work: HistoryWork, signal: AbortSignal): Promise<{ readonly bytes: Buffer; readonly isOther: boolean }> {
    const { host, mostBytes } = this.#parts;
    const place = placeOf(notificationOf(work), Boolean(work.appState));
    if (place === null) throw unreadable();
    if (place.inline !== null) return { bytes: Buffer.from(place.inline), isOther: false };
    let isOther = false;
    const onOtherHash = (): void => {
      isOther = true;
    };
    const chunks = await Array.fromAsync(
      decrypted(host.fetch(place.path, mostBytes, signal), place.seal, { mostBytes, onOtherHash }),
    );
    return { bytes: Buffer.concat(chunks), isOther };
  }

  #otherThanAnnounced(lane: AccountLane, work: HistoryWork): Capture {
    return gapCapture(lane.account, lane.nowMs, {
      cause: 'attachment-mismatch',
      scope: 'account',
      state: 'final',
      native: historyNative(work),
      detail: 'kept with other hashes',
    });
  }

  /** Null if it cannot be inflated, or only to more than anybody may hold in memory. */
  async #inflate(packed: Uint8Array): Promise<Buffer | null> {
    try {
      return await inflated(packed, { maxOutputLength: this.#parts.mostBytes });
    } catch {
      return null;
    }
  }

  /** In slices, in order; the last one carries the end of the work. */
  async #read(lane: AccountLane, learnt: Iterable<Told>, end: End, fence: Fence): Promise<void> {
    let slice: Told[] = [];
    let bytes = 0;
    const flush = async (last: End): Promise<void> => {
      await this.#deliver(lane, slice, last, fence);
      slice = [];
      bytes = 0;
    };
    for (const one of learnt) {
      slice.push(one);
      bytes += one.captures.reduce((sum, { raw }) => sum + raw.length, 0);
      if (slice.length >= SLICE_CAPTURES || bytes >= SLICE_BYTES) await flush(NOT_YET);
    }
    await flush(end);
  }

  async #deliver(lane: AccountLane, slice: readonly Told[], last: End, fence: Fence): Promise<void> {
    const captures = [...slice.flatMap((one) => one.captures), ...last.captures];
    const session = [...slice.flatMap((one) => one.session), ...last.session];
    try {
      await lane.deliver(captures, session, fence);
    } catch (error) {
      if (!isFailure(error, 'refuse')) throw error;
      await this.#deliverSingly(lane, slice, error.code, fence);
      await lane.deliver(last.captures, last.session, fence);
    }
    for (const one of slice) one.onDurable();
    const pairs = slice.flatMap((one) => one.pairs);
    if (pairs.length > 0) this.#parts.onPairs(lane, pairs);
  }

  /** The spool will never take one of them: its place is recorded instead, and the others go on. */
  async #deliverSingly(lane: AccountLane, slice: readonly Told[], code: string, fence: Fence): Promise<void> {
    for (const { captures, session } of slice) {
      try {
        await lane.deliver(captures, session, fence);
      } catch (error) {
        if (!isFailure(error, 'refuse')) throw error;
        lane.alarm('refused-by-spool', captures.length);
        const about = { cause: 'oversized', scope: 'message', state: 'final', detail: `refused: ${code}` } as const;
        const native = captures.find(({ type }) => type === 'content')?.native;
        await lane.deliver([gapCapture(lane.account, lane.nowMs, { ...about, native })], session, fence);
      }
    }
  }

  async #lose(
    lane: AccountLane,
    work: HistoryWork,
    fence: Fence,
    why: Pick<GapFields, 'cause' | 'detail'>,
  ): Promise<Outcome> {
    const next: HistoryWork = { ...work, phase: 'lost', sinceMs: lane.nowMs };
    const about = { ...why, scope: 'account', state: 'final', native: historyNative(work) } as const;
    const session = [{ name: next.name, value: encodeHistoryWork(next) }];
    await lane.deliver([gapCapture(lane.account, lane.nowMs, about)], session, fence);
    lane.alarm('history-lost');
    return { to: 'end' };
  }

  /** Its entry stays for a while, so that a copy of the announcement does not start it again; each run looks at it once. */
  async #tombstone(lane: AccountLane, work: HistoryWork, fence: Fence): Promise<Outcome> {
    if (lane.nowMs - work.sinceMs < TOMBSTONE_MS) return { to: 'end' };
    await lane.deliver([], [{ name: work.name, value: null }], fence);
    return { to: 'end' };
  }
}

function unreadable(): Failure {
  return new Failure('whatsapp/history-unreadable', {
    expected: 'a compressed history of a size that fits into memory',
    got: 'something else',
    fix: 'raise whatsapp.media.mostHistory if the phone holds that much, and link again',
  });
}
