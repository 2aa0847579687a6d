// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { byteSize, duration } from './duration.ts';

// The archiver's part of the config: where the archive is, its rhythm, and who watches it.

const path = z.string().min(1);

const s3 = z
  .strictObject({
    endpoint: z.url().optional().describe('Leave out for AWS.'),
    region: z.string().min(1).default('us-east-1').describe('Region of the bucket; part of every signature.'),
    pathStyle: z.boolean().default(false).describe('True for most S3 servers other than AWS.'),
    credentials: path.describe('File with two or three lines: access key id, secret access key, session token.'),
    ca: path.optional().describe('PEM of the authorities to trust instead of the system’s.'),
    maxRetainDays: z.int().min(1).max(36_500).default(4000).describe('No lock ever goes further than this.'),
  })
  .describe('How to reach the bucket of an `s3://` archive.');

export const archive = z
  .strictObject({
    url: z
      .string()
      .regex(/^(?:file:\/\/\/|s3:\/\/[a-z0-9][a-z0-9.-]+)/, 'expected file:///directory or s3://bucket/prefix')
      .describe('Where the archive lives.'),
    s3: s3.optional(),
    flushBytes: byteSize.prefault('4MiB').describe('A segment is written when this much waits.'),
    flushAfter: duration.prefault('5s').describe('… or after this long.'),
    headsEvery: duration.prefault('1d').describe('How often the heads of all streams are sealed into the log.'),
    readBackAfter: duration
      .prefault('1h')
      .describe('How long after writing a pack is read again, before spools may prune.'),
    tilesEvery: duration
      .prefault('1h')
      .describe(
        'How often the log is published as C2SP tiles, if it has grown; and once more when the archiver stops.',
      ),
    witnessEvery: duration
      .prefault('1h')
      .describe(
        'How often witnesses are asked to cosign, if the log has grown; and once more when the archiver stops.',
      ),
    witnessAlarmAfter: duration
      .prefault('1d')
      .describe('An alarm says so when a witness has not cosigned for this long, though the log has grown.'),
    timeStampEvery: duration
      .prefault('1d')
      .describe('How often time-stamping authorities are asked, if the log has grown.'),
  })
  .describe('The archive.');

export const timeStamp = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).describe('Where an RFC 3161 time-stamping authority takes requests.'),
  ca: path.describe('PEM: the authority’s root, and what stands between it and its signer.'),
  crls: z
    .array(z.url({ protocol: /^(?:https?|file)$/ }))
    .default([])
    .describe('Where its revocation lists are; they are kept with each token.'),
});

const witnessName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{0,63}$/, 'expected the name of a witness in the manifest')
  .describe('Its name in the manifest, under which it signs.');

export const witness = z.strictObject({
  name: witnessName,
  url: z.url({ protocol: /^https?$/ }).describe('Where it takes checkpoints, without `/add-checkpoint`.'),
});

export const ownWitness = z
  .strictObject({
    name: witnessName,
    key: path.describe('Its private key, made by `holdfast keygen witness`.'),
    directory: path.describe('Its database.'),
  })
  .describe(
    'Evaluation only: a witness in the process of `holdfast up`, to see what cosigning looks like. It watches itself, so it proves nothing.',
  );
