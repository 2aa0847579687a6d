// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';

/** How the reader's API is served. Beyond this machine needs a way to sign on, which there is not yet: so it cannot be asked for. */
export const webSettings = z
  .strictObject({
    host: z.enum(['127.0.0.1', '::1']).default('127.0.0.1').describe('This machine only.'),
    port: z.int().min(0).max(65_535).default(8470).describe('0 takes a free one.'),
    token: z
      .string()
      .min(1)
      .optional()
      .describe(
        'File with the token, mode 0600, made if it is not there; `web.token` in the index’s directory if left out.',
      ),
    exports: z
      .string()
      .min(1)
      .optional()
      .describe(
        'A directory of mode 0700 for exports that are ordered by the API, on a local, encrypted disk: they are plaintext. Made if it is not there; if left out, beside the index’s directory, by its name with `-exports`.',
      ),
  })
  .describe('Serves the API for one user of this machine while `holdfast read` follows the log.');
