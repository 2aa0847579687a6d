// SPDX-License-Identifier: AGPL-3.0-or-later

/** In the order they are written. */
export const FORMATS = ['rsmf', 'jsonl', 'csv', 'html', 'pdf'] as const;
export type Format = (typeof FORMATS)[number];
