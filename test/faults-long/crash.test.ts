// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { CrashRun } from '../support/e2e-crash.ts';

const FIRST_SEED = Number(process.env['HOLDFAST_TEST_SEED'] ?? 1);
const RUNS = 10;
const ROUNDS = 50;
const CHECKED_EVERY = 10;

describe(`${RUNS * ROUNDS} rounds of crashes and outages under load`, () => {
  it.each(Array.from({ length: RUNS }, (_, at) => FIRST_SEED + at))(
    'lose nothing, archive nothing twice, and verify with 0: seed %i',
    async (seed) => {
      await using run = await CrashRun.begin(seed);
      const { load, deployment } = run;
      for (const [at, happening] of run.order(ROUNDS).entries()) {
        load.start();
        await run.round(happening);
        if ((at + 1) % CHECKED_EVERY > 0) continue;
        const faults = await run.faults(await run.drain());
        expect(Object.entries(faults).filter(([, found]) => found.length > 0)).toEqual([]);
      }
      await deployment.stop();
      const { code, stdout } = await deployment.verify();
      expect([code, stdout.split('\n')[0]]).toEqual([0, 'verified']);
      const ends = `connector ${deployment.connector.ends.length}, archiver ${deployment.archiver.ends.length}`;
      console.log(
        `seed ${seed}: ${run.rounds} rounds, ${load.sent} messages at ${load.perSecond}/s, lost 0; ended: ${ends}`,
      );
    },
    60 * 60_000,
  );
});
