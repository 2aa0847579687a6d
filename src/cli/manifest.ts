// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { codeOf, Failure } from '../base/failure.ts';
import { readSigningKey } from '../base/secrets.ts';
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
import { writeNew } from './keygen.ts';
import { recipientOf, signerOf } from './manifest-members.ts';
import { openOutput } from './output.ts';
import { readHeldKey } from './possession.ts';

interface ManifestOptions {
  readonly rootKey: string;
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** Takes public files without a signature of their holder. */
  readonly unproven: boolean;
  readonly out: string;
  readonly json: boolean;
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** The next manifest: the one before with keys added or removed, numbered and linked. */
export function nextManifest(
  document: string,
  options: Pick<ManifestOptions, 'rootKey' | 'add' | 'remove' | 'unproven'>,
): string {
  const root = readSigningKey(options.rootKey);
  const before = openManifest(document, signingKeyOf(root), statedOrigin(document));
  let next: Manifest = { ...before, n: before.n + 1, previous: manifestHash(document), at: toSeconds(Date.now()) };
  for (const name of options.remove) next = without(next, name);
  for (const addition of options.add) next = withKey(next, addition, !options.unproven);
  assertWorthSigning(next, options);
  return signManifest(next, root);
}

/** The root's signature is for ever: not for a document that changes nothing, or leaves a log that nobody may write. */
function assertWorthSigning({ signers }: Manifest, { add, remove }: Pick<ManifestOptions, 'add' | 'remove'>): void {
  const missing = add.length + remove.length === 0 ? '--add or --remove' : 'an archiver among the signers';
  if (add.length + remove.length > 0 && signers.some(({ role }) => role === 'archiver')) return;
  throw new Failure('config/missing-part', { expected: missing, got: 'none', fix: 'nothing was signed' });
}

/** A signer by its name, a recipient by the fingerprint of its key, as `keygen` prints it. */
function without(manifest: Manifest, name: string): Manifest {
  const kid = name.replaceAll(' ', '');
  const signers = manifest.signers.filter((signer) => signer.name !== name);
  const recipients = manifest.recipients.filter((recipient) => recipient.kid !== kid);
  if (signers.length + recipients.length === manifest.signers.length + manifest.recipients.length) {
    throw new Failure('config/key-unknown', {
      expected: 'the name of a signer in the manifest, or the fingerprint of a recipient',
      got: 'another',
      where: `--remove ${name}`,
    });
  }
  return { ...manifest, signers, recipients };
}

/** `role:name=file.pub`; recipients have no name of their own: `reader=file.pub`. */
function withKey(manifest: Manifest, addition: string, isProven: boolean): Manifest {
  const [who = '', file = ''] = addition.split('=');
  const [role = '', name = ''] = who.split(':');
  if (RECIPIENT_ROLES.includes(role as RecipientRole) && name === '') {
    const key = readHeldKey(file, role, isProven);
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
  // A reader has two keys, and `reader` alone is the one that opens.
  const key = readHeldKey(file, role === 'reader' ? 'reader-signing' : role, isProven);
  return { ...manifest, signers: [...manifest.signers, signerOf(role as SignerRole, name, key)] };
}

export function registerManifest(program: Command): void {
  program
    .command('manifest')
    .description('Sign the next key manifest: add a connector, archiver, officer, witness or recipient, or remove one')
    .argument('<file>', 'the manifest in force')
    .requiredOption('--root-key <file>', 'private root key')
    .option(
      '--add <role:name=file>',
      'public key to name; a recipient has no name: reader=file.pub; repeat for more',
      collect,
      [],
    )
    .option('--remove <name>', 'signer to drop, or recipient by its fingerprint; repeat for more', collect, [])
    .option('--unproven', 'take a public key whose holder has not signed for it: of a card or key service', false)
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
