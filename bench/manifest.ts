// SPDX-License-Identifier: AGPL-3.0-or-later
// Who writes and reads the archives that benches make by themselves.
import { signManifest } from '../src/record/manifest.ts';
import { ARCHIVER, CONNECTOR, ESCROW, READER, ROOT, type SigningPair } from '../test/vectors/keys.ts';

const pub = ({ key }: SigningPair): string => key.raw.toString('base64');

export function firstManifest(origin: string, at: string): string {
  return signManifest(
    {
      origin,
      n: 0,
      at,
      previous: null,
      evaluation: true,
      recipients: [READER.recipient, ESCROW.recipient],
      signers: [
        { role: 'archiver', name: 'archiver', pub: pub(ARCHIVER) },
        { role: 'connector', name: 'connector', pub: pub(CONNECTOR) },
      ],
    },
    ROOT.privateKey,
  );
}
