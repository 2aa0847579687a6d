// SPDX-License-Identifier: AGPL-3.0-or-later
import { parseEntry } from '../record/entry.ts';
import type { RetentionEntry } from '../record/entry-types.ts';
import { headsKey, mediaKey, packKey, segmentKey } from '../record/layout.ts';
import { fromSeconds } from '../record/period.ts';
import type { Segment } from '../record/segment.ts';
import { lockUnder, MARGIN_MS } from './schedule.ts';
import { joined, untilFrom } from './store-lock.ts';
import type { Lock } from './store.ts';

export type SchedulesByClass = ReadonlyMap<string, Pick<RetentionEntry, 'mode' | 'period'>>;

export interface Wanted {
  readonly key: string;
  readonly lock: Lock;
}

/** What a segment and everything it names is to be locked for, under some schedules and from the time it was written. */
export interface Wants {
  /**
   * Everything: the segment first, since it must outlive what it names, and the packs last, so that they tell what was done. Evidence
   * alone if the segment names nothing of these classes.
   */
  readonly all: readonly Wanted[];
  /** Packs that were promised for less. Nothing but their class's schedule ever lengthens them. */
  readonly packs: readonly Wanted[];
}

/** `beside`: time stamps and cosigned checkpoints of the log's size behind this segment. */
export function wantsOf(segment: Segment, schedules: SchedulesByClass, beside: readonly string[] = []): Wants {
  const { origin, first } = segment.head;
  const atMs = fromSeconds(segment.tail.at);
  const packs = new Map<string, Lock>();
  const objects = new Map<string, Lock>();
  const promisedForLess = new Set<string>();
  const evidence = [...beside];
  let longest = 0;
  for (const line of segment.entries) {
    const entry = mayName(line) ? parseEntry(line.toString('latin1')) : null;
    if (entry?.t === 'heads') evidence.push(headsKey(origin, first));
    if (entry === null || !('ret' in entry) || entry.ret === undefined) continue;
    const schedule = schedules.get(entry.ret);
    const lock = schedule === undefined ? null : lockUnder(schedule, atMs);
    if (entry.t === 'pack' || entry.t === 'repack') {
      longest = Math.max(longest, Date.parse(entry.until));
      if (lock !== null) lengthen(packs, packKey(origin, entry.h), lock);
      if (lock !== null && lock.until > entry.until) promisedForLess.add(packKey(origin, entry.h));
    } else if (lock !== null && (entry.t === 'content' || entry.t === 'media')) {
      for (const { h } of entry.obj ?? []) lengthen(objects, mediaKey(h), lock);
    }
  }
  // What vouches for all that came before is kept as long as any of it.
  const lasting = longerThanAll(
    [...schedules.values()].map((schedule) => lockUnder(schedule, atMs)),
    0,
  );
  const vouching = evidence.map((key) => ({ key, lock: lasting }));
  if (packs.size + objects.size === 0) return { all: vouching, packs: [] };
  const own = longerThanAll([...packs.values(), ...objects.values()], longest);
  const all = [{ key: segmentKey(origin, first), lock: own }, ...vouching, ...listed(objects), ...listed(packs)];
  return { all, packs: listed(packs).filter(({ key }) => promisedForLess.has(key)) };
}

function lengthen(wanted: Map<string, Lock>, key: string, lock: Lock): void {
  wanted.set(key, joined(wanted.get(key) ?? null, lock));
}

function listed(wanted: ReadonlyMap<string, Lock>): Wanted[] {
  return [...wanted].map(([key, lock]) => ({ key, lock }));
}

/** `atLeastMs`: what the segment names besides. */
function longerThanAll(locks: readonly Lock[], atLeastMs: number): Lock {
  const untilMs = locks.reduce((most, { until }) => Math.max(most, Date.parse(until)), atLeastMs);
  const isStrict = locks.some(({ mode }) => mode === 'COMPLIANCE');
  return { mode: isStrict ? 'COMPLIANCE' : 'GOVERNANCE', until: untilFrom(untilMs + MARGIN_MS) };
}

/** Most entries are records without objects: those need no parsing. */
function mayName(line: Buffer): boolean {
  return !line.includes('"stream":') || line.includes('"obj":[');
}
