// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../../base/failure.ts';
import type { View } from '../../record/message.ts';
import type { GapCapture, MediaCapture, SealedObject } from '../connector.ts';
import { encodeWork, isSafeId, mediaView, type Work, type WorkPhase } from './attachment-work.ts';
import type { AccountLane } from './lane.ts';
import { jsonBytes, type GapFields } from '../own-records.ts';
import { gapCapture } from './own-records.ts';
import { oversized, type AttachmentBody, type Rest } from './rest.ts';

export interface AttachmentOptions {
  readonly mostBytes: number;
  readonly missingMs: number;
  readonly mismatchMs: number;
  readonly giveUpMs: number;
  readonly deleteMs: number;
}

export interface StepParts {
  readonly rest: Rest;
  readonly options: AttachmentOptions;
  readonly clock: () => number;
  /** True if some other message still needs the upstream file. */
  readonly isWanted: (id: string) => boolean;
}

/** What one step came to. `later`: again after a growing pause. */
export type Outcome =
  | { readonly to: 'phase'; readonly work: Work }
  | { readonly to: 'wait'; readonly ms: number }
  | { readonly to: 'later' }
  | { readonly to: 'end' };

export interface Step {
  readonly lane: AccountLane;
  readonly work: Work;
  /** For how long the file has been found missing, or of another length, in this phase. */
  readonly oddForMs: () => number;
}

const LATER: Outcome = { to: 'later' };
/** How long a given-up file is remembered, so that a late copy of its message does not start it again. */
const TOMBSTONE_MS = 7 * 86_400_000;

/** The steps of an attachment's way, each remembered in the spool before the next begins. */
export class AttachmentSteps {
  readonly #parts: StepParts;

  constructor(parts: StepParts) {
    this.#parts = parts;
  }

  async take(step: Step, signal: AbortSignal): Promise<Outcome> {
    switch (step.work.phase) {
      case 'fetch':
        return step.lane.sink.has(step.work.native) ? this.#enter(step, 'delete') : this.#fetch(step, signal);
      case 'missing':
        return this.#isOver(step) ? this.giveUp(step, 'attachment-missing', 'gone') : this.#fetch(step, signal);
      case 'mismatch':
        await this.#openGap(step, 'attachment-mismatch');
        return this.#isOver(step) ? this.giveUp(step, 'attachment-mismatch', 'delete') : this.#fetch(step, signal);
      case 'delete':
        return this.#remove(step, signal);
      case 'gone':
        return this.#ageMs(step) >= TOMBSTONE_MS
          ? this.#forget(step)
          : { to: 'wait', ms: TOMBSTONE_MS - this.#ageMs(step) };
    }
  }

  /** It will never come. `gone`: nothing of it is archived; `delete`: what there was, is. */
  async giveUp(step: Step, cause: GapFields['cause'], phase: 'delete' | 'gone', detail?: string): Promise<Outcome> {
    const { lane, work } = step;
    const { native, target } = work;
    const open = lane.gaps.ofTag(lane.sink.tagOf(native));
    const about = {
      scope: 'attachment',
      state: 'final',
      native,
      target,
      ...(detail === undefined ? {} : { detail }),
    } as const;
    const gaps = open.map((gap) => this.#gap(lane, { ...about, cause: gap.cause, ref: gap.id }));
    return this.#enter(step, phase, gaps.length > 0 ? gaps : [this.#gap(lane, { ...about, cause })]);
  }

  async #fetch(step: Step, signal: AbortSignal): Promise<Outcome> {
    const { lane, work } = step;
    const { id } = work.attachment;
    await lane.ready();
    const body = isSafeId(id) ? await this.#parts.rest.attachment(id, signal) : null;
    if (body === null) return this.#absent(step);
    try {
      return await this.#take(step, body);
    } finally {
      // Whoever was to read it may have failed before: a stream that nobody reads keeps its connection.
      body.stream.destroy();
    }
  }

  async #take(step: Step, body: AttachmentBody): Promise<Outcome> {
    const { size } = step.work.attachment;
    const { mostBytes, mismatchMs } = this.#parts.options;
    if ((body.length ?? 0) > mostBytes) throw oversized(mostBytes);
    if (size === null || body.length === null || body.length === size) return this.#keep(step, body, 'delete');
    // signal-cli writes in place: the file may still grow.
    if (step.work.phase !== 'mismatch' && step.oddForMs() >= mismatchMs) return this.#keep(step, body, 'mismatch');
    return LATER;
  }

  async #keep(step: Step, body: AttachmentBody, phase: 'delete' | 'mismatch'): Promise<Outcome> {
    const { work, lane } = step;
    const { rest, options, clock } = this.#parts;
    const nowMs = clock();
    const kept: Work = { ...work, phase, sinceMs: nowMs };
    const { native, target, attachment } = work;
    const { contentType, length } = body;
    const raw = jsonBytes({ contentType, length });
    const bytes = rest.read(body, options.mostBytes);
    let keptBytes = 0;
    const view = (object: SealedObject): View => {
      keptBytes = object.size;
      return mediaView(work, object);
    };
    const media: MediaCapture = { native, via: 'rest', atMs: nowMs, view, raw, bytes };
    await lane.sink.deliverMedia(media, [{ name: work.name, value: encodeWork(kept) }]);
    // Where the server tells no length beforehand, only the end of the bytes shows that they are too few.
    if (phase === 'delete' && attachment.size !== null && keptBytes !== attachment.size) {
      const about = { scope: 'attachment', state: 'final', native, target } as const;
      await lane.submit({ captures: [this.#gap(lane, { ...about, cause: 'attachment-mismatch' })] });
      lane.alarm('attachment-mismatch');
    }
    return { to: 'phase', work: kept };
  }

  async #absent(step: Step): Promise<Outcome> {
    if (step.work.phase !== 'fetch' || step.oddForMs() < this.#parts.options.missingMs) return LATER;
    const next: Work = { ...step.work, phase: 'missing', sinceMs: this.#parts.clock() };
    await this.#openGap(step, 'attachment-missing', next);
    return { to: 'phase', work: next };
  }

  /** The archive has it: gaps about it end, and the plaintext upstream goes. */
  async #remove(step: Step, signal: AbortSignal): Promise<Outcome> {
    const { lane, work } = step;
    const { clock, rest, options, isWanted } = this.#parts;
    const { native } = work;
    const open = lane.gaps.ofTag(lane.sink.tagOf(native));
    const closing = open.map(({ id, cause, scope }) =>
      this.#gap(lane, { cause, scope, state: 'closed', ref: id, native }),
    );
    if (closing.length > 0) await lane.submit({ captures: closing });
    const waitMs = work.sinceMs + options.deleteMs - clock();
    if (waitMs > 0) return { to: 'wait', ms: waitMs };
    // Files are named by content and shared by messages and accounts: an edit lists its message's files again.
    if (isWanted(work.attachment.id)) return LATER;
    await rest.removeAttachment(work.attachment.id, signal);
    return this.#forget(step);
  }

  async #openGap(
    { lane, work }: Step,
    cause: 'attachment-missing' | 'attachment-mismatch',
    next?: Work,
  ): Promise<void> {
    const { native, target } = work;
    const isOpen = lane.gaps.ofTag(lane.sink.tagOf(native)).length > 0;
    if (isOpen && next === undefined) return;
    const gap = this.#gap(lane, { cause, scope: 'attachment', state: 'open', native, target });
    const session = next === undefined ? [] : [{ name: next.name, value: encodeWork(next) }];
    await lane.submit({ captures: isOpen ? [] : [gap], session });
    if (!isOpen) lane.alarm(cause);
  }

  async #enter({ lane, work }: Step, phase: WorkPhase, captures: readonly GapCapture[] = []): Promise<Outcome> {
    const next: Work = { ...work, phase, sinceMs: this.#parts.clock() };
    await lane.submit({ captures, session: [{ name: next.name, value: encodeWork(next) }] });
    return { to: 'phase', work: next };
  }

  async #forget({ lane, work }: Step): Promise<Outcome> {
    await lane.submit({ session: [{ name: work.name, value: null }] });
    return { to: 'end' };
  }

  #gap(lane: AccountLane, fields: GapFields): GapCapture {
    return gapCapture(lane.account, this.#parts.clock(), fields);
  }

  #isOver(step: Step): boolean {
    return this.#ageMs(step) >= this.#parts.options.giveUpMs;
  }

  #ageMs({ work }: Step): number {
    return this.#parts.clock() - work.sinceMs;
  }
}

export function isOversized(error: unknown): boolean {
  return error instanceof Failure && error.code === 'signal/attachment-oversized';
}
