// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { EntryBox } from '../access/entry-box.ts';
import { FinalRefusals } from '../access/final-refusals.ts';
import { need, type Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import { codeOf } from '../base/failure.ts';
import { readSigningKey } from '../base/secrets.ts';
import { BullmqUplink } from '../queue/bullmq-uplink.ts';
import { encodeJob, jobId, type ApprovedJob } from '../queue/job.ts';
import { encodeEntry } from '../record/entry.ts';
import type { ScrubEntry } from '../record/entry-types.ts';
import { approveEntry } from '../record/hold.ts';
import { signingKeyOf } from '../record/key.ts';
import { toSeconds } from '../record/period.ts';
import { Pace } from '../scrub/pace.ts';
import { RoundFile, type RoundFinding, type RoundState } from '../scrub/round-file.ts';
import { scrub } from '../scrub/scrub.ts';
import { openReader } from './readers.ts';
import { linkOptions } from './redis.ts';
import { assertNamed, readOwnTrust, readTrusted } from './trusted.ts';

export interface ScrubResult {
  readonly state: RoundState;
  /** False: not all was read; the next start goes on. */
  readonly complete: boolean;
  readonly findings: readonly RoundFinding[];
  /** True if the result is on its way to the log. */
  readonly signed: boolean;
  /** 0: all read, nothing found. 1: findings. 2: not all could be read or judged. */
  readonly exitCode: 0 | 1 | 2;
}

export interface ScrubTold {
  readonly onProgress: (state: RoundState, pace: Pace) => void;
  readonly onFinding: (finding: RoundFinding) => void;
}

const PROGRESS_EVERY_MS = 60_000;
const DAY_MS = 86_400_000;

/** Brings the round under way to its end, or begins one and brings that to its end. */
export async function scrubOnce(config: Config, events: Events, told: ScrubTold): Promise<ScrubResult> {
  const settings = need(config.scrub, 'scrub', 'scrubbing');
  const trust = readOwnTrust(config);
  const key = signingOf(config);
  const now = (): string => toSeconds(Date.now());
  const box = new EntryBox(settings.state);
  const onRefused = (code: string): void => events.trouble('scrub', code);
  const refusals = new FinalRefusals({ origin: config.origin, clock: Date.now, onRefused });
  const waiting = (): string[] => refusals.without(box.waiting().map((line) => ({ line }))).map(({ line }) => line);
  using round = RoundFile.open(settings.state, `${config.origin} ${config.archive.url}`, now);
  if (key !== null) await send(config, events, waiting(), key);
  await using opened = await openReader(config.archive.url, config.archive.s3 ?? null);
  const pace = new Pace(settings, { now: () => performance.now(), sleep: (ms) => sleep(ms) });
  const tell = progressTeller(events, settings.within);
  const complete = await scrub({
    reader: opened.reader,
    trust,
    round,
    pace,
    now,
    onFinding: (finding) => {
      if (finding.severity === 'finding') events.scrubFinding(finding.code);
      else events.trouble('scrub', finding.code);
      told.onFinding(finding);
    },
    onLog: (report) => box.sweep(() => report.scrubs),
    onProgress: (state) => {
      tell(state);
      told.onProgress(state, pace);
    },
    onEnd: (state) => {
      if (key !== null) box.put(resultLine(config.origin, state, key));
    },
  });
  const { state } = round;
  const findings = round.findings();
  if (complete) events.scrubbed(state.objects, state.bytes, state.findings);
  const signed = complete && key !== null;
  if (complete && key !== null) await send(config, events, waiting(), key);
  const isJudged = complete && findings.every(({ severity }) => severity === 'finding');
  return { state, complete, findings, signed, exitCode: state.findings > 0 ? 1 : isJudged ? 0 : 2 };
}

function signingOf(config: Config): KeyObject | null {
  const path = config.scrub?.signing;
  if (path === undefined) return null;
  const key = readSigningKey(path);
  assertNamed(readTrusted(config).manifest, 'auditor', key, path);
  return key;
}

function resultLine(origin: string, state: RoundState, key: KeyObject): string {
  const { from, size, objects, bytes, findings, finishedAt } = state;
  const at = finishedAt ?? from;
  const entry: ScrubEntry = { v: 1, t: 'scrub', at, log: origin, by: [], from, size, objects, bytes, findings };
  return encodeEntry(approveEntry(entry, key));
}

/** What waits for the log goes by Redis where there is one; else `holdfast up` or `read` with the same config carries it. */
async function send(config: Config, events: Events, waiting: readonly string[], key: KeyObject): Promise<void> {
  if (config.redis === undefined || waiting.length === 0) return;
  const fatal = (error: unknown): void => events.trouble('scrub', codeOf(error));
  const connector = signingKeyOf(key).id;
  await using uplink = new BullmqUplink({ ...linkOptions(config, 'scrubbing', events, { fatal }), connector });
  for (const line of waiting) {
    const job: ApprovedJob = { kind: 'approved', line, document: '' };
    // It stays in the box until the log has it: the next start sends it again.
    await uplink.send(jobId(job), encodeJob(job)).catch(fatal);
  }
}

/** Once a minute, and when the round will take longer than it should. */
function progressTeller(events: Events, withinMs: number): (state: RoundState) => void {
  const began = { atMs: performance.now(), bytes: -1 };
  let toldMs = -Infinity;
  return ({ objects, readObjects, bytes, readBytes, from }) => {
    const nowMs = performance.now();
    if (began.bytes < 0) Object.assign(began, { atMs: nowMs, bytes: readBytes });
    if (nowMs - toldMs < PROGRESS_EVERY_MS) return;
    toldMs = nowMs;
    const rate = (readBytes - began.bytes) / Math.max(1, nowMs - began.atMs);
    const leftMs = rate > 0 ? (bytes - readBytes) / rate : 0;
    events.scrubProgress(readObjects, objects, Math.round(leftMs / 1000));
    const lateMs = Date.now() + leftMs - Date.parse(from) - withinMs;
    if (lateMs > 0) events.scrubLate(Math.ceil(lateMs / DAY_MS));
  };
}
