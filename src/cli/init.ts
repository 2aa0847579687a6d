// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { Failure } from '../base/failure.ts';
import { readPublicKey, readSigningKey } from '../base/secrets.ts';
import { cosignerKey } from '../record/cosignature.ts';
import { signingKeyOf } from '../record/key.ts';
import { signManifest, type Manifest } from '../record/manifest.ts';
import { encodeVerifierKey, noteKey } from '../record/note.ts';
import { toSeconds } from '../record/period.ts';
import type { TrustFile } from '../record/trust.ts';
import { configTemplate, evaluationConfig } from './config-template.ts';
import { fingerprintOf, groups, makeKey, writeNew, type KeyRole, type MadeKey } from './keygen.ts';
import { recipientOf, signerOf, signingPublic } from './manifest-members.ts';
import { WITNESS_FORM, witnessOf, type NamedWitness } from './named-witness.ts';
import { bold, openOutput, table, type Output } from './output.ts';
import { policyText, quorumOf } from './policy.ts';
import { readHeldKey } from './possession.ts';

interface PublicKeys {
  readonly reader: KeyObject;
  readonly escrow: KeyObject;
  readonly log: KeyObject;
  readonly archiver: KeyObject;
  readonly connectors: readonly { readonly name: string; readonly key: KeyObject }[];
  readonly officers: readonly { readonly name: string; readonly key: KeyObject }[];
  /** What readers sign the record of their looks with. */
  readonly readers: readonly { readonly name: string; readonly key: KeyObject }[];
  /** Who cosigns the log: somebody else, elsewhere. */
  readonly witnesses: readonly NamedWitness[];
  /** How many of them auditors ask for; all if left out. */
  readonly quorum?: number | undefined;
}

export interface InitResult {
  readonly trust: string;
  /** For auditors; null without witnesses. */
  readonly policy: string | null;
  readonly manifest: string;
  readonly config: string;
  readonly evaluation: boolean;
  readonly fingerprints: Readonly<Record<string, string>>;
}

const EVALUATION_ORIGIN = 'evaluation.example/holdfast';
/** As the evaluation's config calls the witness that runs in the same process. */
const OWN_WITNESS = 'evaluation-witness';

/** Signs the first manifest and writes what every role starts from. */
export function initialise(
  directory: string,
  origin: string,
  root: KeyObject,
  keys: PublicKeys,
  evaluation: boolean,
): InitResult {
  mkdirSync(directory, { recursive: true });
  const manifest: Manifest = {
    origin,
    n: 0,
    at: toSeconds(Date.now()),
    previous: null,
    evaluation,
    recipients: [recipientOf('reader', keys.reader, 'reader'), recipientOf('escrow', keys.escrow, 'escrow')],
    signers: [
      signerOf('archiver', 'archiver', keys.archiver),
      ...keys.connectors.map(({ name, key }) => signerOf('connector', name, key)),
      ...keys.officers.map(({ name, key }) => signerOf('officer', name, key)),
      ...keys.readers.map(({ name, key }) => signerOf('reader', name, key)),
      ...keys.witnesses.map(({ key }) => signerOf('witness', key.name, key.key.key)),
    ],
  };
  const log = noteKey(origin, signingPublic(keys.log, 'log'));
  const trust: TrustFile = {
    v: 1,
    origin,
    root: signingKeyOf(root).raw.toString('base64'),
    log: encodeVerifierKey(log),
  };
  // Before anything is written: what is refused leaves nothing behind that a second try would meet.
  const signed = signManifest(manifest, root);
  const policy = keys.witnesses.length === 0 ? null : policyText({ origin, log }, keys.witnesses, keys.quorum);
  const files = {
    trust: join(directory, 'trust.json'),
    policy: policy === null ? null : join(directory, 'policy.txt'),
    manifest: join(directory, 'manifest.json'),
    config: join(directory, 'holdfast.yaml'),
  };
  writeNew(files.trust, `${JSON.stringify(trust, null, 2)}\n`, 0o644);
  if (files.policy !== null && policy !== null) writeNew(files.policy, policy, 0o644);
  writeNew(files.manifest, `${signed}\n`, 0o644);
  const fingerprints: Record<string, string> = { root: signingKeyOf(root).id };
  for (const role of ['log', 'archiver', 'reader', 'escrow'] as const) fingerprints[role] = fingerprintOf(keys[role]);
  for (const { name, key } of [...keys.connectors, ...keys.officers, ...keys.readers])
    fingerprints[name] = fingerprintOf(key);
  for (const { key } of keys.witnesses) fingerprints[key.name] = key.key.id;
  return { ...files, evaluation, fingerprints };
}

/** All keys on this machine, an archive in a directory, everything in one process. Every report then says "evaluation". */
export function initialiseEvaluation(directory: string, origin: string): InitResult {
  const keysIn = join(directory, 'keys');
  const make = (role: KeyRole): MadeKey => makeKey(role, keysIn);
  const made = new Map(
    (
      [
        'root',
        'log',
        'archiver',
        'connector',
        'reader',
        'reader-signing',
        'escrow',
        'host',
        'deployment',
        'witness',
      ] as const
    ).map((role) => [role, make(role)]),
  );
  const publicOf = (name: string): KeyObject => readPublicKey(makeKey('officer', keysIn, name).publicFile as string);
  const publicKey = (role: KeyRole): KeyObject =>
    readPublicKey((made.get(role as never) as MadeKey).publicFile as string);
  const result = initialise(
    directory,
    origin,
    readSigningKey((made.get('root') as MadeKey).privateFile),
    {
      reader: publicKey('reader'),
      escrow: publicKey('escrow'),
      log: publicKey('log'),
      archiver: publicKey('archiver'),
      connectors: [{ name: 'connector', key: publicKey('connector') }],
      officers: ['officer-1', 'officer-2'].map((name) => ({ name, key: publicOf(name) })),
      readers: [{ name: 'reader-signing', key: publicKey('reader-signing') }],
      witnesses: [{ key: cosignerKey(OWN_WITNESS, signingPublic(publicKey('witness'), OWN_WITNESS)), url: null }],
    },
    true,
  );
  writeNew(result.config, evaluationConfig(origin, pathToFileURL(resolve(directory, 'archive')).href), 0o644);
  return result;
}

interface InitOptions {
  readonly origin?: string;
  readonly evaluation: boolean;
  readonly rootKey?: string;
  readonly reader?: string;
  readonly escrow?: string;
  readonly log?: string;
  readonly archiver?: string;
  readonly connector: readonly string[];
  readonly officer: readonly string[];
  readonly readerSigning: readonly string[];
  readonly witness: readonly string[];
  readonly unproven: boolean;
  readonly quorum?: number;
  readonly json: boolean;
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

type ReadKey = (file: string, role: KeyRole) => KeyObject;

function named(value: string, role: KeyRole, read: ReadKey): { name: string; key: KeyObject } {
  const [name, file, ...rest] = value.split('=');
  if (name === undefined || file === undefined || rest.length > 0) {
    throw new Failure('config/missing-part', {
      expected: 'name=file.pub',
      got: 'another form',
      where: '--connector, --officer or --reader-signing',
    });
  }
  return { name, key: read(file, role) };
}

function required(value: string | undefined, option: string): string {
  if (value !== undefined) return value;
  throw new Failure('config/missing-part', {
    expected: `--${option}`,
    got: 'nothing',
    fix: `give --${option}, or --evaluation to try Holdfast on one machine`,
  });
}

/** One that the archiver is to ask. */
function addressed(value: string, isProven: boolean): NamedWitness & { readonly url: string } {
  const { key, url } = witnessOf(value, isProven);
  if (url !== null) return { key, url };
  throw new Failure('config/missing-part', {
    expected: WITNESS_FORM,
    got: 'no address',
    where: '--witness',
    fix: 'say where it takes checkpoints: the archiver asks it there',
  });
}

function runInit(directory: string, options: InitOptions): InitResult {
  if (options.evaluation) return initialiseEvaluation(directory, options.origin ?? EVALUATION_ORIGIN);
  const origin = required(options.origin, 'origin');
  const witnesses = options.witness.map((value) => addressed(value, !options.unproven));
  const read: ReadKey = (file, role) => readHeldKey(file, role, !options.unproven);
  const result = initialise(
    directory,
    origin,
    readSigningKey(required(options.rootKey, 'root-key')),
    {
      reader: read(required(options.reader, 'reader'), 'reader'),
      escrow: read(required(options.escrow, 'escrow'), 'escrow'),
      log: read(required(options.log, 'log'), 'log'),
      archiver: read(required(options.archiver, 'archiver'), 'archiver'),
      connectors: options.connector.map((value) => named(value, 'connector', read)),
      officers: options.officer.map((value) => named(value, 'officer', read)),
      readers: options.readerSigning.map((value) => named(value, 'reader-signing', read)),
      witnesses,
      quorum: options.quorum,
    },
    false,
  );
  writeNew(
    result.config,
    configTemplate(
      origin,
      witnesses.map(({ key, url }) => ({ name: key.name, url })),
    ),
    0o644,
  );
  return result;
}

export function registerInit(program: Command): void {
  program
    .command('init')
    .description('Write trust file, signed key manifest and config')
    .argument('[directory]', 'where they go', '.')
    .option('--origin <name>', 'name of the log, for ever: a domain the agency owns, a path, a year')
    .option('--evaluation', 'make all keys on this machine: to try it, never for records', false)
    .option('--root-key <file>', 'private root key; it signs the manifest and goes back to its safe')
    .option('--reader <file>', 'public key of the reader')
    .option('--escrow <file>', 'public key of the escrow')
    .option('--log <file>', 'public key that signs checkpoints')
    .option('--archiver <file>', 'public key of the archiver')
    .option('--connector <name=file>', 'public key of a connector; repeat for more', collect, [])
    .option('--officer <name=file>', 'public key of a records officer; repeat for more', collect, [])
    .option(
      '--reader-signing <name=file>',
      'public key that signs what a reader looks at; repeat for more',
      collect,
      [],
    )
    .option(
      `--witness <${WITNESS_FORM}>`,
      'somebody else who cosigns the log: name and public key, or C2SP verifier key, and address; repeat for more',
      collect,
      [],
    )
    .option('--quorum <n>', 'how many witnesses auditors ask for; default: all', quorumOf)
    .option('--unproven', 'take a public key whose holder has not signed for it: of a card or key service', false)
    .option('--json', 'machine-readable result', false)
    .action((directory: string, options: InitOptions) => {
      const output = openOutput(options.json);
      const result = runInit(directory, options);
      output.result(result);
      describe(output, result);
    });
}

function describe(output: Output, result: InitResult): void {
  output.line(`${bold('trust file')}  ${result.trust}   give it to auditors by a way of its own`);
  if (result.policy !== null)
    output.line(`${bold('policy')}      ${result.policy}   who must have cosigned; goes with the trust file`);
  output.line(`${bold('manifest')}    ${result.manifest}   which keys count, signed by the root`);
  output.line(`${bold('config')}      ${result.config}   what this deployment does`);
  output.line('');
  output.line('Compare these fingerprints out of band:');
  const rows = Object.entries(result.fingerprints).map(([role, fingerprint]) => [`  ${role}`, groups(fingerprint)]);
  output.line(table(rows));
  if (result.evaluation) {
    output.line('\nEvaluation: all keys were made on one machine. Every report will say so.');
    output.line('Its witness runs in the process that it watches, to be looked at: it protects nobody from anything.');
  }
}
