// SPDX-License-Identifier: AGPL-3.0-or-later
import { sign, verify, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Failure } from '../base/failure.ts';
import { readPublicKey } from '../base/secrets.ts';

// A public file says who holds the private half: behind the PEM stands a line by which that half signs for the role it was made
// for. Whoever names a key checks it, so that no record is ever sealed to a key that nobody has, or taken from one of another role.

const LINE = /^holdfast possession v1 ([a-z-]{1,40}) ([A-Za-z0-9+/]+={0,2})$/m;

/** What the private half signs: the public one, and what it is for. */
function statement(role: string, publicKey: KeyObject): Buffer {
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return Buffer.concat([Buffer.from(`holdfast possession v1\n${role}\n`), spki]);
}

/** Ed25519 has its own hash; a P-384 key that agrees on keys signs this one statement, as NIST SP 800-57 allows. */
function digestOf(key: KeyObject): 'sha384' | null {
  return key.asymmetricKeyType === 'ec' ? 'sha384' : null;
}

/** The text of a public file: PEM, which all tools read, and the line of possession. */
export function publicFileText(role: string, publicKey: KeyObject, privateKey: KeyObject): string {
  const sig = sign(digestOf(privateKey), statement(role, publicKey), privateKey).toString('base64');
  return `${publicKey.export({ format: 'pem', type: 'spki' }).toString()}holdfast possession v1 ${role} ${sig}\n`;
}

/**
 * The key in a public file whose holder has signed for this role. `isProven` false takes a key without such a line: one of a card or a
 * key service that signs nothing. Throws `config/key-unproven`; a line that is there must be right in any case.
 */
export function readHeldKey(file: string, role: string, isProven: boolean = true): KeyObject {
  const key = readPublicKey(file);
  const [, made, sig] = LINE.exec(readFileSync(file, 'utf8')) ?? [];
  if (made === undefined || sig === undefined) {
    if (!isProven) return key;
    throw unproven(
      file,
      role,
      'none',
      'have its holder make it with `holdfast keygen`; --unproven takes one of a card or key service',
    );
  }
  if (made !== role) throw unproven(file, role, `one for the role ${made}`, 'every role has a key of its own');
  if (!verify(digestOf(key), statement(role, key), key, Buffer.from(sig, 'base64')))
    throw unproven(
      file,
      role,
      'one that does not verify',
      'get the file again from its holder, and compare the fingerprint',
    );
  return key;
}

function unproven(where: string, role: string, got: string, fix: string): Failure {
  const expected = `a signature of the holder of the private key, for the role ${role}`;
  return new Failure('config/key-unproven', { expected, got, where, fix });
}
