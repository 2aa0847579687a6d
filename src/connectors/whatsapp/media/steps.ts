// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../../../base/failure.ts';
import type { GapCapture, MediaCapture, SealedObject } from '../../connector.ts';
import { fenceUntil, type Fence } from '../fence.ts';
import type { AccountLane } from '../lane.ts';
import type { StanzaNode } from '../normalise/input.ts';
import { jsonBytes, type GapFields } from '../../own-records.ts';
import { gapCapture } from '../own-records.ts';
import { decrypted } from './decrypt.ts';
import type { MediaHost } from './host.ts';
import { reuploadRequest, REUPLOAD_IV_BYTES } from './reupload.ts';
import type { Outcome, Steps } from './work-queue.ts';
import { encodeWork, mediaView, sealOf, type MediaWork } from './work.ts';

export interface MediaStepOptions {
  readonly mostBytes: number;
  readonly askAgainMs: number;
  readonly giveUpMs: number;
}

/** The account's connection, as far as a question to the owner's phone needs it. */
export interface PhoneLine {
  /** The account's own address without device; null while there is no connection. */
  own(account: string): string | null;
  /** True once it is sent; false while there is no connection. */
  send(account: string, node: StanzaNode): Promise<boolean>;
}

export interface MediaStepParts {
  readonly host: MediaHost;
  readonly options: MediaStepOptions;
  readonly phone: PhoneLine;
  readonly randomBytes: (size: number) => Uint8Array;
  /** The phone is about to be asked: its answer may come at any moment. */
  readonly onAsked: (lane: AccountLane, work: MediaWork) => void;
}

/** Padding and MAC. */
const OVERHEAD_BYTES = 26;
const DAY_MS = 86_400_000;
/** How long a lost file is remembered. */
const TOMBSTONE_MS = 30 * DAY_MS;
/** A file that the phone uploaded so often and that is still not there, or not whole, will not be. */
const MOST_UPLOADS = 3;
const NO_LINE_MS = 5000;

/** The steps of a file's way into the archive, each remembered in the spool before the next begins. */
export class MediaSteps implements Steps<MediaWork> {
  readonly #parts: MediaStepParts;

  constructor(parts: MediaStepParts) {
    this.#parts = parts;
  }

  async take(lane: AccountLane, work: MediaWork, signal: AbortSignal): Promise<Outcome> {
    using fence = fenceUntil(signal);
    switch (work.phase) {
      case 'pending':
        if (lane.sink.has(work.native)) return await this.#close(lane, work, fence.fence);
        return await this.#fetch(lane, work, fence.fence, false);
      case 'asked':
        return await this.#ask(lane, work, fence.fence);
      case 'kept':
        return await this.#close(lane, work, fence.fence);
      case 'lost':
        return await this.#forget(lane, work, fence.fence);
    }
  }

  /** `asItIs`: nothing better will come, so other hashes than the message tells are recorded instead of refused. */
  async #fetch(lane: AccountLane, work: MediaWork, fence: Fence, asItIs: boolean): Promise<Outcome> {
    const { mostBytes } = this.#parts.options;
    if (work.path === null) return await this.#troubled(lane, work, fence, 'attachment-missing');
    await lane.ready(fence);
    try {
      return await this.#keep(lane, { ...work, path: work.path }, fence, asItIs);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      switch (error.code) {
        case 'whatsapp/media-absent':
        case 'whatsapp/media-no-address':
          return await this.#troubled(lane, work, fence, 'attachment-missing');
        case 'whatsapp/media-damaged':
          return await this.#troubled(lane, work, fence, 'attachment-mismatch');
        case 'whatsapp/media-oversized':
          return await this.#lose(lane, work, fence, 'oversized', `over ${mostBytes} bytes`);
        default:
          if (error.kind !== 'refuse') throw error;
          lane.alarm('refused-by-spool');
          return await this.#lose(lane, work, fence, work.trouble, error.code);
      }
    }
  }

  async #keep(
    lane: AccountLane,
    work: MediaWork & { readonly path: string },
    fence: Fence,
    asItIs: boolean,
  ): Promise<Outcome> {
    const { host, options } = this.#parts;
    let isOther = false;
    const other = (): void => {
      isOther = true;
    };
    const encrypted = host.fetch(work.path, options.mostBytes + OVERHEAD_BYTES, fence.signal);
    const bytes = decrypted(encrypted, sealOf(work), {
      mostBytes: options.mostBytes,
      ...(asItIs ? { onOtherHash: other } : {}),
    });
    const kept: MediaWork = { ...work, phase: 'kept', sinceMs: lane.nowMs };
    const media: MediaCapture = {
      native: work.native,
      via: 'media',
      atMs: lane.nowMs,
      view: (object: SealedObject) => mediaView(work, object),
      raw: jsonBytes({ path: work.path, uploads: work.uploads }),
      bytes,
    };
    await lane.sink.deliverMedia(media, [{ name: work.name, value: encodeWork(kept) }]);
    if (isOther) return await this.#lose(lane, work, fence, 'attachment-mismatch', 'kept with other hashes');
    return { to: 'next' };
  }

  /** The host has not got it, or not whole: ask the phone. */
  async #troubled(lane: AccountLane, work: MediaWork, fence: Fence, trouble: MediaWork['trouble']): Promise<Outcome> {
    const isHopeless = work.reupload === null || work.uploads >= MOST_UPLOADS;
    if (isHopeless) return await this.#giveUp(lane, { ...work, trouble }, fence);
    const next: MediaWork = { ...work, phase: 'asked', trouble, asked: 0, sinceMs: lane.nowMs };
    return await this.#store(lane, next, fence);
  }

  async #ask(lane: AccountLane, work: MediaWork, fence: Fence): Promise<Outcome> {
    const { phone, options, randomBytes, onAsked } = this.#parts;
    if (lane.nowMs - work.addedMs >= options.giveUpMs) return await this.#giveUp(lane, work, fence);
    const waitMs = work.asked === 0 ? 0 : this.#askedAgainAt(work) - lane.nowMs;
    if (waitMs > 0) return { to: 'wait', ms: waitMs };
    const own = phone.own(lane.account);
    if (own === null || work.reupload === null) return { to: 'wait', ms: NO_LINE_MS };
    const iv = randomBytes(REUPLOAD_IV_BYTES);
    onAsked(lane, work);
    const isSent = await phone.send(
      lane.account,
      reuploadRequest(work.reupload, Buffer.from(work.key, 'base64'), own, iv),
    );
    if (!isSent) return { to: 'wait', ms: NO_LINE_MS };
    const next: MediaWork = { ...work, asked: work.asked + 1, sinceMs: lane.nowMs };
    // The first question is mostly answered at once; a gap that is open for seconds tells nobody anything.
    if (work.asked > 0) await this.#openGap(lane, work, fence);
    await lane.deliver([], [{ name: next.name, value: encodeWork(next) }], fence);
    return { to: 'wait', ms: this.#askedAgainAt(next) - lane.nowMs };
  }

  #askedAgainAt({ sinceMs, asked }: MediaWork): number {
    return sinceMs + Math.min(this.#parts.options.askAgainMs * 2 ** Math.min(asked - 1, 20), DAY_MS);
  }

  /** A file that is authentic and not the one the message describes is kept all the same; anything else is lost. */
  async #giveUp(lane: AccountLane, work: MediaWork, fence: Fence): Promise<Outcome> {
    if (work.trouble === 'attachment-mismatch' && work.path !== null && !lane.sink.has(work.native)) {
      try {
        return await this.#keep(lane, { ...work, path: work.path }, fence, true);
      } catch (error) {
        if (!(error instanceof Failure) || error.kind === 'fatal') throw error;
        if (error.kind === 'retry' && lane.nowMs - work.addedMs < this.#parts.options.giveUpMs) throw error;
      }
    }
    return await this.#lose(lane, work, fence, work.trouble);
  }

  async #lose(
    lane: AccountLane,
    work: MediaWork,
    fence: Fence,
    cause: GapFields['cause'],
    detail?: string,
  ): Promise<Outcome> {
    const about = { scope: 'attachment', state: 'final', native: work.native, target: work.target } as const;
    const more = detail === undefined ? {} : { detail };
    const open = lane.gaps.ofTag(lane.sink.tagOf(work.native));
    const gaps =
      open.length > 0
        ? open.map((gap) => this.#gap(lane, { ...about, ...more, cause: gap.cause, ref: gap.id }))
        : [this.#gap(lane, { ...about, ...more, cause })];
    const next: MediaWork = { ...work, phase: 'lost', sinceMs: lane.nowMs };
    await lane.deliver(gaps, [{ name: next.name, value: encodeWork(next) }], fence);
    lane.alarm(cause === 'oversized' ? 'attachment-oversized' : work.trouble);
    return { to: 'end' };
  }

  /** The archive has it: gaps about it end, and nothing more is to be remembered. */
  async #close(lane: AccountLane, work: MediaWork, fence: Fence): Promise<Outcome> {
    const closing = lane.gaps
      .ofTag(lane.sink.tagOf(work.native))
      .map(({ id, cause, scope }) => this.#gap(lane, { cause, scope, state: 'closed', ref: id, native: work.native }));
    await lane.deliver(closing, [{ name: work.name, value: null }], fence);
    return { to: 'end' };
  }

  async #openGap(lane: AccountLane, { native, target, trouble }: MediaWork, fence: Fence): Promise<void> {
    if (lane.gaps.ofTag(lane.sink.tagOf(native)).length > 0) return;
    const gap = this.#gap(lane, { cause: trouble, scope: 'attachment', state: 'open', native, target });
    await lane.deliver([gap], [], fence);
  }

  async #store(lane: AccountLane, work: MediaWork, fence: Fence): Promise<Outcome> {
    await lane.deliver([], [{ name: work.name, value: encodeWork(work) }], fence);
    return { to: 'next' };
  }

  /** Its entry stays for a while, so that a late copy of the message does not start it again; each run looks at it once. */
  async #forget(lane: AccountLane, { name, sinceMs }: MediaWork, fence: Fence): Promise<Outcome> {
    if (lane.nowMs - sinceMs < TOMBSTONE_MS) return { to: 'end' };
    await lane.deliver([], [{ name, value: null }], fence);
    return { to: 'end' };
  }

  #gap(lane: AccountLane, fields: GapFields): GapCapture {
    return gapCapture(lane.account, lane.nowMs, fields);
  }
}
