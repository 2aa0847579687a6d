// SPDX-License-Identifier: AGPL-3.0-or-later
import type { FindingCode } from '../../src/verify/findings.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { relog, type Draft } from '../verify/relog.ts';

/** What is changed in words, the change, and exactly the codes that it must yield: none where it is allowed. */
export type ArchiveRow = readonly [string, (archive: MemoryArchive) => void, readonly FindingCode[]];

/** The same for a change to the log before it is written and signed again, as an insider with all keys could. */
export type DraftRow = readonly [string, (draft: Draft) => void, readonly FindingCode[]];

/** The log is written again with everything that follows from the change made right, so that only the change is wrong. */
export function relogged(rows: readonly DraftRow[]): ArchiveRow[] {
  return rows.map(([kind, change, codes]) => [kind, (archive) => relog(archive, change), codes]);
}
