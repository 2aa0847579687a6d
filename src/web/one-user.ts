// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { codeOf, Failure } from '../base/failure.ts';
import type { Authenticator, Identity } from './authenticator.ts';
import { PERMISSIONS } from '../base/permission.ts';

const TOKEN_BYTES = 32;
const TOKEN = /^[A-Za-z0-9_-]{43}$/;
const BEARER = /^Bearer ([A-Za-z0-9_-]{1,200})$/;
const OTHERS_MAY = 0o077;

/**
 * The token in this file, which only its owner may read; made if there is none. Deleting the file and starting anew makes another
 * one, and the old one is worth nothing then. Throws `web/token`.
 */
export function openToken(path: string): string {
  try {
    const file = openSync(path, 'wx', 0o600);
    try {
      writeSync(file, `${randomBytes(TOKEN_BYTES).toString('base64url')}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') throw unusable(path, codeOf(cause), cause);
  }
  const mode = statSync(path).mode & 0o777;
  if ((mode & OTHERS_MAY) !== 0) throw unusable(path, `a file of mode 0${mode.toString(8)}`);
  const token = readFileSync(path, 'utf8').trim();
  if (!TOKEN.test(token)) throw unusable(path, 'something else');
  return token;
}

function unusable(path: string, got: string, cause?: unknown): Failure {
  return new Failure('web/token', {
    expected: 'a file of mode 0600 with the token of this reader, or a place to make one',
    got,
    where: path,
    fix: 'delete it: the next start makes another one',
    cause,
  });
}

/** One user on one machine: whoever holds the token may do everything. */
export class OneUser implements Authenticator {
  readonly #hash: Buffer;
  readonly #identity: Identity;

  constructor(token: string, user: string) {
    this.#hash = hashOf(token);
    const session = randomBytes(16).toString('hex');
    this.#identity = { user, session, permissions: new Set(PERMISSIONS), matters: null, proof: null };
  }

  async authenticate({ authorization }: IncomingHttpHeaders): Promise<Identity | null> {
    const given = BEARER.exec(authorization ?? '')?.[1] ?? '';
    // Hashes have one length, and comparing them takes one time.
    return timingSafeEqual(hashOf(given), this.#hash) ? this.#identity : null;
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
