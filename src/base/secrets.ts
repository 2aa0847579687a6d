// SPDX-License-Identifier: AGPL-3.0-or-later
import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { codeOf, Failure } from './failure.ts';

const OTHERS_MAY_READ = 0o007;
const SYMMETRIC_BYTES = 32;
const KEY_LOST = 'restore it, or name the right file; a key made anew with `holdfast keygen` is another key';
const SECRET_LOST = 'restore it, or name the right file; whoever issued the secret can issue it again';

/**
 * Reads a secret from its file. Refuses files that everybody on the host may read. The text is never logged, and errors name the
 * file only. `lost`: what to do about one that cannot be read.
 */
export function readSecret(path: string, lost = SECRET_LOST): string {
  try {
    if ((statSync(path).mode & OTHERS_MAY_READ) !== 0) {
      throw new Failure('config/secret-readable', {
        expected: 'a secret that only its owner and group may read',
        got: 'a file that everybody may read',
        where: path,
        fix: `chmod 600 ${path}`,
      });
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure('config/secret-missing', {
      expected: 'a secret file',
      got: codeOf(error),
      where: path,
      fix: lost,
      cause: error,
    });
  }
}

function unusable(path: string, expected: string, cause?: unknown): Failure {
  return new Failure('config/key-unusable', {
    expected,
    got: 'something else',
    where: path,
    fix: 'name the file that `holdfast keygen` wrote for this role',
    cause,
  });
}

/** An Ed25519 private key, PEM. */
export function readSigningKey(path: string): KeyObject {
  const key = parsePrivate(path);
  if (key.asymmetricKeyType !== 'ed25519') throw unusable(path, 'an Ed25519 private key');
  return key;
}

/** A P-384 private key, PEM: opens what was sealed to it. */
export function readRecipientKey(path: string): KeyObject {
  const key = parsePrivate(path);
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'secp384r1')
    throw unusable(path, 'a P-384 private key');
  return key;
}

function parsePrivate(path: string): KeyObject {
  const pem = readSecret(path, KEY_LOST);
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw unusable(path, 'a private key in PEM', cause);
  }
}

/** 32 bytes, base64: the host's or the deployment's key. */
export function readSymmetricKey(path: string): KeyObject {
  const bytes = Buffer.from(readSecret(path, KEY_LOST).trim(), 'base64');
  if (bytes.length !== SYMMETRIC_BYTES) throw unusable(path, '32 bytes in base64');
  return createSecretKey(bytes);
}

/** A public key, PEM (SubjectPublicKeyInfo). Not a secret. */
export function readPublicKey(path: string): KeyObject {
  try {
    const pem = readFileSync(path, 'utf8');
    if (!pem.includes('PRIVATE KEY')) return createPublicKey(pem);
  } catch (cause) {
    throw new Failure('config/key-unusable', {
      expected: 'a public key in PEM',
      got: codeOf(cause),
      where: path,
      fix: 'name the .pub file that `holdfast keygen` wrote',
      cause,
    });
  }
  throw new Failure('config/key-unusable', {
    expected: 'a public key in PEM',
    got: 'a private key',
    where: path,
    fix: 'a private key stays with its holder: if this one was sent to you, have its holder make another, and give you the .pub file',
  });
}
