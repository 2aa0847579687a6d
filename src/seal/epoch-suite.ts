// SPDX-License-Identifier: AGPL-3.0-or-later

/** `suite` names all algorithms of an epoch: JWE ECDH-ES+A256KW on P-384 with A256GCM, the HMAC-SHA-384 ratchet, AES-256-GCM. */
export const SUITE = 'HF1-P384-A256GCM';
export const KEY_MANAGEMENT = 'ECDH-ES+A256KW';
export const CONTENT_ENCRYPTION = 'A256GCM';
export const SECRET_BYTES = 48;
