// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZES = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

/** `250ms`, `5s`, `30m`, `1h`, `14d`; becomes milliseconds. */
export const duration = z
  .string()
  .regex(/^[1-9]\d{0,6}(?:ms|s|m|h|d)$/, 'expected a duration such as 250ms, 5s, 30m, 1h or 14d')
  .transform((text) => {
    const unit = /[a-z]+$/.exec(text)?.[0] as keyof typeof UNITS;
    return Number.parseInt(text, 10) * UNITS[unit];
  });

/** `4MiB`, `20GiB`; becomes bytes. */
export const byteSize = z
  .string()
  .regex(/^[1-9]\d{0,6}(?:KiB|MiB|GiB|TiB)$/, 'expected a size such as 4MiB or 20GiB')
  .transform((text) => {
    const unit = text.slice(-3) as keyof typeof SIZES;
    return Number.parseInt(text, 10) * SIZES[unit];
  });
