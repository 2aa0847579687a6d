// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArchiveView } from '../support/e2e-archive.ts';
import { CrashRun, HAPPENINGS } from '../support/e2e-crash.ts';

const SEED = Number(process.env['HOLDFAST_TEST_SEED'] ?? 20_261_122);
const ROUNDS = HAPPENINGS.length;

let run: CrashRun;
let view: ArchiveView;

beforeAll(async () => {
  run = await CrashRun.begin(SEED);
}, 120_000);

afterAll(async () => {
  await run?.[Symbol.asyncDispose]();
});

describe(`${ROUNDS} rounds of crashes and outages under load`, () => {
  it('end with everything drained and nobody stuck', async () => {
    const order = run.order(ROUNDS);
    console.log(`seed ${SEED}: ${order.join(', ')}`);
    run.load.start();
    for (const happening of order) await run.round(happening);
    view = await run.drain();
    const { load, deployment } = run;
    const { connector, archiver } = deployment;
    console.log(
      `${run.rounds} rounds, ${load.sent} messages at ${load.perSecond}/s, ${load.duplicates} sent twice, ${run.s3Faults} faults of S3, ${run.wipes} wipes; ended: connector ${connector.ends.length}, archiver ${archiver.ends.join(' ')}`,
    );
    expect(deployment.status()).toMatchObject({ waiting: 0, spool: 'normal' });
    // Of an unknown outcome it ends by itself, with a code that says so.
    expect(archiver.ends).toContain(1);
  }, 300_000);

  it('lose no message and no file, and archive each exactly once', async () => {
    const faults = await run.faults(view);
    expect(Object.fromEntries(Object.entries(faults).map(([name, found]) => [name, found.slice(0, 3)]))).toEqual({
      lost: [],
      unknown: [],
      twice: [],
      notHandedOver: [],
      files: [],
      doubts: [],
      refused: [],
      connectorEnded: [],
    });
    expect(view.native().length).toBe(run.load.sent);
  });

  it('leave an archive that verifies with 0, what a crash left being notes', async () => {
    await run.deployment.stop();
    const { code, stdout } = await run.deployment.verify('--json');
    const report = JSON.parse(stdout) as {
      verdict: string;
      findings: unknown[];
      notes: { code: string; count: number }[];
    };
    console.log(`notes: ${report.notes.map((note) => `${note.code} ×${note.count}`).join(', ')}`);
    expect([code, report.verdict, report.findings]).toEqual([0, 'verified', []]);
  });
});
