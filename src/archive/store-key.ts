// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';

/**
 * What may happen to an object after it was written. `locked` objects are created once and win by being first; `derived` ones are
 * rebuilt from segments at any time, so the current one counts.
 */
export type ObjectClass = 'locked' | 'derived';

const PART = /^[a-z0-9_-][a-z0-9._-]{0,199}$/;
const DERIVED = /^(?:.+\/)?(?:checkpoint|tile\/.+)$/;
const LOCKED_FOLDER = /^(?:.+\/)?(?:media|pack|segment|heads|tsa|witness)\//;
const MAX_KEY_CHARS = 900;

/** Everything that is not plainly derivable is locked: a new folder is safe before anybody thinks about it. */
export function objectClass(key: string): ObjectClass {
  return DERIVED.test(key) && !LOCKED_FOLDER.test(key) ? 'derived' : 'locked';
}

/** No part may begin with a dot: `..` cannot climb, and a directory keeps its own working areas under dot names. */
export function assertKey(key: string): void {
  if (key.length <= MAX_KEY_CHARS && key.split('/').every((part) => PART.test(part))) return;
  throw new Failure('store/bad-key', {
    expected: 'parts of a-z 0-9 . _ - between single slashes, none beginning with a dot',
    got: 'another form',
    where: shownKey(key),
  });
}

export function assertPrefix(prefix: string): void {
  if (prefix === '') return;
  assertKey(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
}

export function assertLocked(key: string): void {
  assertKey(key);
  if (objectClass(key) === 'locked') return;
  throw new Failure('store/bad-key', { expected: 'a key to be created once', got: 'a derived one', where: key });
}

export function assertDerived(key: string): void {
  assertKey(key);
  if (objectClass(key) === 'derived') return;
  throw new Failure('store/bad-key', {
    expected: '`checkpoint` or `tile/…`',
    got: 'a key whose objects carry a lock',
    where: key,
    fix: 'create it under a lock',
  });
}

/** A key of the wrong form may hold anything, so only its length is shown. */
function shownKey(key: string): string {
  return /^[a-z0-9./_-]{1,200}$/.test(key) ? key : `a key of ${key.length} characters`;
}
