// SPDX-License-Identifier: AGPL-3.0-or-later

// Verifies at once and then every day: first the program, then its words. For compose, which knows no time of day: a host has
// ../systemd/holdfast-verify.timer, Kubernetes its CronJob. What was found is in the log; whether all was well is the exit code of
// `--healthy`, which the health check asks.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const DAY_MS = 86_400_000;
const VERDICT = join(tmpdir(), 'verdict');

/** The exit code of the newest verification; none before the first has ended. */
function verdict(): string {
  try {
    return readFileSync(VERDICT, 'utf8');
  } catch {
    return 'none yet';
  }
}

async function verify(program: string, words: readonly string[], stop: AbortSignal): Promise<void> {
  const child = spawn(process.execPath, ['--disable-sigusr1', '--max-semi-space-size=2', program, 'verify', ...words], {
    stdio: 'inherit',
    signal: stop,
  });
  child.on('error', () => undefined);
  const [code] = (await once(child, 'exit')) as [number | null];
  // Only a whole run says something: one that was stopped is no finding.
  if (!stop.aborted) writeFileSync(VERDICT, String(code));
}

async function main(words: readonly string[]): Promise<void> {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
  rmSync(VERDICT, { force: true });
  const [program = '', ...rest] = words;
  while (!stop.signal.aborted) {
    await verify(program, rest, stop.signal);
    await sleep(DAY_MS, undefined, { signal: stop.signal }).catch(() => undefined);
  }
}

const words = process.argv.slice(2);
if (words[0] === '--healthy') process.exitCode = verdict() === '0' ? 0 : 1;
else await main(words);
