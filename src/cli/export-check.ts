// SPDX-License-Identifier: AGPL-3.0-or-later
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { assertSafeEnvironment } from '../base/environment.ts';
import { Failure } from '../base/failure.ts';
import { checkExport, type ExportReport } from '../export/check/check.ts';
import { readTrust } from '../main/trusted.ts';
import { readNamed } from './read-named.ts';
import { judgeUnder } from './tsa-judge.ts';
import { parsePolicy } from '../record/policy.ts';
import { countOf } from '../base/counted.ts';
import { plainLine } from '../search/plain-text.ts';
import { exportProgress } from './export-progress.ts';
import { bold, dim, green, openOutput, red, yellow, type Output } from './output.ts';
import { ProgressLine } from './progress.ts';

interface CheckCliOptions {
  readonly trust?: string;
  readonly manifest?: string;
  readonly tsaCa?: string;
  readonly policy?: string;
  readonly json: boolean;
}

const MOST_SHOWN = 50;

export function registerExportCheck(program: Command): void {
  program
    .command('check')
    .description('Check an export: its files, its records’ proof, and what it says of them. No archive is needed')
    .argument('<folder>', 'what `holdfast export` wrote')
    .option('--trust <file>', 'trust.json that you were given in another way; else that of the export is taken')
    .option('--manifest <sha256>', 'hash of manifest.json that you were given in another way')
    .option('--policy <file>', 'C2SP policy: which witnesses must have cosigned')
    .option('--tsa-ca <file>', 'PEM: roots of the time-stamping authorities that you trust')
    .option('--json', 'machine-readable report', false)
    .addHelpText('after', '\nExit code 0: it holds, 1: findings, 2: could not check.')
    .action(async (folder: string, _options: CheckCliOptions, command: Command) => {
      assertSafeEnvironment();
      // What an option of the same name before the subcommand was given belongs here.
      const options = command.optsWithGlobals<CheckCliOptions>();
      const output = openOutput(options.json);
      const progress = new ProgressLine();
      const report = await checkExport(resolve(folder), {
        ...(options.trust === undefined ? {} : { trust: readTrust(options.trust) }),
        ...(options.manifest === undefined ? {} : { manifestSha256: hashOf(options.manifest) }),
        ...(options.policy === undefined ? {} : { policy: parsePolicy(readNamed(options.policy, 'a policy file')) }),
        ...(options.tsaCa === undefined ? {} : { timeStamps: await judgeUnder(options.tsaCa) }),
        onProgress: exportProgress(progress),
      });
      progress.clear();
      output.result(report);
      printReport(report, output);
      process.exitCode = report.findings.length === 0 ? 0 : 1;
    });
}

function hashOf(text: string): string {
  const hash = text.trim().toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hash)) return hash;
  throw new Failure('export/option', {
    expected: '64 hexadecimal digits',
    got: 'something else',
    where: '--manifest',
  });
}

function printReport(report: ExportReport, output: Output): void {
  const { findings, files, proven, disclosed, lines, manifestSha256, trustGiven, fingerprints } = report;
  const isGood = findings.length === 0;
  output.line(bold(isGood ? green('it holds') : red(countOf(findings.length, 'finding'))));
  if (isGood) output.line(`${countOf(files, 'file')}, as the manifest says: ${manifestSha256}`);
  if (proven !== null) {
    output.line(`${countOf(proven.records, 'record')} proven to be in ${proven.origin} at ${proven.size} leaves`);
  } else if (isGood) {
    output.line(yellow('nothing is proven of its records: it was exported with --proofs none'));
  }
  if (disclosed !== null) output.line(`content of ${countOf(disclosed, 'record')}, what they commit to`);
  else if (isGood && proven !== null)
    output.line(yellow('nothing is proven of what they say: it was exported without --proofs content'));
  if (lines !== null) output.line(`${countOf(lines, 'line')} of messages.jsonl show those records`);
  if (report.witnessed !== null) {
    const { size, cosignatures } = report.witnessed;
    const known =
      cosignatures === 0
        ? 'give --policy to know by whom'
        : `by ${countOf(cosignatures, 'witness')}`.replace('witnesss', 'witnesses');
    output.line(`goes on to a cosigned checkpoint of ${size} leaves: ${known}`);
  }
  for (const { file, at, revocationChecked } of report.stamps) {
    if (at === null) output.line(yellow(`${plainLine(file)}: not judged; give --tsa-ca`));
    else output.line(`it was so on ${at}: ${file}${revocationChecked ? '' : ', revocation not checked'}`);
  }
  if (fingerprints !== null && !trustGiven) {
    output.line(yellow('trust came with the export: compare these fingerprints with published ones, or give --trust'));
    output.line(dim(`log  ${fingerprints.log}\nroot ${fingerprints.root}`));
  }
  for (const { code, meaning, file, expected, got } of findings.slice(0, MOST_SHOWN)) {
    output.line(`${red(code)}  ${meaning}\n    ${plainLine(file)}: expected ${expected}, got ${got}`);
  }
  if (findings.length > MOST_SHOWN) output.line(`… and ${findings.length - MOST_SHOWN} more; --json has them all`);
}
