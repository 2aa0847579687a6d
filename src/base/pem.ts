// SPDX-License-Identifier: AGPL-3.0-or-later

/** A block of PEM, as `openssl` writes it. */
export function pemBlock(what: 'CERTIFICATE' | 'X509 CRL', der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${what}-----\n${lines.join('\n')}\n-----END ${what}-----\n`;
}
