// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { Failure } from '../base/failure.ts';
import { readPublicKey, readSigningKey } from '../base/secrets.ts';
import { signingKeyOf, type SigningKey } from '../record/key.ts';
import { parseSigningKey } from '../record/key.ts';
import { signManifest, type Manifest, type Recipient, type RecipientRole, type Signer } from '../record/manifest.ts';
import { encodeVerifierKey, noteKey } from '../record/note.ts';
import { toSeconds } from '../record/period.ts';
import type { TrustFile } from '../record/trust.ts';
import { configTemplate, evaluationConfig } from './config-template.ts';
import { fingerprintOf, groups, makeKey, writeNew, type KeyRole, type MadeKey } from './keygen.ts';
import { bold, openOutput, type Output } from './output.ts';

interface PublicKeys {
  readonly reader: KeyObject;
  readonly escrow: KeyObject;
  readonly log: KeyObject;
  readonly archiver: KeyObject;
  readonly connectors: readonly { readonly name: string; readonly key: KeyObject }[];
  readonly officers: readonly { readonly name: string; readonly key: KeyObject }[];
  /** What readers sign the record of their looks with. */
  readonly readers: readonly { readonly name: string; readonly key: KeyObject }[];
}

export interface InitResult {
  readonly trust: string;
  readonly manifest: string;
  readonly config: string;
  readonly evaluation: boolean;
  readonly fingerprints: Readonly<Record<string, string>>;
}

const ED25519_SPKI_HEADER_BYTES = 12;
const EVALUATION_ORIGIN = 'evaluation.example/holdfast';

function signingPublic(key: KeyObject, where: string): SigningKey {
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new Failure('config/key-unusable', {
      expected: 'an Ed25519 public key',
      got: key.asymmetricKeyType ?? key.type,
      where,
    });
  }
  return parseSigningKey(key.export({ format: 'der', type: 'spki' }).subarray(ED25519_SPKI_HEADER_BYTES));
}

export function recipientOf(role: RecipientRole, key: KeyObject, where: string): Recipient {
  const { crv, x, y } = key.export({ format: 'jwk' });
  if (crv !== 'P-384' || x === undefined || y === undefined) {
    throw new Failure('config/key-unusable', {
      expected: 'a P-384 public key',
      got: crv ?? key.asymmetricKeyType ?? key.type,
      where,
    });
  }
  return { role, kid: fingerprintOf(key), x, y };
}

export function signerOf(role: Signer['role'], name: string, key: KeyObject): Signer {
  return { role, name, pub: signingPublic(key, `${role} ${name}`).raw.toString('base64') };
}

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
    ],
  };
  const trust: TrustFile = {
    v: 1,
    origin,
    root: signingKeyOf(root).raw.toString('base64'),
    log: encodeVerifierKey(noteKey(origin, signingPublic(keys.log, 'log'))),
  };
  // Before anything is written: what is refused leaves nothing behind that a second try would meet.
  const signed = signManifest(manifest, root);
  const files = {
    trust: join(directory, 'trust.json'),
    manifest: join(directory, 'manifest.json'),
    config: join(directory, 'holdfast.yaml'),
  };
  writeNew(files.trust, `${JSON.stringify(trust, null, 2)}\n`, 0o644);
  writeNew(files.manifest, `${signed}\n`, 0o644);
  const fingerprints: Record<string, string> = { root: signingKeyOf(root).id };
  for (const role of ['log', 'archiver', 'reader', 'escrow'] as const) fingerprints[role] = fingerprintOf(keys[role]);
  for (const { name, key } of [...keys.connectors, ...keys.officers, ...keys.readers])
    fingerprints[name] = fingerprintOf(key);
  return { ...files, evaluation, fingerprints };
}

/** All keys on this machine, an archive in a directory, everything in one process. Every report then says "evaluation". */
export function initialiseEvaluation(directory: string, origin: string): InitResult {
  const keysIn = join(directory, 'keys');
  const make = (role: KeyRole): MadeKey => makeKey(role, keysIn);
  const made = new Map(
    (['root', 'log', 'archiver', 'connector', 'reader', 'reader-signing', 'escrow', 'host', 'deployment'] as const).map(
      (role) => [role, make(role)],
    ),
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
  readonly json: boolean;
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

function named(value: string): { name: string; key: KeyObject } {
  const [name, file, ...rest] = value.split('=');
  if (name === undefined || file === undefined || rest.length > 0) {
    throw new Failure('config/missing-part', {
      expected: 'name=file.pub',
      got: 'another form',
      where: '--connector, --officer or --reader-signing',
    });
  }
  return { name, key: readPublicKey(file) };
}

function required(value: string | undefined, option: string): string {
  if (value !== undefined) return value;
  throw new Failure('config/missing-part', {
    expected: `--${option}`,
    got: 'nothing',
    fix: 'or use --evaluation to try Holdfast on one machine',
  });
}

function runInit(directory: string, options: InitOptions): InitResult {
  if (options.evaluation) return initialiseEvaluation(directory, options.origin ?? EVALUATION_ORIGIN);
  const origin = required(options.origin, 'origin');
  const result = initialise(
    directory,
    origin,
    readSigningKey(required(options.rootKey, 'root-key')),
    {
      reader: readPublicKey(required(options.reader, 'reader')),
      escrow: readPublicKey(required(options.escrow, 'escrow')),
      log: readPublicKey(required(options.log, 'log')),
      archiver: readPublicKey(required(options.archiver, 'archiver')),
      connectors: options.connector.map(named),
      officers: options.officer.map(named),
      readers: options.readerSigning.map(named),
    },
    false,
  );
  writeNew(result.config, configTemplate(origin), 0o644);
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
  output.line(`${bold('manifest')}    ${result.manifest}   which keys count, signed by the root`);
  output.line(`${bold('config')}      ${result.config}   what this deployment does`);
  output.line('');
  output.line('Compare these fingerprints out of band:');
  for (const [role, fingerprint] of Object.entries(result.fingerprints))
    output.line(`  ${role.padEnd(12)} ${groups(fingerprint)}`);
  if (result.evaluation) output.line('\nEvaluation: all keys were made on one machine. Every report will say so.');
}
