// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { canonicalize } from '../record/canonical.ts';
import type { Hex128 } from '../record/entry-types.ts';
import type { NativeId } from '../record/message.ts';
import type { App } from '../record/vocabulary.ts';

const PSEUDONYM_HEX_DIGITS = 32;
const TAG_KEY_BYTES = 32;

/** Pseudonym of an account: the same on every device and after a lost spool, and meaningless without the deployment's secret. */
export function accountPseudonym(deployment: KeyObject, app: App, account: string): Hex128 {
  return pseudonym(deployment, `holdfast account v1\n${app}\n${account}`);
}

/**
 * Pseudonym of one of several devices of an account, which run on hosts of their own so that the loss of one loses nothing. Each has streams
 * of its own; their tags are the account's.
 */
export function devicePseudonym(deployment: KeyObject, app: App, account: string, device: string): Hex128 {
  return pseudonym(deployment, `holdfast device v1\n${app}\n${device}\n${account}`);
}

/** Per-account key under which native identities become comparable, and only comparable. */
export function tagKey(deployment: KeyObject, account: Hex128): KeyObject {
  const material = Buffer.from(hkdfSync('sha256', deployment, '', `holdfast tag v1\n${account}`, TAG_KEY_BYTES));
  const key = createSecretKey(material);
  material.fill(0);
  return key;
}

/** Two captures of one native message, by any device of the account, have the same tag. */
export function nativeTag(key: KeyObject, native: NativeId): Hex128 {
  return pseudonym(key, canonicalize([native.chat, native.sender, native.id, native.kind, native.revision]));
}

function pseudonym(key: KeyObject, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex').slice(0, PSEUDONYM_HEX_DIGITS);
}
