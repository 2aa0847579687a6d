// SPDX-License-Identifier: Apache-2.0
import { canonicalize, type Json } from '../record/canonical.ts';
import { parseEntry } from '../record/entry.ts';
import type { LOCK_MODES } from '../record/vocabulary.ts';
import type { PackEntry, RepackEntry, RetentionEntry, StoreEntry } from '../record/entry-types.ts';
import { addPeriod } from '../record/period.ts';
import type { Findings } from './findings.ts';

export type LockMode = (typeof LOCK_MODES)[number];

/** What a lock must at least be. */
export interface NeededLock {
  readonly mode: LockMode;
  readonly untilMs: number;
}

/** A lock's date is the store's clock rounded up, an entry's the same clock rounded down. */
const ROUNDING_MS = 2000;
/** An object's lock dates from its upload, which comes before its record's segment by as long as a batch waits. */
const UPLOAD_MS = 3_600_000;

/** Schedules and kind of store in force, as far as the log has been read. What was promised is only ever lengthened. */
export class RuleBook {
  readonly #findings: Findings;
  readonly #schedules = new Map<string, RetentionEntry>();
  /** The first schedule of each class. */
  readonly #begun = new Map<string, RetentionEntry>();
  #store: StoreEntry | null = null;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  get store(): StoreEntry | null {
    return this.#store;
  }

  /** `retention` and `store` entries in force, as the log holds them. */
  lines(): string[] {
    const entries: object[] = [...this.#schedules.values()];
    if (this.#store !== null) entries.push(this.#store);
    return entries.map((entry) => canonicalize(entry as Json));
  }

  /** Takes over the rules of a heads object; `key` entries are the key book's. False if one of them is none. */
  restore(lines: readonly string[]): boolean {
    for (const line of lines) {
      const entry = parseEntry(line);
      if (entry.t === 'retention') this.#schedules.set(entry.class, entry);
      else if (entry.t === 'store') this.#store = entry;
      else if (entry.t !== 'key') return false;
    }
    return true;
  }

  applyStore(entry: StoreEntry, leaf: number): void {
    const before = this.#store;
    if (before !== null && (before.kind !== entry.kind || (before.locks && !entry.locks))) {
      this.#findings.add('verify/store-changed', { leaf }, describe(before), describe(entry));
    }
    if (entry.kind === 's3' && !entry.locks) {
      this.#findings.add('verify/store-unlocked', { leaf }, 'a bucket with object locks', describe(entry));
    }
    this.#store = entry;
  }

  applyRetention(entry: RetentionEntry, leaf: number): void {
    const before = this.#schedules.get(entry.class);
    const atMs = Date.parse(entry.at);
    if (before !== undefined && lengthFrom(atMs, entry) < lengthFrom(atMs, before)) {
      this.#findings.add('verify/retention-shortened', { leaf }, shown(before), shown(entry));
    }
    if (before?.mode === 'COMPLIANCE' && entry.mode === 'GOVERNANCE') {
      this.#findings.add('verify/retention-weakened', { leaf }, before.mode, entry.mode);
    }
    this.#schedules.set(entry.class, entry);
    if (!this.#begun.has(entry.class)) this.#begun.set(entry.class, entry);
  }

  /** With what each class begins in this log. */
  begun(): readonly RetentionEntry[] {
    return [...this.#begun.values()];
  }

  /** Holds a pack's date against the schedule of its class, from its segment's time on. Returns the lock it must have. */
  judgePack(entry: PackEntry | RepackEntry, leaf: number, at: string): NeededLock {
    const { ret, until } = entry;
    const schedule = this.#schedules.get(ret);
    const untilMs = Date.parse(until);
    if (schedule === undefined) {
      this.#findings.add(
        'verify/pack-provisional',
        { leaf },
        `a schedule for class ${ret}`,
        `none; kept until ${until}`,
      );
      return { mode: 'COMPLIANCE', untilMs };
    }
    const atMs = Date.parse(at);
    // A repack keeps what an earlier pack promised; its own time says nothing about how long that was.
    if (entry.t === 'pack' && untilMs < lengthFrom(atMs, schedule)) {
      this.#findings.add('verify/pack-short', { leaf }, `${shown(schedule)} from ${at}`, `until ${until}`);
    }
    if (untilMs > addPeriod(atMs, schedule.max) + ROUNDING_MS) {
      this.#findings.add('verify/pack-over-max', { leaf }, `at most ${schedule.max} from ${at}`, `until ${until}`);
    }
    return { mode: schedule.mode, untilMs };
  }

  /** The lock of an object that a record names; no entry states its date, so it follows from the schedule. */
  neededForObject(ret: string, recordAt: string, segmentAt: string): NeededLock {
    const schedule = this.#schedules.get(ret);
    const fromMs = Math.min(Date.parse(recordAt), Date.parse(segmentAt) - UPLOAD_MS);
    if (schedule === undefined) return { mode: 'COMPLIANCE', untilMs: fromMs };
    return { mode: schedule.mode, untilMs: lengthFrom(fromMs, schedule) };
  }

  /** The lock of what vouches for everything before it: as the longest schedule says, strict where any is. */
  neededForEvidence(at: string): NeededLock {
    const schedules = [...this.#schedules.values()];
    const atMs = Date.parse(at);
    return {
      mode: schedules.some(({ mode }) => mode === 'COMPLIANCE') ? 'COMPLIANCE' : 'GOVERNANCE',
      untilMs: Math.max(atMs, ...schedules.map((schedule) => lengthFrom(atMs, schedule))),
    };
  }

  /** The lock of a segment: no weaker and no shorter than what it names; of one that names nothing, the shortest schedule. */
  neededForLog(named: readonly NeededLock[], at: string): NeededLock {
    const atMs = Date.parse(at);
    const schedules = [...this.#schedules.values()];
    if (named.length === 0) {
      const lengths = schedules.map((schedule) => lengthFrom(atMs, schedule));
      const isStrict = schedules.length > 0 && schedules.every(({ mode }) => mode === 'COMPLIANCE');
      return {
        mode: isStrict ? 'COMPLIANCE' : 'GOVERNANCE',
        untilMs: lengths.length > 0 ? Math.min(...lengths) : atMs,
      };
    }
    const isStrict = named.some(({ mode }) => mode === 'COMPLIANCE');
    return { mode: isStrict ? 'COMPLIANCE' : 'GOVERNANCE', untilMs: Math.max(...named.map(({ untilMs }) => untilMs)) };
  }
}

/** When something of this schedule, stored at `fromMs`, may end. The cap counts, so lowering it shortens. */
function lengthFrom(fromMs: number, { period, max }: RetentionEntry): number {
  return Math.min(addPeriod(fromMs, period), addPeriod(fromMs, max));
}

function shown({ mode, period, max }: RetentionEntry): string {
  return `${mode} for ${period}, at most ${max}`;
}

function describe({ kind, locks }: StoreEntry): string {
  return `${kind} ${locks ? 'with' : 'without'} locks`;
}
