// SPDX-License-Identifier: Apache-2.0
import { createPublicKey, type KeyObject } from 'node:crypto';
import { canonicalize, parseCanonical, type Json } from './canonical.ts';
import type { Hex256, Seconds } from './entry-types.ts';
import { FormatError } from './format-error.ts';
import { sha256Hex } from './hash.ts';
import {
  decodeBase64,
  keyIdOf,
  parseSigningKeyText,
  signBytes,
  signingKeyOf,
  verifyBytes,
  type KeyId,
  type SigningKey,
} from './key.ts';
import { isOrigin } from './origin.ts';

/** Who may do what, by signing key. */
export const SIGNER_ROLES = ['archiver', 'auditor', 'connector', 'officer', 'reader', 'witness'] as const;
export type SignerRole = (typeof SIGNER_ROLES)[number];
export const RECIPIENT_ROLES = ['escrow', 'reader'] as const;
export type RecipientRole = (typeof RECIPIENT_ROLES)[number];

/** A holder of a decryption key: every epoch is sealed to each of them. */
export interface Recipient {
  readonly role: RecipientRole;
  readonly kid: KeyId;
  /** P-384 public key coordinates, base64url as in a JWK. */
  readonly x: string;
  readonly y: string;
}

export interface Signer {
  readonly role: SignerRole;
  readonly name: string;
  /** Raw Ed25519 public key, base64. */
  readonly pub: string;
}

/** The root's word on which keys count. Entry `key` of the log puts it in force. */
export interface Manifest {
  readonly origin: string;
  /** 0 for the first; each next one is one higher and names the one before. */
  readonly n: number;
  readonly at: Seconds;
  readonly previous: Hex256 | null;
  /** True where one machine made all keys: every report then says so. */
  readonly evaluation: boolean;
  readonly recipients: readonly Recipient[];
  readonly signers: readonly Signer[];
}

const CONTEXT = 'holdfast manifest v1';
const NAME = /^[a-z0-9][a-z0-9.-]{0,63}$/;
const SECONDS = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const HEX_256 = /^[0-9a-f]{64}$/;
const COORDINATE = /^[A-Za-z0-9_-]{64}$/;

function manifestJson(manifest: Manifest): Record<string, Json> {
  const { origin, n, at, previous, evaluation, recipients, signers } = manifest;
  return {
    ctx: CONTEXT,
    origin,
    n,
    at,
    previous,
    evaluation,
    recipients: recipients.map(({ role, kid, x, y }) => ({ role, kid, x, y })),
    signers: signers.map(({ role, name, pub }) => ({ role, name, pub })),
  };
}

/** One line: the canonical manifest with the root's key id and signature. */
export function signManifest(manifest: Manifest, rootKey: KeyObject): string {
  assertManifest(manifest);
  const body = manifestJson(manifest);
  const sig = signBytes(rootKey, canonicalize(body)).toString('base64');
  return canonicalize({ manifest: body, root: signingKeyOf(rootKey).id, sig });
}

export function manifestHash(document: string): Hex256 {
  return sha256Hex(document);
}

/** Opens a manifest of the log `origin`, signed by `root`. Throws `format/manifest`, `format/manifest-signature` or `format/manifest-origin`. */
export function openManifest(document: string, root: SigningKey, origin: string): Manifest {
  const value = parseCanonical(document) as Readonly<Record<string, Json>>;
  const { manifest: body, root: rootId, sig } = value ?? {};
  if (typeof body !== 'object' || body === null || typeof sig !== 'string' || typeof rootId !== 'string') {
    throw malformed('a signed manifest');
  }
  const signature = decodeBase64('format/key', sig);
  if (rootId !== root.id || !verifyBytes(root, canonicalize(body), signature)) {
    throw new FormatError(
      'format/manifest-signature',
      `a signature by root key ${root.id}`,
      'one that does not verify',
    );
  }
  const { ctx, ...rest } = body as Readonly<Record<string, Json>>;
  if (ctx !== CONTEXT) throw malformed(CONTEXT);
  const manifest = rest as unknown as Manifest;
  assertManifest(manifest);
  // Members that are unknown, or that the signature does not cover, would let one signed manifest have many hashes.
  if (canonicalize({ manifest: manifestJson(manifest), root: rootId, sig }) !== document)
    throw malformed('no other members');
  if (manifest.origin !== origin)
    throw new FormatError('format/manifest-origin', `a manifest of ${origin}`, 'one of another log');
  return manifest;
}

/** The log that a document says it is of, believed by nobody yet: for whoever holds the root key and signs the next one. */
export function statedOrigin(document: string): string {
  const { manifest } = (parseCanonical(document) ?? {}) as { readonly manifest?: { readonly origin?: Json } };
  if (typeof manifest?.origin !== 'string') throw malformed('a signed manifest');
  return manifest.origin;
}

function malformed(expected: string): FormatError {
  return new FormatError('format/manifest', expected, 'another value');
}

/** Shape and rules: known roles, good keys, at least a reader and an escrow recipient. */
function assertManifest(manifest: Manifest): void {
  const { origin, n, at, previous, evaluation, recipients, signers } = manifest;
  if (!isOrigin(origin) || !Number.isSafeInteger(n) || n < 0 || !matches(SECONDS, at)) {
    throw malformed('origin, number and time');
  }
  if (n === 0 ? previous !== null : !matches(HEX_256, previous)) throw malformed('a link to the manifest before');
  if (typeof evaluation !== 'boolean') throw malformed('evaluation or not');
  if (!Array.isArray(recipients) || !Array.isArray(signers)) throw malformed('recipients and signers');
  recipients.forEach(assertRecipient);
  signers.forEach(assertSigner);
  for (const role of RECIPIENT_ROLES) {
    if (!recipients.some((recipient) => recipient.role === role)) throw malformed(`a recipient of role ${role}`);
  }
  const keys = [...recipients.map(({ kid }) => kid), ...signers.map(({ pub }) => pub)];
  if (new Set(keys).size !== keys.length) throw malformed('every key once');
}

// Types say what was written; these say what was read.
function matches(pattern: RegExp, value: unknown): boolean {
  return typeof value === 'string' && pattern.test(value);
}

function assertRecipient(recipient: Recipient | null): void {
  if (recipient === null) throw malformed('a P-384 recipient');
  const { role, kid, x, y } = recipient;
  if (!RECIPIENT_ROLES.includes(role) || !matches(COORDINATE, x) || !matches(COORDINATE, y))
    throw malformed('a P-384 recipient');
  if (keyIdOf(recipientKey(recipient).export({ format: 'der', type: 'spki' })) !== kid) {
    throw malformed('the key id of the recipient key');
  }
}

function assertSigner(signer: Signer | null): void {
  if (
    signer === null ||
    !SIGNER_ROLES.includes(signer.role) ||
    !matches(NAME, signer.name) ||
    typeof signer.pub !== 'string'
  ) {
    throw malformed('a named signer of a known role');
  }
  parseSigningKeyText(signer.pub);
}

/** The P-384 public key of a recipient. Throws `format/manifest` if the point is not on the curve. */
export function recipientKey({ x, y }: Pick<Recipient, 'x' | 'y'>): KeyObject {
  try {
    return createPublicKey({ key: { kty: 'EC', crv: 'P-384', x, y }, format: 'jwk' });
  } catch {
    throw malformed('a point of P-384');
  }
}

/** The signers of one role, by key id. */
export function signersOf(manifest: Manifest, role: SignerRole): ReadonlyMap<KeyId, SigningKey> {
  const keys = manifest.signers.filter((signer) => signer.role === role).map(({ pub }) => parseSigningKeyText(pub));
  return new Map(keys.map((key) => [key.id, key]));
}
