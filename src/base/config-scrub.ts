// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { byteSize, duration } from './duration.ts';

const path = z.string().min(1);

export const scrub = z
  .strictObject({
    state: path.describe(
      'A directory of its own: where the round under way stands, so that the next start goes on there.',
    ),
    signing: path
      .optional()
      .describe(
        'Signs the result of a round for the log; the manifest names it as `auditor`. Without it nothing is logged.',
      ),
    within: duration
      .prefault('30d')
      .describe('A round should take no longer; `scrub.late` says that the rate is too low for that.'),
    bytesPerSecond: byteSize.prefault('20MiB').describe('No more than this is read in a second.'),
    requestsPerSecond: z.int().min(1).max(10_000).default(100).describe('No more requests than these in a second.'),
  })
  .describe('Reading again all that is stored: `holdfast scrub`. With rights to read and list alone.');
