// SPDX-License-Identifier: AGPL-3.0-or-later

/** A text of the form that an epoch's document has: names these recipients, and holds nothing that opens. */
export function standInEpoch(kids: readonly string[], word: string): string {
  const text = Buffer.from(word).toString('base64url');
  const epk = { crv: 'P-384', kty: 'EC', x: 'A'.repeat(64), y: 'B'.repeat(64) };
  const recipients = kids.map((kid) => {
    return { encrypted_key: text, header: { alg: 'ECDH-ES+A256KW', epk, kid } };
  });
  return JSON.stringify({ ciphertext: text, iv: text, protected: text, recipients, tag: text });
}
