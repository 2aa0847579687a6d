// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';

/** The conversation that a name means, of all that have it. Throws `search/not-found` unless it is one, and lists the numbers of the others. */
export function oneConversation(found: readonly number[]): number {
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new Failure('search/not-found', {
    expected: 'a name that one conversation has',
    got:
      found.length === 0
        ? 'one that none has'
        : `one that ${found.length} have: ${found.map((id) => `#${id}`).join(', ')}`,
    fix: 'name it by its number; `holdfast show` without a name lists them',
  });
}
