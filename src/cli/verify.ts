// SPDX-License-Identifier: AGPL-3.0-or-later
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { assertSafeEnvironment } from '../base/environment.ts';
import { codeOf, Failure } from '../base/failure.ts';
import type { S3Settings } from '../main/stores.ts';
import { keepState, readState } from '../main/auditor-state.ts';
import { readTrust } from '../main/trusted.ts';
import { VERSION } from '../main/version.ts';
import { renderHtml } from '../verify/render-html.ts';
import { parsePolicy } from '../record/policy.ts';
import { renderJson, renderText } from '../verify/render.ts';
import type { Report } from '../verify/report.ts';
import { verifyArchive } from '../verify/verify.ts';
import { bold, green, red, yellow } from './output.ts';
import { ProgressLine } from './progress.ts';
import { judgeUnder } from './tsa-judge.ts';
import { readNamed } from './read-named.ts';

interface VerifyCliOptions {
  readonly trust: string;
  readonly since?: string;
  readonly state?: string;
  readonly policy?: string;
  readonly tsaCa?: string;
  readonly predecessors?: string;
  readonly alone: boolean;
  readonly payloads: boolean;
  readonly integrityOnly: boolean;
  readonly workers?: number;
  readonly json: boolean;
  readonly report?: string;
  readonly credentials?: string;
  readonly endpoint?: string;
  readonly region: string;
  readonly pathStyle: boolean;
  readonly ca?: string;
}

const PAINT = { verified: green, integrity: yellow, findings: red, unchecked: yellow } as const;

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description('Check an archive with public keys alone. Exit code 0: verified, 1: findings, 2: could not check')
    .argument('<url>', 'a directory, as a path or file:///…, or s3://bucket/prefix')
    .requiredOption('--trust <file>', 'trust.json, got by a way of its own')
    .option(
      '--since <checkpoint>',
      'file with a signed checkpoint from an earlier visit: the log must have grown from it',
    )
    .option(
      '--state <file>',
      'keeps the checkpoint of this visit for the next one, which proves that the log only grew',
    )
    .option('--policy <file>', 'C2SP policy: which witnesses must have cosigned the log')
    .option('--tsa-ca <file>', 'PEM: roots of the time-stamping authorities that you trust')
    .option('--predecessors <url>', 'where the logs before this one are, if not in the same place')
    .option('--alone', 'leave out the logs that this one goes on from', false)
    .option('--no-payloads', 'do not read packs and objects: existence and size only')
    .option('--integrity-only', 'a copy that shows neither locks nor versions is good enough for exit code 0', false)
    .option('--workers <n>', 'threads; default: one per core', workersOf)
    .option('--json', 'the report as JSON', false)
    .option('--report <file>', 'the report also as one HTML page, to file or to print')
    .option('--credentials <file>', 's3: file with access key id and secret access key on two lines')
    .option('--endpoint <url>', 's3: server other than AWS')
    .option('--region <name>', 's3: region', 'us-east-1')
    .option('--path-style', 's3: bucket in the path, for most servers other than AWS', false)
    .option('--ca <file>', 's3: authorities to trust instead of the system’s')
    .action(async (url: string, options: VerifyCliOptions) => {
      assertSafeEnvironment();
      await runVerify(url, options);
    });
}

const MOST_WORKERS = 256;

function workersOf(text: string): number {
  const workers = /^\d{1,3}$/.test(text) ? Number(text) : -1;
  if (workers >= 0 && workers <= MOST_WORKERS) return workers;
  throw new InvalidArgumentError(`expected 0 to ${MOST_WORKERS}`);
}

async function runVerify(url: string, options: VerifyCliOptions): Promise<void> {
  const trust = readTrust(options.trust);
  const { openReader } = await import('../main/readers.ts');
  await using opened = await openReader(url, s3Settings(options));
  await using before =
    options.predecessors === undefined ? null : await openReader(options.predecessors, s3Settings(options));
  const progress = new ProgressLine();
  const seen = options.state === undefined ? null : readState(options.state);
  const report = await verifyArchive(opened.reader, trust, {
    ...(seen === null ? {} : { seen }),
    ...(options.tsaCa === undefined ? {} : { timeStamps: await judgeUnder(options.tsaCa) }),
    ...(options.policy === undefined ? {} : { policy: parsePolicy(readNamed(options.policy, 'a policy file')) }),
    ...(before === null ? {} : { predecessors: before.reader }),
    alone: options.alone,
    payloads: options.payloads,
    integrityOnly: options.integrityOnly,
    ...(options.since === undefined ? {} : { since: readNamed(options.since, 'a file with a signed checkpoint') }),
    ...(options.workers === undefined ? {} : { workers: options.workers }),
    onProgress: (at) => progress.show(at),
  });
  progress.clear();
  if (options.state !== undefined && !(await keepState(options.state, opened.reader, trust, report))) {
    process.stderr.write(`${options.state} not changed: it keeps what was checked without a finding\n`);
  }
  if (options.report !== undefined) writeReport(options.report, report, url);
  const [headline = '', ...rest] = renderText(report).split('\n');
  process.stdout.write(
    options.json ? renderJson(report) : `${bold(PAINT[report.verdict](headline))}\n${rest.join('\n')}`,
  );
  process.exitCode = report.exitCode;
}

/** A report that cannot be written must not pass for a verdict: nothing is printed then. */
function writeReport(file: string, report: Report, url: string): void {
  try {
    writeFileSync(file, renderHtml(report, { url, at: new Date(), version: VERSION }));
  } catch (cause) {
    throw new Failure('config/unwritable', {
      expected: 'a place to write the report to',
      got: codeOf(cause),
      where: file,
      cause,
    });
  }
}

function s3Settings({ credentials, endpoint, region, pathStyle, ca }: VerifyCliOptions): S3Settings | null {
  if (credentials === undefined) return null;
  return {
    credentials: resolve(credentials),
    region,
    pathStyle,
    maxRetainDays: 1,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(ca === undefined ? {} : { ca: resolve(ca) }),
  };
}
