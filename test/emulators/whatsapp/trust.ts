// SPDX-License-Identifier: AGPL-3.0-or-later
import { WA_CERT_DETAILS } from '@whiskeysockets/baileys';

/** Replaces the root of the Noise certificates in this process. Tests only; undo with the returned function. */
export function trustEmulator(noiseRoot: Uint8Array): () => void {
  const builtIn = WA_CERT_DETAILS.PUBLIC_KEY;
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(noiseRoot);
  return () => {
    WA_CERT_DETAILS.PUBLIC_KEY = builtIn;
  };
}
