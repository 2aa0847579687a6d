// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { assertSafeEnvironment } from '../base/environment.ts';
import { syncPath, writeSynced } from '../base/durable-file.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { readRecipientKey, readSecret } from '../base/secrets.ts';
import { openCeremonyProof, type CeremonyTrust } from '../escrow/ceremony-proof.ts';
import { testEpoch, tryKey } from '../escrow/drill.ts';
import { encodeShare, parseShare, type Share } from '../escrow/share.ts';
import { combineShares, splitKey, type Named } from '../escrow/shares.ts';
import { readTrust } from '../main/trusted.ts';
import type { EscrowEntry } from '../record/entry-types.ts';
import { openManifest } from '../record/manifest.ts';
import { parsePolicy } from '../record/policy.ts';
import { toSeconds } from '../record/period.ts';
import { groups } from './keygen.ts';
import { bold, green, openOutput } from './output.ts';
import { readNamed } from './read-named.ts';

/** What runs on the ceremony's machine, which needs no network, no config and no archive: only what it is given, and checks. */
interface CeremonyOptions {
  readonly record: string;
  readonly trust: string;
  readonly manifest: readonly string[];
  readonly policy?: string;
  readonly json: boolean;
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

export function registerCeremonies(escrow: Command): void {
  registerSplit(escrow);
  registerCombine(escrow);
  registerDrill(escrow);
  registerCheck(escrow);
}

function ceremony(command: Command): Command {
  return command
    .requiredOption('--record <file>', 'proof that the ceremony was announced: `holdfast escrow proof` writes it')
    .requiredOption('--trust <file>', 'trust.json, got by a way of its own')
    .requiredOption(
      '--manifest <file>',
      'the signed manifest in force; repeat for the one that named an older key',
      collect,
      [],
    )
    .option('--policy <file>', 'C2SP policy: which witnesses must have cosigned the announcement')
    .option('--json', 'machine-readable result', false);
}

function registerSplit(escrow: Command): void {
  ceremony(escrow.command('split'))
    .description('Split a private key into shares, as announced')
    .requiredOption(
      '--key <file>',
      'the private key; it stays as it is: destroy it when all shares are stored and tried',
    )
    .requiredOption('--out <directory>', 'where the shares go, one file each')
    .action(async (options: CeremonyOptions & { key: string; out: string }) => {
      const announced = openRecord('split', options);
      if (existsSync(options.out)) throw exists(options.out);
      const shares = await splitKey(readRecipientKey(options.key), announced, toSeconds(Date.now()));
      const files = writeShares(shares, options.out);
      const output = openOutput(options.json);
      output.result({ ceremony: announced.ceremony, key: announced.key, shares: files });
      output.line(`${bold(green('split'))}  ${announced.need} of these give key ${groups(announced.key)}:`);
      for (const file of files) output.line(`  ${file}`);
      output.line(
        'Give each to its holder, on paper or a medium of its own, and remove them here. Try them with a drill',
      );
      output.line('before the key itself is destroyed. Then: holdfast escrow close ANNOUNCEMENT done');
    });
}

function registerCombine(escrow: Command): void {
  ceremony(escrow.command('combine'))
    .description('Take the private key out of its shares, as announced')
    .argument('<shares...>', 'the files of enough holders')
    .requiredOption('--out <file>', 'where the private key goes: a new file, mode 0600')
    .action(async (shares: string[], options: CeremonyOptions & { out: string }) => {
      const announced = openRecord('combine', options);
      if (existsSync(options.out)) throw exists(options.out);
      const key = await combineShares(shares.map(readShare), announced);
      writeKey(key, options.out);
      const output = openOutput(options.json);
      output.result({ ceremony: announced.ceremony, key: announced.key, file: options.out });
      output.line(
        `${bold(green('combined'))}  ${options.out} is key ${groups(announced.key)}, which opens the archive`,
      );
      output.line('Remove it when it has served. Then: holdfast escrow close ANNOUNCEMENT done');
    });
}

function registerDrill(escrow: Command): void {
  ceremony(escrow.command('drill'))
    .description('Put the key together in memory and try it; nothing is written')
    .argument('<shares...>', 'the files of enough holders')
    .option('--epoch <file>', 'an epoch of the log (`escrow proof --epoch`); without, one that is made here')
    .action(async (shares: string[], options: CeremonyOptions & { epoch?: string }) => {
      const given = givenTo(options);
      const announced = openCeremonyProof(readNamed(options.record, 'a file'), 'drill', given);
      const key = await combineShares(shares.map(readShare), announced);
      const epoch =
        options.epoch === undefined
          ? await testEpoch(given.manifests, announced.key)
          : readNamed(options.epoch, 'a file').trim();
      await tryKey(key, announced.key, epoch);
      const what = options.epoch === undefined ? 'an epoch made for it here' : 'the epoch of the log';
      const output = openOutput(options.json);
      output.result({
        ceremony: announced.ceremony,
        key: announced.key,
        opened: options.epoch === undefined ? 'test' : 'log',
      });
      output.line(
        `${bold(green('good'))}  ${shares.length} shares give key ${groups(announced.key)}, and it opens ${what}`,
      );
      output.line('Nothing was written. Then: holdfast escrow close ANNOUNCEMENT done');
    });
}

function registerCheck(escrow: Command): void {
  escrow
    .command('check')
    .description('Check shares, each by itself: as its holder may do at any time')
    .argument('<shares...>', 'files of shares')
    .option('--json', 'machine-readable result', false)
    .action((shares: string[], options: { readonly json: boolean }) => {
      assertSafeEnvironment();
      const output = openOutput(options.json);
      const read = shares.map(readShare);
      output.result(
        read.map(({ where, share, of, need, key, split, made }) => ({ where, share, of, need, key, split, made })),
      );
      for (const { where, share, of, need, key, made } of read) {
        output.line(
          `${green('whole')}  ${where}: share ${share} of ${of}, ${need} needed, key ${groups(key)}, made ${made}`,
        );
      }
    });
}

function openRecord(act: EscrowEntry['act'], options: CeremonyOptions): EscrowEntry {
  return openCeremonyProof(readNamed(options.record, 'a file'), act, givenTo(options));
}

function givenTo({ trust: file, manifest, policy }: CeremonyOptions): CeremonyTrust {
  assertSafeEnvironment();
  const trust = readTrust(file);
  return {
    trust,
    manifests: manifest.map((one) => openManifest(readNamed(one, 'a file').trim(), trust.root, trust.origin)),
    policy: policy === undefined ? null : parsePolicy(readNamed(policy, 'a file')),
    nowMs: Date.now(),
  };
}

function readShare(file: string): Named {
  return { ...parseShare(readSecret(file), file), where: file };
}

const SHARE_FILE = /^share-\d{1,3}-of-\d{1,3}\.txt$/;

/**
 * All of them or none: they are written beside the place and read back before the folder gets its name. What a killed run left is removed,
 * because nobody may take it for shares that count.
 */
function writeShares(shares: readonly Share[], out: string): string[] {
  const part = `${out}.part`;
  let isOurs = false;
  try {
    if (existsSync(part) && readdirSync(part).every((name) => SHARE_FILE.test(name))) rmSync(part, { recursive: true });
    mkdirSync(dirname(part), { recursive: true });
    mkdirSync(part, { mode: 0o700 });
    isOurs = true;
    const names = shares.map(({ share, of }) => `share-${share}-of-${of}.txt`);
    shares.forEach((share, index) => writeSynced(join(part, names[index] as string), encodeShare(share), 0o600));
    shares.forEach((share, index) => {
      const read = parseShare(readFileSync(join(part, names[index] as string), 'utf8'), names[index] as string);
      if (!read.bytes.equals(share.bytes)) throw new Error('read back otherwise');
    });
    syncPath(part);
    renameSync(part, out);
    syncPath(dirname(out));
    return names.map((name) => join(out, name));
  } catch (cause) {
    // Whole shares must not lie about because the last one could not be written.
    if (isOurs) rmSync(part, { recursive: true, force: true });
    throw cause instanceof Failure ? cause : unwritable(out, cause);
  }
}

/** Never over another file, and never half: the name comes last. */
function writeKey(key: KeyObject, out: string): void {
  const part = `${out}.part`;
  try {
    rmSync(part, { force: true });
    writeSynced(part, key.export({ format: 'pem', type: 'pkcs8' }).toString(), 0o600);
    linkSync(part, out);
    rmSync(part);
    syncPath(dirname(out));
  } catch (cause) {
    rmSync(part, { force: true });
    throw unwritable(out, cause);
  }
}

function exists(where: string): Failure {
  const fix = 'choose another place: keys and shares are never overwritten';
  return new Failure('config/exists', { expected: 'a new file', got: 'one that is there', where, fix });
}

function unwritable(where: string, cause: unknown): Failure {
  return new Failure('config/unwritable', { expected: 'a new place to write to', got: codeOf(cause), where, cause });
}
