// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from '../base/config.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { FormatError } from '../record/format-error.ts';
import { signingKeyOf } from '../record/key.ts';
import { openManifest, signersOf, type Manifest, type SignerRole } from '../record/manifest.ts';
import { parseTrust, type Trust } from '../record/trust.ts';

/** What a role believes in: the trust file, and the manifest its root signed. */
export interface Trusted {
  readonly trust: Trust;
  readonly manifest: Manifest;
  /** The manifest as signed, one line. */
  readonly document: string;
}

export function readTrust(path: string): Trust {
  const text = readText(path, 'a trust file');
  return said(path, 'get the trust file again from whoever ran `holdfast init`, by a way of its own', () =>
    parseTrust(text),
  );
}

/** The trust file of the config's own log. Throws `config/trust` for another one's. */
export function readOwnTrust(config: Pick<Config, 'trust' | 'origin'>): Trust {
  const trust = readTrust(config.trust);
  if (trust.origin === config.origin) return trust;
  throw new Failure('config/trust', {
    expected: `a trust file for ${config.origin}`,
    got: `one for ${trust.origin}`,
    where: config.trust,
    fix: 'set `origin` to the log of the trust file, or get the trust file of this log',
  });
}

export function readTrusted(config: Pick<Config, 'trust' | 'manifest' | 'origin'>): Trusted {
  const trust = readOwnTrust(config);
  const document = readDocument(config.manifest, 'a signed manifest');
  const again = 'get the manifest again from whoever has the root key; it must be of this log and under this root';
  const manifest = said(config.manifest, again, () => openManifest(document, trust.root, config.origin));
  return { trust, manifest, document };
}

/** Says of what is wrong with a file which file it is and what to do. */
function said<T>(where: string, fix: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof FormatError ? error.in(where, fix) : error;
  }
}

/** One line, as it was signed. */
export function readDocument(path: string, expected: string = 'a signed document'): string {
  return readText(path, expected).trim();
}

export function readText(path: string, expected: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Failure('config/missing', {
      expected,
      got: codeOf(cause),
      where: path,
      fix: 'get it from whoever ran `holdfast init`; one made anew is for another log',
      cause,
    });
  }
}

/** Throws `config/key-unknown` unless the manifest names this key in this role: what it signed would be refused everywhere. */
export function assertNamed(manifest: Manifest, role: SignerRole, key: KeyObject, where: string): void {
  const { id } = signingKeyOf(key);
  if (signersOf(manifest, role).has(id)) return;
  throw new Failure('config/key-unknown', {
    expected: `a key that the manifest names as ${role}`,
    got: `key ${id}`,
    where,
    fix: 'have the root sign a manifest with this key (`holdfast manifest`), or use the right key file',
  });
}
