// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import type { ActsDb } from '../search/acts-db.ts';

/** The id of the one matter that is meant: by name, by the beginning of its id, or by its whole id before the index knows it. */
export function matterId(acts: ActsDb, value: string): string {
  const found = acts.mattersCalled(value);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.matter;
  if (found.length === 0 && /^[0-9a-f]{32}$/.test(value)) return value;
  throw new Failure('matters/not-found', {
    expected: 'a name or an id that one matter has',
    got: found.length === 0 ? 'one that none has' : `one that ${found.length} have`,
    fix: '`holdfast matter list` shows them; a new one is there once it is archived and indexed: until then name its id',
  });
}
