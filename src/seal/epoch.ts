// SPDX-License-Identifier: AGPL-3.0-or-later
import type { GeneralJWE, JWEHeaderParameters } from 'jose';
import { generalDecrypt } from 'jose/jwe/general/decrypt';
import { spawn } from 'node:child_process';
import { randomFillSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { extname } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Hex256 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256 } from '../record/hash.ts';
import type { KeyId } from '../record/key.ts';
import type { Manifest, Recipient } from '../record/manifest.ts';
import { CONTENT_ENCRYPTION, KEY_MANAGEMENT, SECRET_BYTES, SUITE } from './epoch-suite.ts';
import { Ratchet } from './ratchet.ts';

/** An epoch's public face: what goes into the log beside the records sealed in it. */
export interface EpochDocument {
  /** SHA-256 of `text`. */
  readonly id: Hex256;
  /** JWE General JSON, one line, hashed and stored as it is. */
  readonly text: string;
}

export interface Epoch extends EpochDocument {
  readonly ratchet: Ratchet;
}

export function epochIdOf(text: string): Buffer {
  return sha256(text);
}

/**
 * Starts epochs: fresh secrets, each wrapped to every recipient of the manifest and to nobody else, by a process that ends before
 * this resolves. A secret is in this process only as its ratchet's first key. Throws `EpochError` (`not-made`).
 */
export async function createEpochs(manifest: Manifest, count: number): Promise<Epoch[]> {
  // Memory that the collector never moves, filled and written from in place: no copy of a secret is ever made here.
  const secrets = Buffer.from(new ArrayBuffer(count * SECRET_BYTES));
  randomFillSync(secrets);
  try {
    const documents = await wrapAll(secrets, count, manifest.recipients);
    if (documents.length !== count) throw new EpochError('not-made');
    return documents.map((document, index) => {
      const id = epochIdOf(document);
      const secret = secrets.subarray(index * SECRET_BYTES, (index + 1) * SECRET_BYTES);
      return { id: id.toString('hex'), text: document, ratchet: new Ratchet(secret, id) };
    });
  } finally {
    secrets.fill(0);
  }
}

export async function createEpoch(manifest: Manifest): Promise<Epoch> {
  const [epoch] = await createEpochs(manifest, 1);
  return epoch as Epoch;
}

const MAKER = fileURLToPath(new URL(`./epoch-maker${extname(import.meta.url)}`, import.meta.url));

async function wrapAll(secrets: Buffer, count: number, recipients: readonly Recipient[]): Promise<string[]> {
  const maker = spawn(process.execPath, [MAKER, String(count)], { stdio: ['pipe', 'pipe', 'ignore'], env: {} });
  const exited = once(maker, 'close') as Promise<[number | null]>;
  maker.stdin.on('error', () => undefined);
  maker.stdin.write(secrets);
  maker.stdin.end(JSON.stringify(recipients));
  const lines = (await text(maker.stdout)).split('\n');
  const [code] = await exited;
  if (code !== 0 || lines.pop() !== '') throw new EpochError('not-made');
  return lines;
}

/** Opens an epoch with one recipient's private key. Throws `EpochError` if it is not for this key, or not an epoch. */
export async function openEpoch(text: string, privateKey: KeyObject, kid: KeyId): Promise<Ratchet> {
  const jwe = parseJwe(text);
  const own = jwe.recipients.filter((recipient) => recipient?.header?.kid === kid);
  if (own.length === 0) throw new EpochError('not-a-recipient');
  let plaintext: Uint8Array;
  let suite: unknown;
  try {
    let protectedHeader: JWEHeaderParameters | undefined;
    ({ plaintext, protectedHeader } = await generalDecrypt({ ...jwe, recipients: own }, privateKey, {
      keyManagementAlgorithms: [KEY_MANAGEMENT],
      contentEncryptionAlgorithms: [CONTENT_ENCRYPTION],
    }));
    suite = protectedHeader?.typ;
  } catch (cause) {
    throw new EpochError('does-not-open', { cause });
  }
  const secret = Buffer.from(plaintext);
  plaintext.fill(0);
  if (secret.length !== SECRET_BYTES || suite !== SUITE) throw new EpochError('does-not-open');
  return new Ratchet(secret, epochIdOf(text));
}

/** The same with the first of several keys that it is for. */
export async function openEpochAny(
  text: string,
  keys: readonly { readonly key: KeyObject; readonly kid: KeyId }[],
): Promise<Ratchet> {
  const kids = parseJwe(text).recipients.map((recipient) => recipient?.header?.kid);
  const own = keys.find(({ kid }) => kids.includes(kid));
  if (own === undefined) throw new EpochError('not-a-recipient');
  return openEpoch(text, own.key, own.kid);
}

/**
 * `not-a-recipient`: sealed to other keys than this one. `does-not-open`: named as ours, but altered or wrongly made. `not-made`: the
 * process that makes epochs failed. `other-index`: a header was made for another key than the one that is next.
 */
export class EpochError extends Error {
  override readonly name = 'EpochError';
  readonly code: 'not-a-recipient' | 'does-not-open' | 'not-made' | 'other-index';

  constructor(code: EpochError['code'], options?: ErrorOptions) {
    super(`epoch: ${code}`, options);
    this.code = code;
  }
}

function parseJwe(text: string): GeneralJWE {
  try {
    const jwe = JSON.parse(text) as GeneralJWE;
    if (Array.isArray(jwe.recipients)) return jwe;
  } catch {
    // Falls through to the one error for all that is no JWE.
  }
  throw new FormatError('format/not-json', 'a JWE in General JSON form', `${text.length} other characters`);
}
