// SPDX-License-Identifier: AGPL-3.0-or-later

/** Equals `version` in package.json; a test holds them together. */
export const VERSION = '0.1.0';
