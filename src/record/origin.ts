// SPDX-License-Identifier: Apache-2.0

/** One to eight parts; the one definition for grammar, statements, manifests, trust files and configs. */
export const ORIGIN_PATTERN = '[a-z0-9][a-z0-9.-]{0,63}(?:/[a-z0-9][a-z0-9.-]{0,63}){0,7}';

const ORIGIN = new RegExp(`^${ORIGIN_PATTERN}$`);
/** Folders of the layout: as part of an origin they would make one object's key look like another's. */
const RESERVED = new Set(['heads', 'media', 'pack', 'segment', 'tile', 'tsa', 'witness']);

/** True for a name that a log may have. */
export function isOrigin(text: unknown): text is string {
  return typeof text === 'string' && ORIGIN.test(text) && !text.split('/').some((part) => RESERVED.has(part));
}
