// SPDX-License-Identifier: AGPL-3.0-or-later

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type CephServer, startCeph } from '../services/ceph.ts';
import { Guard } from '../services/guard.ts';
import { ensurePackages } from '../services/packages.ts';
import { type RedisServer, startRedis } from '../services/redis.ts';
import { REDIS_VARIABLE, S3_VARIABLE, type S3Access } from '../services/shared.ts';
import { type CheckResult, PROJECT_DIR, Progress, ended, runCheck, toolEnvironment } from './steps.ts';
import { type Report, Tally } from './tally.ts';

/** A run takes a quarter of an hour at most; on a machine that is shared by many it may take longer, and is not failed for that. */
const LIMIT_MINUTES = 60;
const FAULTS_LIMIT_MINUTES = 240;
/** Time for guards to end what they watch. */
const END_TIMEOUT_MS = 10_000;

const [first, ...others] = process.argv.slice(2);
const isFaults = first === 'faults';
const vitestArgs = isFaults ? ['--mode', 'faults', ...others] : process.argv.slice(2);

/**
 * The test command: packages, services, checks and all tests. Each check counts as one test; what is skipped, hangs or cannot be
 * loaded counts as failed. The last line is the count.
 */
class TestRun {
  readonly #progress = new Progress();
  readonly #tally = new Tally();
  readonly #failedSteps: string[] = [];
  #passedChecks = 0;
  #isFinishing = false;
  /** Its directory is the temporary directory of the tests, so that nothing they forget stays. */
  readonly #guard = new Guard('test');
  #redis: RedisServer | undefined;
  #ceph: CephServer | undefined;

  async run(): Promise<void> {
    this.#stopWhenAsked();
    try {
      await this.#progress.step(
        'packages',
        () => ensurePackages((line) => console.log(`packages: ${line}`)),
        () => 'present',
      );
    } catch (error) {
      this.#fail('packages', error);
      return await this.#finish();
    }
    await Promise.all([this.#startServices(), isFaults ? undefined : this.#runChecks()]);
    if (this.#redis !== undefined && this.#ceph !== undefined) await this.#runTests(this.#redis, this.#ceph);
    else this.#failedSteps.push('tests (not run, because a service did not start)');
    await this.#finish();
  }

  async #startServices(): Promise<void> {
    await Promise.all([
      this.#progress
        .step('redis', startRedis, ({ url }) => url)
        .then((redis) => (this.#redis = redis))
        .catch((error: unknown) => this.#fail('redis', error)),
      this.#progress
        .step('ceph', startCeph, ({ endpoint }) => endpoint)
        .then((ceph) => (this.#ceph = ceph))
        .catch((error: unknown) => this.#fail('ceph', error)),
    ]);
  }

  async #runChecks(): Promise<void> {
    await this.#check('types', 'tsc', []);
    await this.#check('lint', 'oxlint', ['--type-aware', '--deny-warnings']);
    await this.#check('format', 'oxfmt', ['--check']);
  }

  async #check(name: string, command: string, args: readonly string[]): Promise<void> {
    const describe = ({ isOk, output }: CheckResult): string => (isOk ? 'passed' : `failed\n${output.trimEnd()}`);
    const { isOk } = await this.#progress.step(name, () => runCheck(this.#guard, command, args), describe);
    if (isOk) this.#passedChecks += 1;
    else this.#failedSteps.push(`${name}: ${[command, ...args].join(' ')}`);
  }

  async #runTests(redis: RedisServer, ceph: CephServer): Promise<void> {
    const { endpoint, region, accessKeyId, secretAccessKey, dir } = ceph;
    const access: S3Access = { endpoint, region, accessKeyId, secretAccessKey, dir };
    const reporter = join(PROJECT_DIR, 'test', 'run', 'reporter.ts');
    const vitest = join(PROJECT_DIR, 'node_modules', 'vitest', 'vitest.mjs');
    const options = ['--reporter=default', `--reporter=${reporter}`, '--allowOnly=false', '--passWithNoTests=false'];
    const act = async (): Promise<number> => {
      const child = spawn(process.execPath, [vitest, 'run', ...options, ...vitestArgs], {
        cwd: PROJECT_DIR,
        env: {
          ...toolEnvironment(),
          NODE_ENV: 'test',
          TMPDIR: this.#guard.dir,
          [REDIS_VARIABLE]: redis.url,
          [S3_VARIABLE]: JSON.stringify(access),
        },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        detached: true,
      });
      this.#guard.watch(child, { group: true });
      child.on('message', (report) => this.#tally.add(report as Report));
      // The last reports may come after the end of the process that sent them.
      const [exitCode] = await Promise.all([ended(child), once(child, 'disconnect')]);
      return exitCode;
    };
    const code = await this.#progress.step('tests', act, () => (this.#tally.isComplete ? 'done' : 'ended early'));
    const isUnexplained = code !== 0 || !this.#tally.isComplete;
    if (isUnexplained && this.#tally.failures.length === 0) this.#failedSteps.push(`tests: vitest ended with ${code}`);
  }

  #fail(step: string, error: unknown): void {
    this.#failedSteps.push(step);
    console.error(`${step}: ${error instanceof Error ? error.message : String(error)}`);
  }

  /** At the time limit, on a signal, and when npm, which started this, is gone without one. */
  #stopWhenAsked(): void {
    const usual = isFaults ? FAULTS_LIMIT_MINUTES : LIMIT_MINUTES;
    const limitMinutes = Number(process.env['HOLDFAST_TEST_LIMIT_MINUTES'] ?? usual);
    const stop = (why: string): void => {
      if (this.#isFinishing) return;
      console.error(`\nstopped: ${why}`);
      for (const step of this.#progress.running) console.error(`  was at: ${step}`);
      this.#failedSteps.push(`the run was stopped: ${why}`);
      void this.#finish();
    };
    setTimeout(() => stop(`the run took more than its ${limitMinutes} minutes`), limitMinutes * 60_000).unref();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop(signal));
    const parent = process.ppid;
    if (process.env['npm_lifecycle_event'] === undefined) return;
    setInterval(() => process.ppid !== parent && stop('npm is gone'), 1000).unref();
  }

  /** Counts first: what ends below because it is killed is not a failure of its own. */
  async #finish(): Promise<void> {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    const failures = this.#tally.failures;
    const lines = [
      ...this.#failedSteps.map((step) => `failed: ${step}`),
      ...failures.map(({ what, why }) => `${why}: ${what}`),
    ];
    const passed = this.#passedChecks + this.#tally.passed;
    const failed = this.#failedSteps.length + failures.length;
    const ends = [this.#guard, this.#redis, this.#ceph].map(async (service) => service?.[Symbol.asyncDispose]());
    const tooLate = new Promise((resolve) => setTimeout(resolve, END_TIMEOUT_MS).unref());
    await Promise.race([Promise.all(ends), tooLate]);

    if (lines.length > 0) console.log(`\n${lines.join('\n')}`);
    const checks = isFaults ? '' : ' (types, lint and format count as one test each)';
    console.log(`\n${this.#progress.total} in all${checks}`);
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed === 0 ? 0 : 1);
  }
}

await new TestRun().run();
