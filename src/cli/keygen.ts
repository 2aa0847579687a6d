// SPDX-License-Identifier: AGPL-3.0-or-later
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { codeOf, Failure } from '../base/failure.ts';
import { keyIdOf } from '../record/key.ts';
import { openOutput } from './output.ts';
import { publicFileText } from './possession.ts';

const SIGNING_ROLES = [
  'root',
  'log',
  'archiver',
  'auditor',
  'connector',
  'officer',
  'reader-signing',
  'witness',
] as const;
const RECIPIENT_ROLES = ['reader', 'escrow'] as const;
const SYMMETRIC_ROLES = ['host', 'deployment'] as const;
export const KEY_ROLES = [...SIGNING_ROLES, ...RECIPIENT_ROLES, ...SYMMETRIC_ROLES] as const;
export type KeyRole = (typeof KEY_ROLES)[number];

export interface MadeKey {
  readonly role: KeyRole;
  readonly privateFile: string;
  /** Null for keys that have no public half. */
  readonly publicFile: string | null;
  /** Key id to compare by voice or on paper; null for keys without a public half. */
  readonly fingerprint: string | null;
}

/** Makes the key of one role as files in `directory`. Never overwrites: a lost key is lost, and a replaced one too. */
export function makeKey(role: KeyRole, directory: string, name: string = role): MadeKey {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const privateFile = join(directory, `${name}.key`);
  if ((SYMMETRIC_ROLES as readonly string[]).includes(role)) {
    writeNew(privateFile, `${randomBytes(32).toString('base64')}\n`, 0o600);
    return { role, privateFile, publicFile: null, fingerprint: null };
  }
  const recipient = (RECIPIENT_ROLES as readonly string[]).includes(role);
  const { privateKey, publicKey } = recipient
    ? generateKeyPairSync('ec', { namedCurve: 'P-384' })
    : generateKeyPairSync('ed25519');
  const publicFile = join(directory, `${name}.pub`);
  writeNew(privateFile, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), 0o600);
  writeNew(publicFile, publicFileText(role, publicKey, privateKey), 0o644);
  return { role, privateFile, publicFile, fingerprint: fingerprintOf(publicKey) };
}

export function fingerprintOf(publicKey: KeyObject): string {
  return keyIdOf(publicKey.export({ format: 'der', type: 'spki' }));
}

/** Writes a file that must not exist yet. Throws `config/exists`, or `config/unwritable`. */
export function writeNew(file: string, text: string, mode: number): void {
  try {
    writeFileSync(file, text, { mode, flag: 'wx' });
  } catch (error) {
    const isThere = codeOf(error) === 'EEXIST';
    throw new Failure(isThere ? 'config/exists' : 'config/unwritable', {
      expected: 'a new file',
      got: isThere ? 'one that is there' : codeOf(error),
      where: file,
      fix: isThere
        ? 'choose another directory or name; what is there is never overwritten'
        : 'name a directory that is there and that this user may write to',
      cause: error,
    });
  }
}

export function registerKeygen(program: Command): void {
  program
    .command('keygen')
    .description('Make the key of one role, on the machine of whoever holds it')
    .argument('<role>', KEY_ROLES.join(' | '))
    .option('--out <directory>', 'where the files go', '.')
    .option('--name <name>', 'file name, if the role has several keys')
    .option('--json', 'machine-readable result', false)
    .action((role: string, options: { out: string; name?: string; json: boolean }) => {
      const output = openOutput(options.json);
      if (!(KEY_ROLES as readonly string[]).includes(role)) {
        throw new Failure('config/key-unknown', {
          expected: 'a role that has a key',
          got: 'another role',
          where: 'keygen <role>',
          fix: `write one of ${KEY_ROLES.join(', ')}`,
        });
      }
      const made = makeKey(role as KeyRole, options.out, options.name);
      output.result(made);
      output.line(`private key  ${made.privateFile}  (keep it on this machine)`);
      if (made.publicFile !== null) output.line(`public key   ${made.publicFile}  (give this to whoever runs init)`);
      if (made.fingerprint !== null) output.line(`fingerprint  ${groups(made.fingerprint)}  (compare it out of band)`);
    });
}

/** In groups of four, to be read aloud. */
export function groups(fingerprint: string): string {
  return fingerprint.match(/.{4}/g)?.join(' ') ?? fingerprint;
}
