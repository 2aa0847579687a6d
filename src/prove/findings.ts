// SPDX-License-Identifier: AGPL-3.0-or-later

/** What is held against a proof bundle: each code once, with what it means. A retired code stays as a comment. */
export const BUNDLE_CATALOGUE = {
  'proof/file-missing': 'a file that every bundle has is not there',
  'proof/file-unknown': 'a file that no bundle has',
  'proof/file-malformed': 'a file is not of the form that its name says',
  'proof/file-derived': 'a file says something else than those it was made from, or was made by another version',
  'proof/trust-other': 'the bundle’s trust file or policy is not the one that was given',
  'proof/record-proof': 'the record is not in the log whose checkpoint is there, or the checkpoint does not hold',
  'proof/manifest': 'the manifest is not signed by the root of the trust file',
  'proof/batch-signature': 'the batch is not signed by a connector or reader of the manifest',
  'proof/batch-record': 'the signed batch does not cover the record',
  'proof/neighbour-link': 'a neighbour is not the record’s neighbour in its stream',
  'proof/neighbour-proof': 'a neighbour is not in the log',
  'proof/seal': 'the head seal is not in the log, or says something else of the stream',
  'proof/stamp':
    'a time stamp is not over a checkpoint that the record is in, not by an authority that is trusted, or otherwise does not hold',
  'proof/content': 'disclosed content is not what the record commits to',
} as const satisfies Record<string, string>;

export type BundleCode = keyof typeof BUNDLE_CATALOGUE;

export interface BundleFinding {
  readonly code: BundleCode;
  readonly meaning: string;
  readonly file: string;
  readonly expected: string;
  readonly got: string;
}
