// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { loadConfig, type Config } from '../base/config.ts';
import { countOf } from '../base/counted.ts';
import { assertSafeEnvironment } from '../base/environment.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { readTrust } from '../main/trusted.ts';
import { PARTS, type PartName } from '../record/commitment.ts';
import { parsePolicy } from '../record/policy.ts';
import { checkBundle, type BundleReport } from '../prove/check.ts';
import type { Files } from '../prove/files.ts';
import { judgeStamps, type JudgedStamp } from '../prove/judge-stamps.ts';
import { bold, green, openOutput, red, yellow, type Output } from './output.ts';
import { judgeUnder } from './tsa-judge.ts';
import { readNamed } from './read-named.ts';

interface ProveCliOptions {
  readonly config: string;
  readonly archive?: string;
  readonly trust?: string;
  readonly policy?: string;
  readonly tsaCa?: string;
  readonly disclose?: readonly PartName[];
  readonly out?: string;
  readonly zip: boolean;
  readonly check: boolean;
  readonly json: boolean;
}

/** A bundle is small; what is larger is none, and is not read. */
const MAX_BUNDLE_BYTES = 64 * 1024 * 1024;
const MOST_FILES = 100;

export function registerProve(program: Command): void {
  program
    .command('prove')
    .description('Write what proves one record to anybody: header, proof, signatures, keys, and a page that checks it')
    .argument('<record>', 'the record’s leaf number or id; with --check, a bundle’s folder or zip')
    .option('--config <file>', 'the deployment’s config', 'holdfast.yaml')
    .option('--archive <url>', 'directory of an archive or a copy, instead of the config’s; needs --trust')
    .option('--trust <file>', 'trust.json; with --check, the one that you were given in another way')
    .option('--policy <file>', 'C2SP policy of log and witnesses; default: the log alone')
    .option('--tsa-ca <file>', 'with --check, PEM: roots of the time-stamping authorities that you trust')
    .option('--disclose <parts>', `content to disclose: some of ${PARTS.join(', ')}; the look is recorded`, partsOf)
    .option('--out <folder>', 'where to write; it must not exist yet. Default: proof-<record>')
    .option('--zip', 'one zip file instead of a folder', false)
    .option('--check', 'check a bundle. Exit code 0: it holds, 1: findings, 2: could not check', false)
    .option('--json', 'machine-readable result', false)
    .action(async (record: string, options: ProveCliOptions) => {
      assertSafeEnvironment();
      const output = openOutput(options.json);
      if (options.check) return await check(record, options, output);
      return await prove(recordOf(record), options, output);
    });
}

function partsOf(text: string): PartName[] {
  const parts = text.split(',');
  const known = PARTS.filter((name) => parts.includes(name));
  if (known.length === parts.length && known.length > 0) return known;
  throw new InvalidArgumentError(`expected some of ${PARTS.join(', ')}, with commas between`);
}

function recordOf(text: string): string {
  if (/^(?:0|[1-9]\d{0,14}|[0-9a-f]{64})$/.test(text)) return text;
  throw new Failure('prove/not-found', {
    expected: 'a leaf number, or a record’s id of 64 hex digits',
    got: `${text.length} other characters`,
    fix: '`holdfast search --json` names the leaf of every hit',
  });
}

async function prove(record: string, options: ProveCliOptions, output: Output): Promise<void> {
  const config = options.archive === undefined || options.disclose !== undefined ? loadConfig(options.config) : null;
  const { proveRecord } = await import('../main/prove.ts');
  const files = await proveRecord({
    ...placeOf(config, options),
    record,
    disclose: config === null || options.disclose === undefined ? null : { config, parts: options.disclose },
    ...(options.policy === undefined ? {} : { policy: readNamed(options.policy, 'a policy') }),
  });
  const out = `${options.out ?? `proof-${record.slice(0, 16)}`}${options.zip ? '.zip' : ''}`;
  const bytes = options.zip ? await writeZip(out, files) : writeFolder(out, files);
  const { proven } = checkBundle(files);
  output.result({ out, files: files.size, bytes, ...proven });
  output.line(
    `${bold(green('written'))}  ${out}: ${countOf(files.size, 'file')}, ${bytes} bytes; begin with README.txt or check.html`,
  );
  if (options.disclose !== undefined)
    output.note(yellow('it holds content in clear: it is as confidential as the message'));
}

function placeOf(
  config: Config | null,
  { archive, trust }: ProveCliOptions,
): Pick<Parameters<typeof import('../main/prove.ts').proveRecord>[0], 'url' | 's3' | 'trust'> {
  const file = trust ?? config?.trust;
  if (file === undefined) {
    throw new Failure('config/missing-part', {
      expected: '--trust FILE with --archive',
      got: 'none',
      where: '--trust',
      fix: 'name the trust file of that archive',
    });
  }
  const url = archive ?? config?.archive.url ?? '';
  return { url, s3: archive === undefined ? (config?.archive.s3 ?? null) : null, trust: readTrust(file) };
}

async function check(path: string, options: ProveCliOptions, output: Output): Promise<void> {
  const files = await readBundle(path);
  const report = checkBundle(files, {
    ...(options.trust === undefined ? {} : { trust: readTrust(options.trust) }),
    ...(options.policy === undefined ? {} : { policy: parsePolicy(readNamed(options.policy, 'a policy')) }),
  });
  const { stamps, findings } = await judgeStamps(
    files,
    options.tsaCa === undefined ? null : await judgeUnder(options.tsaCa),
  );
  const whole = {
    ...report,
    policyGiven: options.policy !== undefined,
    stamps,
    findings: [...report.findings, ...findings],
  };
  output.result(whole);
  printReport(whole, output);
  process.exitCode = whole.findings.length === 0 ? 0 : 1;
}

interface Judged extends BundleReport {
  readonly stamps: readonly JudgedStamp[];
  /** Without one no witness is known, and a count of cosignatures would say nothing. */
  readonly policyGiven: boolean;
}

function printReport({ findings, proven, trustGiven, policyGiven, disclosed, stamps }: Judged, output: Output): void {
  const isGood = findings.length === 0 && proven !== null;
  output.line(bold(isGood ? green('proven') : red(countOf(findings.length, 'finding'))));
  if (proven !== null) {
    const { leaf, origin, size, cosignatures } = proven;
    output.line(`leaf ${leaf} of ${origin} at ${countOf(size, 'leaf', 'leaves')}`);
    if (policyGiven) output.line(`${countOf(cosignatures, 'cosignature')} of witnesses, as the policy asks`);
    else output.line(yellow('cosignatures of witnesses: not judged; give --policy'));
  }
  if (disclosed.length > 0) output.line(`disclosed, and what the record commits to: ${disclosed.join(', ')}`);
  for (const { file, at, revocationChecked } of stamps) {
    if (at === null) output.line(yellow(`${file}: not judged; give --tsa-ca`));
    else output.line(`in the log before ${at}, by ${file}${revocationChecked ? '' : '; revocation not checked'}`);
  }
  if (!trustGiven)
    output.line(yellow('trust came with the bundle: compare the fingerprints in its README.txt, or give --trust'));
  for (const { code, meaning, file, expected, got } of findings) {
    output.line(`${red(code)}  ${meaning}\n    ${file}: expected ${expected}, got ${got}`);
  }
}

function writeFolder(out: string, files: Files): number {
  let sum = 0;
  try {
    mkdirSync(out);
    for (const [name, bytes] of files) {
      mkdirSync(dirname(join(out, name)), { recursive: true });
      writeFileSync(join(out, name), bytes, { flag: 'wx' });
      sum += bytes.length;
    }
  } catch (cause) {
    throw unwritable(out, cause);
  }
  return sum;
}

async function writeZip(out: string, files: Files): Promise<number> {
  const { zipSync } = await import('fflate');
  // A fixed time, so that the same bundle is the same file.
  const zip = zipSync(Object.fromEntries(files), { level: 9, mtime: new Date(1980, 0, 1) });
  try {
    writeFileSync(out, zip, { flag: 'wx' });
  } catch (cause) {
    throw unwritable(out, cause);
  }
  return zip.length;
}

function unwritable(where: string, cause: unknown): Failure {
  return new Failure('config/unwritable', {
    expected: 'a new place to write the bundle to',
    got: codeOf(cause),
    where,
    cause,
  });
}

async function readBundle(path: string): Promise<Files> {
  try {
    if (!statSync(path).isDirectory()) return await readZip(path);
    const files = new Map<string, Buffer>();
    let sum = 0;
    for (const item of readdirSync(path, { recursive: true, withFileTypes: true })) {
      if (item.isDirectory()) continue;
      const file = join(item.parentPath, item.name);
      sum += statSync(file).size;
      if (!item.isFile() || files.size >= MOST_FILES || sum > MAX_BUNDLE_BYTES) throw new Error('not a bundle');
      files.set(relative(path, file), readFileSync(file));
    }
    return files;
  } catch (cause) {
    throw new Failure('prove/not-a-bundle', {
      expected: 'a bundle’s folder or zip',
      got: codeOf(cause),
      where: path,
      cause,
    });
  }
}

async function readZip(path: string): Promise<Files> {
  const { unzipSync } = await import('fflate');
  let sum = 0;
  const found = unzipSync(readFileSync(path), {
    filter: ({ originalSize }) => {
      sum += originalSize;
      if (sum > MAX_BUNDLE_BYTES) throw new RangeError('not a bundle');
      return true;
    },
  });
  return new Map(Object.entries(found).map(([name, bytes]) => [name, Buffer.from(bytes)]));
}
