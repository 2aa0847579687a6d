// SPDX-License-Identifier: AGPL-3.0-or-later
import type { SessionChange } from '../../connector.ts';
import type { AccountLane } from '../lane.ts';
import type { FollowUp } from '../meaning.ts';
import type { StanzaNode, Understood } from '../normalise/input.ts';
import { readAnswer, reuploadAnswerIn } from './reupload.ts';
import { MediaSteps, type MediaStepParts } from './steps.ts';
import { WorkQueue, type QueueOptions } from './work-queue.ts';
import { decodeWork, encodeWork, workName, worksOf, type MediaWork } from './work.ts';

export interface MediaQueueParts extends Omit<MediaStepParts, 'onAsked'> {
  readonly queue: QueueOptions;
  readonly clock: () => number;
  readonly onLate: (account: string, holds: boolean) => void;
  readonly onTrouble: (error: unknown) => void;
  readonly onFatal: (error: unknown) => void;
}

/**
 * Brings the files of captured messages into the archive: fetched from the media host, checked, sealed; asked for again where they are
 * not there; lost, with a gap and an alarm, where nobody has them any more. Every file's state is in the spool.
 */
export class MediaQueue implements FollowUp {
  readonly #queue: WorkQueue<MediaWork>;
  /** Works that the phone was asked about, by account and message id: an answer names no more. */
  readonly #ofMessage = new Map<string, Set<string>>();

  constructor(parts: MediaQueueParts) {
    const { clock, onLate, onTrouble, onFatal, queue: options } = parts;
    this.#queue = new WorkQueue({
      steps: new MediaSteps({ ...parts, onAsked: (lane, work) => this.#asked(lane, work) }),
      options,
      load: (lane, name) => decodeWork(lane.sink.session(name)),
      clock,
      onLate,
      onTrouble,
      onFatal,
    });
  }

  /** Goes on with what an earlier run of the account left. */
  resume(lane: AccountLane): void {
    for (const name of lane.sink.sessionNames('media/')) {
      const work = decodeWork(lane.sink.session(name));
      if (work !== null) this.#add(lane, work);
    }
  }

  plan(lane: AccountLane, found: Understood): readonly SessionChange[] {
    const works = [...this.#fresh(lane, found), ...this.#answered(lane, found)];
    return works.map((work) => ({ name: work.name, value: encodeWork(work) }));
  }

  begin(lane: AccountLane, found: Understood): void {
    for (const { native } of found.media) {
      const work = decodeWork(lane.sink.session(workName(lane.sink.tagOf(native))));
      if (work !== null) this.#add(lane, work);
    }
    const answer = this.#answerIn(found);
    if (answer !== null) this.#goOn(lane, answer);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#queue.run(signal);
  }

  #add(lane: AccountLane, work: MediaWork): void {
    this.#queue.add(lane, work);
    if (work.phase === 'asked') this.#asked(lane, work);
  }

  #asked(lane: AccountLane, { name, reupload }: MediaWork): void {
    const key = messageKey(lane, reupload?.id ?? '');
    this.#ofMessage.set(key, (this.#ofMessage.get(key) ?? new Set()).add(name));
  }

  /** A copy of a message lists files that are archived already, or on their way. */
  #fresh(lane: AccountLane, found: Understood): MediaWork[] {
    const works = worksOf(found, (native) => lane.sink.tagOf(native), lane.nowMs);
    return works.filter(({ name, native }) => !lane.sink.has(native) && lane.sink.session(name) === null);
  }

  /** Only what is not a message may be an answer, and only if something was asked: most captures are messages. */
  #answerIn(found: Understood): StanzaNode | null {
    return found.ref === null && this.#ofMessage.size > 0 ? reuploadAnswerIn(found) : null;
  }

  /** Files of which the answer tells something: durable with it, so that a crash does not make the phone be asked again. */
  #answered(lane: AccountLane, found: Understood): MediaWork[] {
    const answer = this.#answerIn(found);
    if (answer === null) return [];
    return [...(this.#ofMessage.get(messageKey(lane, answer.attrs['id'] ?? '')) ?? [])].flatMap((name) => {
      const work = decodeWork(lane.sink.session(name));
      return (work?.phase === 'asked' ? afterAnswer(work, answer) : null) ?? [];
    });
  }

  /** The answer is durable: the files it told of are fetched now. One that is being asked for goes on from there, not from before. */
  #goOn(lane: AccountLane, answer: StanzaNode): void {
    const key = messageKey(lane, answer.attrs['id'] ?? '');
    const names = this.#ofMessage.get(key) ?? new Set<string>();
    for (const name of names) {
      const work = decodeWork(lane.sink.session(name));
      // The step that asked may have stored that it did after the answer was.
      const next = work?.phase === 'asked' ? afterAnswer(work, answer) : work;
      if (next !== null) this.#queue.replace(lane, next);
      if (next !== null || work === null) names.delete(name);
    }
    if (names.size === 0) this.#ofMessage.delete(key);
  }
}

/** Null if the answer says nothing about this file, or nothing that helps. */
function afterAnswer(work: MediaWork, answer: StanzaNode): MediaWork | null {
  const read = work.reupload === null ? null : readAnswer(answer, work.reupload, Buffer.from(work.key, 'base64'));
  if (read === null || read.answer === 'again') return null;
  if (read.answer === 'not-found') return { ...work, reupload: null, phase: 'pending' };
  return { ...work, phase: 'pending', path: read.path, uploads: work.uploads + 1 };
}

function messageKey(lane: AccountLane, id: string): string {
  return `${lane.account}\n${id}`;
}
