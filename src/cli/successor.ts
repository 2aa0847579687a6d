// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { Failure } from '../base/failure.ts';
import { readSigningKey } from '../base/secrets.ts';
import { readDocument, readText, readTrust } from '../main/trusted.ts';
import { openCheckpoint } from '../record/checkpoint.ts';
import { signingKeyOf } from '../record/key.ts';
import { orderLink, type LinkCause, type LogEnd } from '../record/link.ts';
import { openManifest, signManifest } from '../record/manifest.ts';
import { encodeVerifierKey, noteKey, type NoteKey } from '../record/note.ts';
import { toSeconds } from '../record/period.ts';
import type { Trust, TrustFile } from '../record/trust.ts';
import { groups, writeNew } from './keygen.ts';
import { signingPublic } from './manifest-members.ts';
import { bold, openOutput } from './output.ts';
import { readHeldKey } from './possession.ts';

interface SuccessorOptions {
  readonly trust: string;
  readonly rootKey: string;
  readonly origin: string;
  readonly log: string;
  readonly lost: boolean;
  readonly stolen: boolean;
  readonly size?: string;
  readonly root?: string;
  readonly at?: string;
  readonly out: string;
  readonly json: boolean;
}

export interface Succession {
  readonly trust: string;
  readonly manifest: string;
  readonly link: string;
  readonly fingerprint: string;
  readonly cause: LinkCause;
}

/** Writes what a log on a new key starts from: trust file, first manifest, and the root's link to the log before. */
export function succeed(manifestFile: string, options: SuccessorOptions): Succession {
  const root = readSigningKey(options.rootKey);
  const before = readTrust(options.trust);
  assertRoot(before, signingKeyOf(root).id, options.rootKey);
  const manifest = openManifest(readDocument(manifestFile, 'the manifest in force'), before.root, before.origin);
  const log = noteKey(options.origin, signingPublic(readHeldKey(options.log, 'log'), options.log));
  const at = toSeconds(Date.now());
  const number = (before.number ?? 0) + 1;
  const cause = causeOf(options);
  const end = endOf(cause, before.log, options);
  const link = orderLink({ at, cause, n: number, from: before.log, to: log, end }, root);
  const trust: TrustFile = {
    v: 1,
    origin: options.origin,
    root: before.root.raw.toString('base64'),
    log: encodeVerifierKey(log),
    before: encodeVerifierKey(before.log),
    number,
    ...(end === null ? {} : { end: end.size }),
  };
  const first = signManifest({ ...manifest, origin: options.origin, n: 0, previous: null, at }, root);
  mkdirSync(options.out, { recursive: true });
  const file = (name: string): string => join(options.out, name);
  const files = { trust: file('trust.json'), manifest: file('manifest.json'), link: file('link.json') };
  writeNew(files.trust, `${JSON.stringify(trust, null, 2)}\n`, 0o644);
  writeNew(files.manifest, `${first}\n`, 0o644);
  writeNew(files.link, `${link}\n`, 0o644);
  return { ...files, fingerprint: log.key.id, cause };
}

function assertRoot({ root }: Trust, id: string, where: string): void {
  if (root.id === id) return;
  const expected = `the root key of the trust file, ${root.id}`;
  throw new Failure('config/key-unknown', { expected, got: `key ${id}`, where });
}

function causeOf({ lost, stolen }: SuccessorOptions): LinkCause {
  if (lost && stolen) throw missing('--lost or --stolen', 'both', 'a key that was stolen is said to be stolen');
  return stolen ? 'stolen' : lost ? 'lost' : 'exchanged';
}

/** Where the root says that the old log ends: as `holdfast verify` shows it, or as somebody kept it from before. */
function endOf(cause: LinkCause, log: NoteKey, { size, root, at }: SuccessorOptions): LogEnd | null {
  if (cause === 'exchanged') {
    if ([size, root, at].every((said) => said === undefined)) return null;
    throw missing(
      'neither --at nor --size and --root',
      'an end',
      'where the old key is at hand, the old log says itself where it ends',
    );
  }
  if (at !== undefined && size === undefined && root === undefined) {
    const kept = openCheckpoint(readText(at, 'a signed checkpoint of the old log'), log);
    return { size: kept.size, root: kept.root.toString('hex') };
  }
  const isEnd = /^[1-9]\d{0,14}$/.test(size ?? '') && /^[0-9a-f]{64}$/.test(root ?? '');
  if (isEnd) return { size: Number(size), root: root as string };
  throw missing(
    '--at, or --size and --root, of the last state that is trusted',
    'none',
    '`holdfast verify` prints both; of a key that was stolen, those of before',
  );
}

function missing(expected: string, got: string, fix: string): Failure {
  return new Failure('config/missing-part', { expected, got, where: 'holdfast successor', fix });
}

export function registerSuccessor(program: Command): void {
  program
    .command('successor')
    .description(
      'Sign the link by which the log goes on in another one, on a new log key; writes its trust file and first manifest',
    )
    .argument('<manifest>', 'the manifest in force')
    .requiredOption('--trust <file>', 'trust.json of the log that ends')
    .requiredOption('--root-key <file>', 'private root key')
    .requiredOption('--origin <name>', 'name of the log that follows, for ever')
    .requiredOption('--log <file>', 'public key that signs its checkpoints')
    .option('--lost', 'the old log key is lost: the root says where the log ended', false)
    .option('--stolen', 'somebody else has the old log key: the root says up to where the log counts', false)
    .option('--at <checkpoint>', 'with --lost or --stolen: file with the last checkpoint of the old log that counts')
    .option('--size <n>', 'or: leaves of the old log that count, as `holdfast verify` shows them')
    .option('--root <hash>', '… and their root')
    .requiredOption('--out <directory>', 'where trust.json, manifest.json and link.json go')
    .option('--json', 'machine-readable result', false)
    .action((file: string, options: SuccessorOptions) => {
      const output = openOutput(options.json);
      const made = succeed(file, options);
      output.result(made);
      output.line(`${bold('trust file')}  ${made.trust}   of the new log: give it to auditors by a way of its own`);
      output.line(`${bold('manifest')}    ${made.manifest}   its first`);
      output.line(`${bold('link')}        ${made.link}   for \`holdfast end\`, where the log keys are`);
      output.line(`new log key ${groups(made.fingerprint)}  (compare it out of band)`);
    });
}
