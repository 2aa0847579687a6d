// SPDX-License-Identifier: AGPL-3.0-or-later
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { EMPTY_ROOT } from '../../src/record/hash.ts';
import { checkpointKey } from '../../src/record/layout.ts';
import { parseSegment } from '../../src/record/segment.ts';
import { CONNECTOR, LOG, ORIGIN } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { relog, type Draft, type DraftRecord, type DraftSegment } from '../verify/relog.ts';
import type { ArchiveRow } from './row.ts';

/** An archive that is whole in itself, and what an auditor kept of the one before it. */
export type HistoryRow = readonly [...ArchiveRow, (clean: MemoryArchive) => string];

/** The checkpoint under the whole log as it was. */
const kept = (clean: MemoryArchive): string => clean.get(checkpointKey(ORIGIN)).toString();

/** The checkpoint that the n-th segment carries: what somebody saw on the day before it. */
const keptBefore =
  (n: number) =>
  (clean: MemoryArchive): string =>
    parseSegment(clean.get(clean.key('/segment/', n))).head.checkpoint;

const forged = (clean: MemoryArchive, key = LOG): string => {
  const { size } = parseSegment(clean.get(clean.key('/segment/', 2))).tail;
  return signCheckpoint({ origin: ORIGIN, size, root: EMPTY_ROOT }, key.privateKey);
};

const cutBack =
  (segments: number): ArchiveRow[1] =>
  (archive) =>
    relog(archive, (draft) => void draft.segments.splice(-segments));

/** The same log with other words of the same length in its first entry. */
const otherHistory: ArchiveRow[1] = (archive) =>
  relog(archive, ({ segments }) => {
    const store = segments[0]?.own.find(({ t }) => t === 'store') as { at: string };
    store.at = '2026-11-22T08:59:59Z';
  });

/** The last message is another one. Each view is whole in itself, and signed. */
function otherView(draft: Draft): void {
  const last = draft.all('content').at(-1) as DraftRecord;
  last.record = { ...last.record, tag: 'f'.repeat(32) } as DraftRecord['record'];
}

/** The log goes on for a segment. */
function goOn({ segments }: Draft): void {
  const [genesis] = segments as [DraftSegment];
  const again = genesis.own.findLast(({ t }) => t === 'retention') as DraftSegment['own'][number];
  segments.push({ ...genesis, at: (segments.at(-1) as DraftSegment).at, docs: [], batches: [], own: [again] });
}

export const HISTORY: readonly HistoryRow[] = [
  ['nothing: the log grew', () => undefined, [], keptBefore(-1)],
  ['the newest segment is gone, and the log is signed anew without it', cutBack(1), ['verify/since-rollback'], kept],
  ['the newest two segments are gone, and the log is signed anew', cutBack(2), ['verify/since-rollback'], kept],
  [
    'the first entry is another, and all that follows is signed anew',
    otherHistory,
    ['verify/since-fork'],
    keptBefore(2),
  ],
  ['the same, against the newest checkpoint', otherHistory, ['verify/since-fork'], kept],
  ['the log went on by a segment', (archive) => relog(archive, goOn), [], kept],
  [
    'a split view: this auditor is shown another message than the one who kept the checkpoint',
    (archive) => relog(archive, otherView),
    ['verify/since-fork'],
    kept,
  ],
  [
    'a split view that went on since',
    (archive) =>
      relog(archive, (draft) => {
        otherView(draft);
        goOn(draft);
      }),
    ['verify/since-fork'],
    kept,
  ],
  [
    'the log key signed another root for a size it had',
    () => undefined,
    ['verify/since-fork'],
    (clean) => forged(clean),
  ],
  [
    'the checkpoint that was kept is by another key',
    () => undefined,
    ['verify/since-malformed'],
    (clean) => forged(clean, CONNECTOR),
  ],
  ['the checkpoint that was kept is no note', () => undefined, ['verify/since-malformed'], () => 'none'],
];
