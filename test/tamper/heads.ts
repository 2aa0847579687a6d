// SPDX-License-Identifier: AGPL-3.0-or-later
import type { HeadsEntry } from '../../src/record/entry-types.ts';
import type { Heads, StreamState } from '../../src/record/heads.ts';
import { ORIGIN } from '../vectors/keys.ts';
import { relog, type DraftSegment } from '../verify/relog.ts';
import type { ArchiveRow } from './row.ts';

/** Changes what the last heads say. */
function edit(
  change: (entry: HeadsEntry, file: Heads) => { entry?: Partial<HeadsEntry>; file?: Partial<Heads> },
): ArchiveRow[1] {
  return (archive) =>
    relog(archive, ({ segments }) => {
      const last = segments.findLast(({ own }) => own.some(({ t }) => t === 'heads')) as DraftSegment;
      last.editHeads = (entry, file) => {
        const changed = change(entry, file);
        return { entry: { ...entry, ...changed.entry }, file: { ...file, ...changed.file } };
      };
    });
}

/** Changes what they say of one stream. */
function editStream(change: Partial<StreamState>): ArchiveRow[1] {
  return edit((_entry, { streams: [first, ...others] }) => {
    return { file: { streams: [{ ...(first as StreamState), ...change }, ...others] } };
  });
}

export const HEADS: readonly ArchiveRow[] = [
  ['heads that are gone', (archive) => archive.remove(archive.key('/heads/', 0)), ['verify/heads-missing']],
  ['another root', edit(() => ({ entry: { root: '0'.repeat(64) } })), ['verify/heads-root']],
  ['another number of streams', edit(() => ({ entry: { streams: 99 } })), ['verify/heads-root']],
  [
    'a file that another entry names',
    edit(() => ({ entry: { file: { h: '0'.repeat(64), n: 10 } } })),
    ['verify/heads-malformed'],
  ],
  ['heads of another log', edit(() => ({ file: { origin: 'other.example/log' } })), ['verify/heads-place']],
  [
    'a stream that is left out',
    edit((_entry, { streams }) => ({ file: { streams: streams.slice(1) } })),
    ['verify/heads-streams'],
  ],
  ['a stream that stands elsewhere', editStream({ seq: 999 }), ['verify/heads-streams']],
  ['a stream that is said to be closed', editStream({ closed: true }), ['verify/heads-streams']],
  ['a stream of another key', editStream({ key: '0'.repeat(32) }), ['verify/heads-streams']],
  [
    'rules that are left out',
    edit((_entry, { rules }) => ({ file: { rules: rules.slice(1) } })),
    ['verify/heads-rules'],
  ],
  ['manifests that are left out', edit(() => ({ file: { docs: [] } })), ['verify/heads-rules']],
  [
    'a foreign file among heads',
    (archive) => archive.put(`log/${ORIGIN}/heads/notes`, 'x'),
    ['verify/version-unknown-key'],
  ],
];
