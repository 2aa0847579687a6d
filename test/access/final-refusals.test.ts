// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { FinalRefusals } from '../../src/access/final-refusals.ts';
import { encodeEntry } from '../../src/record/entry.ts';
import type { ScrubEntry } from '../../src/record/entry-types.ts';
import { approveEntry } from '../../src/record/hold.ts';
import { toSeconds } from '../../src/record/period.ts';
import { ORIGIN, signingPair } from '../vectors/keys.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.parse('2026-11-23T08:00:00Z');
const AUDITOR = signingPair('auditor');

function waiting({ atMs = NOW_MS, log = ORIGIN }: { atMs?: number; log?: string } = {}): { readonly line: string } {
  const at = toSeconds(atMs);
  const read = { from: at, size: 9, objects: 1, bytes: 1, findings: 0 };
  const entry: ScrubEntry = { v: 1, t: 'scrub', at, log, by: [], ...read };
  return { line: encodeEntry(approveEntry(entry, AUDITOR.privateKey)) };
}

describe('what waits for the log', () => {
  it('is sent as long as the archiver may take it', () => {
    const told: string[] = [];
    let nowMs = NOW_MS;
    const refusals = new FinalRefusals({ origin: ORIGIN, clock: () => nowMs, onRefused: (code) => told.push(code) });
    const one = waiting();
    expect(refusals.without([one])).toEqual([one]);
    nowMs += 7 * DAY_MS;
    expect([refusals.without([one]), told]).toEqual([[one], []]);
    nowMs += 1000;
    expect([refusals.without([one]), told]).toEqual([[], ['archive/stale-approval']]);
  });

  it('is told of once where it is for another log, too old or no entry, and the rest goes on', () => {
    const told: string[] = [];
    const refusals = new FinalRefusals({ origin: ORIGIN, clock: () => NOW_MS, onRefused: (code) => told.push(code) });
    const good = waiting();
    const others = [waiting({ log: 'archive.example/other' }), waiting({ atMs: NOW_MS - 8 * DAY_MS }), { line: '{' }];
    for (let time = 0; time < 3; time += 1) expect(refusals.without([...others, good])).toEqual([good]);
    expect(told).toEqual(['archive/other-log', 'archive/stale-approval', 'archive/bad-approval']);
  });
});
