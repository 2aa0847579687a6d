// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { codeOf, Failure } from '../base/failure.ts';
import { readPublicKey, readSigningKey } from '../base/secrets.ts';
import { signingKeyOf } from '../record/key.ts';
import {
  manifestHash,
  openManifest,
  RECIPIENT_ROLES,
  signManifest,
  SIGNER_ROLES,
  statedOrigin,
  type Manifest,
  type RecipientRole,
  type SignerRole,
} from '../record/manifest.ts';
import { toSeconds } from '../record/period.ts';
import { recipientOf, signerOf } from './init.ts';
import { writeNew } from './keygen.ts';
import { openOutput } from './output.ts';

interface ManifestOptions {
  readonly rootKey: string;
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly out: string;
  readonly json: boolean;
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** The next manifest: the one before with keys added or removed, numbered and linked. */
export function nextManifest(document: string, options: Pick<ManifestOptions, 'rootKey' | 'add' | 'remove'>): string {
  const root = readSigningKey(options.rootKey);
  const before = openManifest(document, signingKeyOf(root), statedOrigin(document));
  let next: Manifest = { ...before, n: before.n + 1, previous: manifestHash(document), at: toSeconds(Date.now()) };
  for (const name of options.remove) next = without(next, name);
  for (const addition of options.add) next = withKey(next, addition);
  assertWorthSigning(next, options);
  return signManifest(next, root);
}

/** The root's signature is for ever: not for a document that changes nothing, or leaves a log that nobody may write. */
function assertWorthSigning({ signers }: Manifest, { add, remove }: Pick<ManifestOptions, 'add' | 'remove'>): void {
  const missing = add.length + remove.length === 0 ? '--add or --remove' : 'an archiver among the signers';
  if (add.length + remove.length > 0 && signers.some(({ role }) => role === 'archiver')) return;
  throw new Failure('config/missing-part', { expected: missing, got: 'none', fix: 'nothing was signed' });
}

function without(manifest: Manifest, name: string): Manifest {
  const signers = manifest.signers.filter((signer) => signer.name !== name);
  if (signers.length === manifest.signers.length) {
    throw new Failure('config/key-unknown', {
      expected: 'the name of a signer in the manifest',
      got: 'another',
      where: `--remove ${name}`,
    });
  }
  return { ...manifest, signers };
}

/** `role:name=file.pub`; recipients have no name of their own: `reader=file.pub`. */
function withKey(manifest: Manifest, addition: string): Manifest {
  const [who = '', file = ''] = addition.split('=');
  const [role = '', name = ''] = who.split(':');
  const key = readPublicKey(file);
  if (RECIPIENT_ROLES.includes(role as RecipientRole) && name === '') {
    return { ...manifest, recipients: [...manifest.recipients, recipientOf(role as RecipientRole, key, file)] };
  }
  if (!SIGNER_ROLES.includes(role as SignerRole) || name === '') {
    throw new Failure('config/key-unknown', {
      expected: 'role:name=file.pub, or reader=file.pub',
      got: 'another form',
      where: '--add',
    });
  }
  if (manifest.signers.some((signer) => signer.name === name)) {
    throw new Failure('config/exists', {
      expected: 'a name that no signer has',
      got: 'one that is taken',
      where: `--add ${role}:${name}`,
      fix: 'choose another name, or drop the old signer with --remove in the same command',
    });
  }
  return { ...manifest, signers: [...manifest.signers, signerOf(role as SignerRole, name, key)] };
}

export function registerManifest(program: Command): void {
  program
    .command('manifest')
    .description(
      'Sign the next key manifest: add a connector, archiver, officer, witness or recipient, or remove a signer',
    )
    .argument('<file>', 'the manifest in force')
    .requiredOption('--root-key <file>', 'private root key')
    .option(
      '--add <role:name=file>',
      'public key to name; a recipient has no name: reader=file.pub; repeat for more',
      collect,
      [],
    )
    .option('--remove <name>', 'signer to drop; repeat for more', collect, [])
    .requiredOption('--out <file>', 'where the next manifest goes')
    .option('--json', 'machine-readable result', false)
    .action((file: string, options: ManifestOptions) => {
      const output = openOutput(options.json);
      const next = nextManifest(readDocument(file), options);
      writeNew(options.out, `${next}\n`, 0o644);
      output.result({ manifest: options.out, hash: manifestHash(next) });
      output.line(
        `${options.out} written. Give it to the archiver first: it logs the manifest when it starts; then to connectors.`,
      );
    });
}

function readDocument(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new Failure('config/missing', { expected: 'the manifest in force', got: codeOf(cause), where: file, cause });
  }
}
