// SPDX-License-Identifier: Apache-2.0
import type { Findings } from './findings.ts';
import type { KeyBook } from './keys.ts';
import type { EpochUse } from './summary.ts';

interface KnownEpoch {
  /** Used indices as ascending, disjoint `[first, behind last]`; null once forgotten. */
  ranges: [number, number][] | null;
  most: number;
  newestAt: string;
}

/** Epochs last an hour; a spool may be this late before their indices are forgotten. */
const FORGET_AFTER_MS = 8 * 24 * 3_600_000;
const SWEEP_EVERY = 256;

/** Every record key is used once, over all streams and segments of an epoch, and every epoch is for recipients that its records may have. */
export class EpochBook {
  readonly #findings: Findings;
  readonly #keys: KeyBook;
  readonly #epochs = new Map<string, KnownEpoch>();
  #calls = 0;

  constructor(findings: Findings, keys: KeyBook) {
    this.#findings = findings;
    this.#keys = keys;
  }

  /** Takes in one segment's uses. */
  apply(uses: readonly EpochUse[], segmentAt: string): void {
    for (const use of uses) this.#use(use);
    this.#calls += 1;
    if (this.#calls % SWEEP_EVERY === 0) this.#forget(Date.parse(segmentAt) - FORGET_AFTER_MS);
  }

  #use({ id, leaf, recipients, ranges, newestAt }: EpochUse): void {
    let epoch = this.#epochs.get(id);
    if (epoch === undefined) {
      epoch = { ranges: [], most: -1, newestAt };
      this.#epochs.set(id, epoch);
    }
    // Without any manifest that is the finding, not this.
    if (recipients !== null && this.#keys.manifest !== null) this.#judgeRecipients(recipients, newestAt, leaf);
    for (let at = 0; at < ranges.length; at += 3) {
      this.#useRange(epoch, ranges[at] as number, ranges[at + 1] as number, ranges[at + 2] as number);
    }
    if (newestAt > epoch.newestAt) epoch.newestAt = newestAt;
  }

  #judgeRecipients(recipients: readonly string[], newestAt: string, leaf: number): void {
    const untilMs = this.#keys.sealedUntilMs(recipients);
    if (untilMs === -Infinity) {
      const got = recipients.toSorted().join(' ');
      this.#findings.add('verify/epoch-recipients', { leaf }, 'the recipients of a manifest', got);
    } else if (!(Date.parse(newestAt) <= untilMs)) {
      const expected = 'the recipients of the manifest in force, or of an earlier one within a day of its end';
      this.#findings.add('verify/epoch-recipients-retired', { leaf }, expected, `a record of ${newestAt}`);
    }
  }

  #useRange(epoch: KnownEpoch, first: number, count: number, leaf: number): void {
    if (epoch.ranges === null) {
      if (first <= epoch.most)
        this.#findings.add('verify/epoch-late', { leaf }, `an index above ${epoch.most}`, `${first}`);
      epoch.ranges = [];
    }
    const end = first + count;
    const clash = insertRange(epoch.ranges, first, end);
    if (clash !== null) {
      this.#findings.add('verify/epoch-index-reused', { leaf }, 'an index of its own', `index ${clash} again`);
    }
    epoch.most = Math.max(epoch.most, end - 1);
  }

  #forget(beforeMs: number): void {
    for (const epoch of this.#epochs.values()) if (Date.parse(epoch.newestAt) < beforeMs) epoch.ranges = null;
  }
}

/** Adds a range, joining neighbours. Returns a number that was there already, or null. */
export function insertRange(ranges: [number, number][], first: number, end: number): number | null {
  let at = ranges.length;
  while (at > 0 && (ranges[at - 1] as [number, number])[0] > first) at -= 1;
  let clash: number | null = null;
  const joined: [number, number] = [first, end];
  let from = at;
  const before = ranges[at - 1];
  if (before !== undefined && before[1] >= first) {
    if (before[1] > first) clash = first;
    joined[0] = before[0];
    joined[1] = Math.max(joined[1], before[1]);
    from = at - 1;
  }
  let to = at;
  for (let next = ranges[to]; next !== undefined && next[0] <= joined[1]; next = ranges[to]) {
    if (next[0] < end) clash ??= next[0];
    joined[1] = Math.max(joined[1], next[1]);
    to += 1;
  }
  ranges.splice(from, to - from, joined);
  return clash;
}
