// SPDX-License-Identifier: AGPL-3.0-or-later
import { sha256Hex } from '../record/hash.ts';
import { timeStampKey, timeStampPrefix } from '../record/layout.ts';
import { encodeTimeStamp, parseTimeStamp } from '../record/time-stamp.ts';
import { askTimeStamp, type TimeAuthority } from '../timestamp/ask.ts';
import { timeStampJudge } from '../timestamp/judge.ts';
import type { ArchivedLog } from './archiver.ts';
import type { Round, SignedLog } from './rounds.ts';

export interface TimeRoundParts {
  readonly log: ArchivedLog;
  readonly authority: TimeAuthority;
  readonly everyMs: number;
  readonly clock: () => number;
}

/** How many of the newest kept stamps a start looks at. */
const LAST_KEPT = 8;

/**
 * Has the log's checkpoint stamped by an RFC 3161 authority, in its rhythm and not more often across restarts. What is kept was checked
 * first and holds all that checking takes later: token, chain, revocation lists. A stamp says that the log was as it is before that time.
 *
 * Crash behaviour: a token that was given and not stored is asked for again; nothing depends on it.
 */
export class TimeRound implements Round {
  readonly name = 'time-stamp';
  readonly atStop = false;
  readonly everyMs: number;
  readonly #parts: TimeRoundParts;
  #isFresh: boolean | null = null;

  constructor(parts: TimeRoundParts) {
    this.#parts = parts;
    this.everyMs = parts.everyMs;
  }

  async run(log: SignedLog, signal: AbortSignal): Promise<void> {
    this.#isFresh ??= await this.#hasRecent();
    const isFresh = this.#isFresh;
    this.#isFresh = false;
    if (isFresh) return;
    const { store, origin, schedules } = this.#parts.log;
    const { stamp } = await askTimeStamp(this.#parts.authority, log.checkpoint, signal);
    const bytes = Buffer.from(encodeTimeStamp(stamp));
    const lock = schedules.lockForEvidence(await store.serverTimeMs());
    await store.create(timeStampKey(origin, log.size, sha256Hex(bytes)), bytes, lock);
  }

  /** Whether this authority stamped the log within its rhythm already, before this start. */
  async #hasRecent(): Promise<boolean> {
    const { log, authority, everyMs, clock } = this.#parts;
    const keys: string[] = [];
    for await (const { key, deleteMarker } of log.store.listVersions(timeStampPrefix(log.origin))) {
      if (!deleteMarker && key !== keys.at(-1)) keys.push(key);
    }
    for (const key of keys.slice(-LAST_KEPT)) {
      const found = await log.store.read(key);
      const verdict = found === null ? null : await judgeKept(found.bytes, authority);
      if (verdict?.ok === true && clock() - verdict.atMs < everyMs) return true;
    }
    return false;
  }
}

async function judgeKept(
  bytes: Uint8Array,
  { certificates }: TimeAuthority,
): ReturnType<ReturnType<typeof timeStampJudge>> {
  try {
    return await timeStampJudge(certificates)(parseTimeStamp(Buffer.from(bytes).toString('utf8')));
  } catch {
    return { ok: false, check: 'form', expected: 'a time stamp', got: 'other bytes' };
  }
}
