// SPDX-License-Identifier: AGPL-3.0-or-later
import { createECDH, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { combine, split } from 'shamir-secret-sharing';
import { Failure, type FailureCode } from '../base/failure.ts';
import type { EscrowEntry } from '../record/entry-types.ts';
import { keyIdOf, type KeyId } from '../record/key.ts';
import { printOf, setOf, type Share, type ShareSet } from './share.ts';

const CURVE = 'secp384r1';
const SCALAR_BYTES = 48;

export function recipientIdOf(key: KeyObject): KeyId {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return keyIdOf(publicKey.export({ format: 'der', type: 'spki' }));
}

/** Splits a P-384 private key as a ceremony says. Every set of shares that should give the key is as good as those tried here. */
export async function splitKey(
  privateKey: KeyObject,
  { log, key, split: ceremony, need, of }: EscrowEntry,
  made: string,
): Promise<Share[]> {
  assertKey(privateKey, key, 'the key that the ceremony names');
  const scalar = scalarOf(privateKey);
  try {
    // Its own arrays: the library takes nothing that is derived from one.
    const parts = (await split(new Uint8Array(scalar), of, need)).map((part) => Buffer.from(part));
    const head = { origin: log, key, split: ceremony, need, of, made };
    const prints = parts.map((bytes, index) => printOf(head, index + 1, bytes));
    const shares = parts.map((bytes, index): Share => ({ ...head, prints, share: index + 1, bytes }));
    for (let first = 0; first < of; first += 1) {
      const some = Array.from({ length: need }, (_, at) => shares[(first + at) % of] as Share);
      await joined(some, key);
    }
    return shares;
  } finally {
    scalar.fill(0);
  }
}

/**
 * The private key, from shares that are what the ceremony means: of its log, key and split, of one run of it, enough, each once. Nothing
 * is given back unless the key has the key id that was announced. Throws `escrow/…`, each cause with a code of its own.
 */
export async function combineShares(shares: readonly Named[], ceremony: EscrowEntry): Promise<KeyObject> {
  for (const share of shares) assertMeant(share, ceremony);
  assertOneSet(shares);
  const twice = shares.find(({ share }, index) => shares.findIndex((one) => one.share === share) !== index);
  if (twice !== undefined)
    throw refused('escrow/share-twice', 'each share once', `share ${twice.share} again`, twice.where);
  if (shares.length < ceremony.need) {
    throw refused('escrow/too-few', `${ceremony.need} shares of ${ceremony.of}`, `${shares.length}`);
  }
  return await joined(shares, ceremony.key);
}

/** A share and the file it came in. */
export interface Named extends Share {
  readonly where: string;
}

function assertMeant(share: Named, { log, key, split: made, need, of }: EscrowEntry): void {
  const { where } = share;
  if (share.origin !== log) throw refused('escrow/other-log', `shares for ${log}`, 'one for another log', where);
  if (share.key !== key) throw refused('escrow/other-key', `shares of key ${key}`, `one of key ${share.key}`, where);
  if (share.split !== made || share.need !== need || share.of !== of) {
    const got = `one of split ${share.split}, ${share.need} of ${share.of}`;
    throw refused('escrow/other-split', `shares of split ${made}, ${need} of ${of}`, got, where);
  }
}

/** A split that was run twice, or a share that somebody made: its fingerprints are others than those of the rest. */
function assertOneSet(shares: readonly Named[]): void {
  const sets = Map.groupBy<string, Named>(shares, (share: ShareSet) => setOf(share));
  const [most, ...others] = [...sets.values()].toSorted((a, b) => b.length - a.length);
  const [odd] = others.flat();
  if (odd === undefined || most === undefined) return;
  const expected = `shares of one run of the split, as ${most.length} of these are`;
  throw refused('escrow/other-run', expected, `share ${odd.share} of another`, odd.where);
}

async function joined(shares: readonly Share[], key: KeyId): Promise<KeyObject> {
  const scalar = await combine(shares.map(({ bytes }) => new Uint8Array(bytes)));
  try {
    const privateKey = keyOf(scalar);
    if (privateKey === null) throw refused('escrow/wrong-key', `key ${key}`, 'no key');
    assertKey(privateKey, key, 'what the shares give');
    return privateKey;
  } finally {
    scalar.fill(0);
  }
}

function assertKey(privateKey: KeyObject, key: KeyId, where: string): void {
  const found = recipientIdOf(privateKey);
  if (found !== key) throw refused('escrow/wrong-key', `key ${key}`, `key ${found}`, where);
}

function scalarOf(privateKey: KeyObject): Buffer {
  const scalar = Buffer.from(String(privateKey.export({ format: 'jwk' }).d), 'base64url');
  if (scalar.length !== SCALAR_BYTES) throw refused('escrow/wrong-key', 'a P-384 private key', 'another one');
  return scalar;
}

/** Null for bytes that are no private key of the curve. */
function keyOf(scalar: Uint8Array): KeyObject | null {
  if (scalar.length !== SCALAR_BYTES) return null;
  const ecdh = createECDH(CURVE);
  try {
    ecdh.setPrivateKey(Buffer.from(scalar.buffer, scalar.byteOffset, scalar.length));
  } catch {
    return null;
  }
  const point = ecdh.getPublicKey();
  const text = (from: number, bytes: Uint8Array): string =>
    Buffer.from(bytes.subarray(from, from + SCALAR_BYTES)).toString('base64url');
  const [x, y, d] = [text(1, point), text(1 + SCALAR_BYTES, point), text(0, scalar)];
  return createPrivateKey({ key: { kty: 'EC', crv: 'P-384', x, y, d }, format: 'jwk' });
}

function refused(code: FailureCode, expected: string, got: string, where?: string): Failure {
  return new Failure(code, { expected, got, ...(where === undefined ? {} : { where }) });
}
