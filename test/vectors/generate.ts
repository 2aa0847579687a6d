// SPDX-License-Identifier: AGPL-3.0-or-later
import { writeFileSync } from 'node:fs';
import { CONNECTOR, ESCROW, READER, type RecipientPair } from './keys.ts';
import * as log from './log-vectors.ts';
import * as record from './record-vectors.ts';
import * as seal from './seal-vectors.ts';

// Writes the vectors of this folder: test data for another implementation of the format. Everything in them is fixed, keys too,
// so running it changes nothing unless the format changed. `node test/vectors/generate.ts`; tests compare and never write.

/** All vector files by name. */
export function makeVectors(): Readonly<Record<string, unknown>> {
  return {
    entries: {
      about: 'Log entries. ok: id is SHA-256(0x00 || text). error: the code parseEntry refuses with.',
      cases: record.entryVectors(),
    },
    batch: {
      about: 'Batch statements, checked with the connector key. batchId is SHA-256(text).',
      connector: CONNECTOR.key.raw.toString('base64'),
      cases: record.batchVectors(),
    },
    checkpoint: { about: 'Signed checkpoints, opened with the log verifier key.', ...log.checkpointVectors() },
    manifest: { about: 'Key manifests, opened with the root key for the log origin.', ...log.manifestVectors() },
    receipt: {
      about: 'Receipts, checked with the log verifier key against the checkpoint accepted last.',
      ...log.receiptVectors(),
    },
    heads: { about: 'Heads files. root: RFC 6962 over the lines `stream seq id`.', cases: log.headsVectors() },
    segment: { about: 'Segments, tail checked with the archiver key.', ...log.segmentVectors() },
    commitment: { about: 'Part commitments and the commitment of a record. Hex.', ...(log.commitmentVectors() as object) },
    merkle: { about: 'RFC 6962 roots and proofs over fixed leaf hashes. Base64.', ...(log.merkleVectors() as object) },
    epoch: {
      about: 'A stored epoch that opens with the key of each holder alone; texts that must not open.',
      ...(seal.epochVectors() as object),
    },
    'sealed-record': { about: 'Records under fixed secret, nonce and salts. Hex.', ...(seal.recordVectors() as object) },
    object: { about: 'Sealed objects under a fixed key.', ...(seal.objectVectors() as object) },
    padding: { about: 'Padded lengths.', cases: seal.paddingVectors() },
    tag: { about: 'Account pseudonym and native tag.', ...(seal.tagVectors() as object) },
    keys: {
      about: 'The fixed key pairs. Ed25519: SHA-256("holdfast test key " + word) is the seed. Never use one for anything else.',
      connectorSeed: CONNECTOR.seed.toString('hex'),
      recipients: [READER, ESCROW].map(({ recipient, jwk }: RecipientPair) => ({ ...recipient, jwk })),
    },
  };
}

/** The bytes of a vector file. */
export function render(vectors: unknown): string {
  return `${JSON.stringify(vectors, null, 1)}\n`;
}

if (import.meta.main) {
  for (const [name, vectors] of Object.entries(makeVectors())) {
    writeFileSync(new URL(`${name}.json`, import.meta.url), render(vectors));
  }
}
