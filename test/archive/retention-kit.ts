// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect } from 'vitest';
import { codeOf, Failure } from '../../src/base/failure.ts';
import { recover } from '../../src/archive/recover.ts';
import { RetentionKeeper, type RetentionProgress } from '../../src/archive/retention.ts';
import type { Schedule } from '../../src/archive/schedule.ts';
import { parseEntry } from '../../src/record/entry.ts';
import { mediaKey, packKey, segmentKey } from '../../src/record/layout.ts';
import { ArchiverKit, CLASS, LOG_KEY, ORIGIN, OTHER_CLASS, SCHEDULES } from '../support/archiver-kit.ts';
import { objectOf } from '../support/batch-sender.ts';
import { checkLog } from '../support/check-log.ts';
import { StrictStore, type StoreFault } from '../support/strict-store.ts';
import { ROOT } from '../vectors/keys.ts';

export const DAY_MS = 86_400_000;
export const LONGER: readonly Schedule[] = SCHEDULES.map((one) =>
  one.class === CLASS ? { ...one, period: 'P10Y' } : one,
);
export const OBJECT = Buffer.from('an object of a longer class');

/** A log of some days, with both classes, an object, and a class that nobody scheduled. Then the schedules become others. */
export async function lengthened(
  schedules: readonly Schedule[] = LONGER,
  days = 12,
  beside: (kit: ArchiverKit) => Promise<void> = async () => undefined,
): Promise<ArchiverKit> {
  const kit = new ArchiverKit();
  const { archiver } = await kit.start();
  const stream = kit.first.open();
  const object = objectOf(OBJECT);
  for (let day = 0; day < days; day += 1) {
    if (day % 3 !== 1) kit.first.messages(stream, 2, CLASS);
    if (day % 4 === 0) kit.first.messages(stream, 1, OTHER_CLASS);
    if (day % 6 === 2) kit.first.messages(stream, 1, 'unheard.of');
    if (day === 5) {
      await kit.first.ask({ kind: 'grant', connector: kit.first.id, stream: stream.stream, objects: [object] });
      kit.bucket.upload(mediaKey(object.sha256), OBJECT);
      kit.first.add(stream, [{ t: 'content', ret: CLASS, obj: [{ h: object.sha256, n: object.size }] }]);
    }
    await kit.first.sendAll();
    await archiver.flush();
    await beside(kit);
    kit.pass(DAY_MS);
    await archiver.readBack();
  }
  await archiver[Symbol.asyncDispose]();
  // The archiver that logs the change is not the one that is watched.
  const changed = await kit.start({ schedules }, new Lazy(kit.bucket));
  kit.first.restart();
  kit.first.messages(stream, 1, CLASS);
  await kit.first.sendAll();
  await changed.archiver[Symbol.asyncDispose]();
  kit.pass(3 * DAY_MS);
  return kit;
}

/** Lengthens nothing, and says so. */
export class Lazy extends StrictStore {
  override async extend(): Promise<void> {
    throw new Failure('store/lock-over-cap', { expected: 'a lazy store', got: 'work' });
  }
}

export interface Ran {
  readonly told: RetentionProgress[];
  readonly outcome: string;
  readonly store: StrictStore;
}

export async function run(
  kit: ArchiverKit,
  store: StrictStore = kit.store(),
  signal = new AbortController().signal,
): Promise<Ran> {
  const { state } = await recover({ store: kit.store(), origin: ORIGIN, root: ROOT.key, logKey: LOG_KEY });
  const told: RetentionProgress[] = [];
  const keeper = new RetentionKeeper({
    place: { store, origin: ORIGIN },
    state,
    pauseMs: 0,
    onProgress: (progress) => told.push(progress),
  });
  const outcome = await keeper.run(signal).then(() => 'done', codeOf);
  return { told, outcome, store };
}

export const untilOf = (kit: ArchiverKit, key: string): string => kit.bucket.winner(key)?.lock?.until ?? '';
export const years = (at: string, count: number): string => `${Number(at.slice(0, 4)) + count}${at.slice(4)}`;

/** Every pack, object and segment is kept as long as the schedules in force say, counted from when it was written. */
export function assertKept(kit: ArchiverKit, periods: Readonly<Record<string, number>>): void {
  for (const { entries, head, tail } of checkLog(kit.bucket).segments) {
    let longest = '';
    for (const entry of entries.map((line) => parseEntry(line.toString('latin1')))) {
      const named =
        entry.t === 'pack'
          ? [packKey(ORIGIN, entry.h)]
          : entry.t === 'content'
            ? (entry.obj ?? []).map(({ h }) => mediaKey(h))
            : [];
      for (const key of named) {
        const period = periods['ret' in entry ? (entry.ret ?? '') : ''];
        if (period !== undefined) expect(untilOf(kit, key) >= years(tail.at, period), key).toBe(true);
        if (untilOf(kit, key) > longest) longest = untilOf(kit, key);
      }
    }
    expect(untilOf(kit, segmentKey(ORIGIN, head.first)) > longest).toBe(true);
  }
}

/** A run whose process ends at this call: it fails for good, and so does what is asked after it. */
export async function runUntil(kit: ArchiverKit, index: number, fault: StoreFault = 'lost'): Promise<Ran> {
  const cut = new AbortController();
  const store = kit.store({
    fault: (called) => {
      if (called.index < index) return undefined;
      cut.abort();
      return fault;
    },
  });
  return run(kit, store, cut.signal);
}
