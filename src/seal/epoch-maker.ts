// SPDX-License-Identifier: AGPL-3.0-or-later
// The one part of it: all of the package takes a quarter of this process's time.
import { GeneralEncrypt } from 'jose/jwe/general/encrypt';
import { readFileSync, writeSync } from 'node:fs';
import { recipientKey, type Recipient } from '../record/manifest.ts';
import { CONTENT_ENCRYPTION, KEY_MANAGEMENT, SECRET_BYTES, SUITE } from './epoch-suite.ts';

/*
 * The main module of a process that wraps epoch secrets and ends. Wrapping leaves copies of the keys that lead to a secret in the
 * memory of whoever does it (measured: the JWE's content key until a collection, the wrapping key even after). Here they end
 * with the process, so that a dump of the connector opens nothing sealed before.
 *
 * Standard input: the secrets, one behind the other, then the recipients as JSON. Standard output: one JWE a line.
 */

async function wrap(secret: Uint8Array, recipients: readonly Recipient[]): Promise<string> {
  const encrypt = new GeneralEncrypt(secret).setProtectedHeader({ enc: CONTENT_ENCRYPTION, typ: SUITE });
  for (const recipient of recipients) {
    encrypt.addRecipient(recipientKey(recipient)).setUnprotectedHeader({ alg: KEY_MANAGEMENT, kid: recipient.kid });
  }
  return `${JSON.stringify(await encrypt.encrypt())}\n`;
}

const STANDARD_INPUT = 0;
const STANDARD_OUTPUT = 1;
const order = readFileSync(STANDARD_INPUT);
const count = Number(process.argv[2]);
const recipients = JSON.parse(order.toString('utf8', count * SECRET_BYTES)) as readonly Recipient[];
for (let at = 0; at < count * SECRET_BYTES; at += SECRET_BYTES) {
  writeSync(STANDARD_OUTPUT, await wrap(order.subarray(at, at + SECRET_BYTES), recipients));
}
