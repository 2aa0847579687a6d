// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { byteSize, duration } from '../../../base/duration.ts';

/** How files of messages, and blobs with history, are fetched. */
export const mediaConfig = z.strictObject({
  most: byteSize.prefault('2GiB').describe('Largest file to archive; a larger one is a gap.'),
  mostHistory: byteSize
    .prefault('512MiB')
    .describe('Largest part of the history that the phone sends, inflated; it is read in memory.'),
  atOnce: z.int().min(1).max(32).default(4).describe('Files under way at the same time.'),
  headers: duration.prefault('30s').describe('For the media host to answer.'),
  idle: duration.prefault('30s').describe('Without a byte, for this long: the connection is broken.'),
  total: duration.prefault('2h').describe('For one file, however slowly it comes.'),
  askAgain: duration
    .prefault('1h')
    .describe('First pause before the phone is asked once more to upload a file; it doubles, up to a day.'),
  giveUp: duration.prefault('30d').describe('A file that cannot be had for this long is lost.'),
  backlog: duration.prefault('10m').describe('A file that waits this long shows in health.'),
});
