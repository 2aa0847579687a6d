// SPDX-License-Identifier: AGPL-3.0-or-later
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { EMPTY_ROOT } from '../../src/record/hash.ts';
import { checkpointKey, segmentKey } from '../../src/record/layout.ts';
import { parseSegment, type Segment } from '../../src/record/segment.ts';
import { ARCHIVER, CONNECTOR, LOG, ORIGIN, signingPair } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { relog, resealed, type DraftSegment } from '../verify/relog.ts';
import type { ArchiveRow } from './row.ts';

export const segmentAt = (archive: MemoryArchive, n: number): Segment =>
  parseSegment(archive.get(archive.key('/segment/', n)));

function publish(archive: MemoryArchive, size: number, root: Buffer, key = LOG): void {
  archive.put(checkpointKey(ORIGIN), signCheckpoint({ origin: ORIGIN, size, root }, key.privateKey));
}

function reseal(n: number, change: Parameters<typeof resealed>[1], archiver = ARCHIVER): ArchiveRow[1] {
  return (archive) => {
    const key = archive.key('/segment/', n);
    archive.put(key, resealed(archive.get(key), change, archiver));
  };
}

/** Changes the head of a segment. */
function editHead(n: number, change: (head: Record<string, unknown>) => void): ArchiveRow[1] {
  return reseal(n, (lines) => {
    const head = JSON.parse(lines[1] as string) as Record<string, unknown>;
    change(head);
    lines[1] = JSON.stringify(head);
  });
}

function noteOf(size: number, root: Buffer, key = LOG): string {
  return signCheckpoint({ origin: ORIGIN, size, root }, key.privateKey);
}

const STRANGER = signingPair('stranger');

export const SEGMENTS: readonly ArchiveRow[] = [
  [
    'a first segment that is gone',
    (archive) => archive.remove(archive.key('/segment/', 0)),
    ['verify/segment-missing'],
  ],
  ['a segment that is gone', (archive) => archive.remove(archive.key('/segment/', 3)), ['verify/segment-missing']],
  [
    'a last segment that is gone',
    (archive) => archive.remove(archive.key('/segment/', -1)),
    ['verify/checkpoint-ahead'],
  ],
  [
    'two segments that changed places',
    (archive) => {
      const [a, b] = [archive.key('/segment/', 2), archive.key('/segment/', 3)];
      const bytes = archive.get(a);
      archive.put(a, archive.get(b));
      archive.put(b, bytes);
    },
    ['verify/segment-place'],
  ],
  [
    'a segment inside of another',
    (archive) => archive.put(segmentKey(ORIGIN, 1), archive.get(archive.key('/segment/', 1))),
    ['verify/segment-overlap'],
  ],
  [
    'a segment of another log',
    (archive) => {
      const key = archive.key('/segment/', 2);
      archive.put(key, archive.get(key).toString().replaceAll(`"origin":"${ORIGIN}"`, '"origin":"other.example/log"'));
      archive.put(
        key,
        resealed(archive.get(key), () => undefined),
      );
    },
    ['verify/segment-place'],
  ],
  ['an archiver that no manifest names', reseal(3, () => undefined, STRANGER), ['verify/segment-signer']],
  ['a connector that signs segments', reseal(3, () => undefined, CONNECTOR), ['verify/segment-signer']],
  [
    'a tail under another’s signature',
    (archive) => {
      const key = archive.key('/segment/', 3);
      const forged = resealed(archive.get(key), () => undefined, STRANGER).toString();
      archive.put(key, forged.replace(`"key":"${STRANGER.key.id}","origin"`, `"key":"${ARCHIVER.key.id}","origin"`));
    },
    ['verify/segment-signature'],
  ],
  [
    'another root in a tail',
    reseal(3, (_lines, tail) => void (tail['root'] = EMPTY_ROOT.toString('base64'))),
    ['verify/segment-root'],
  ],
  [
    'a time that no calendar has',
    reseal(3, (_lines, tail) => void (tail['at'] = '2026-13-01T00:00:00Z')),
    ['verify/segment-malformed'],
  ],
  [
    'another log before a segment',
    editHead(3, (head) => void (head['edge'] = (head['edge'] as string[]).map(() => EMPTY_ROOT.toString('base64')))),
    ['verify/segment-edge'],
  ],
  [
    'a carried checkpoint of another key',
    (archive) => {
      const { first } = segmentAt(archive, 3).head;
      const { root } = segmentAt(archive, 2).tail;
      editHead(3, (head) => void (head['checkpoint'] = noteOf(first, root, STRANGER)))(archive);
    },
    ['verify/segment-checkpoint-unsigned'],
  ],
  [
    'a carried checkpoint that is no note',
    editHead(3, (head) => void (head['checkpoint'] = 'none')),
    ['verify/segment-checkpoint-unsigned'],
  ],
  [
    'a carried checkpoint of an earlier size',
    (archive) => editHead(3, (head) => void (head['checkpoint'] = segmentAt(archive, 2).head.checkpoint))(archive),
    ['verify/segment-checkpoint-root'],
  ],
  [
    'a fork: the log key signed another log before the segment',
    (archive) => {
      const { first } = segmentAt(archive, 3).head;
      editHead(3, (head) => void (head['checkpoint'] = noteOf(first, EMPTY_ROOT)))(archive);
    },
    ['verify/segment-checkpoint-root'],
  ],
  [
    'segments made anew by an archiver, without the log key',
    (archive) => {
      const original = archive.clone();
      relog(archive, ({ segments }) => {
        for (const [n, segment] of segments.entries()) {
          segment.editCheckpoint = () => segmentAt(original, n).head.checkpoint;
        }
        const again = segments[0]?.own.findLast(({ t }) => t === 'retention') as DraftSegment['own'][number];
        segments[3]?.own.push(again);
      });
      archive.put(checkpointKey(ORIGIN), original.get(checkpointKey(ORIGIN)));
    },
    ['verify/checkpoint-root', 'verify/segment-checkpoint-root'],
  ],
  [
    'a checkpoint by another key',
    (archive) => publish(archive, 10, EMPTY_ROOT, STRANGER),
    ['verify/checkpoint-unsigned'],
  ],
  [
    'a checkpoint that is no note',
    (archive) => archive.put(checkpointKey(ORIGIN), 'none'),
    ['verify/checkpoint-unsigned'],
  ],
  ['a checkpoint ahead of the entries', (archive) => publish(archive, 1000, EMPTY_ROOT), ['verify/checkpoint-ahead']],
  [
    'a checkpoint over another log of the same size',
    (archive) => publish(archive, segmentAt(archive, -1).tail.size, EMPTY_ROOT),
    ['verify/checkpoint-root'],
  ],
  [
    'a checkpoint over another log, inside of a segment',
    (archive) => publish(archive, 8, EMPTY_ROOT),
    ['verify/checkpoint-root'],
  ],
  [
    'a foreign file among segments',
    (archive) => archive.put(`log/${ORIGIN}/segment/notes.txt`, 'x'),
    ['verify/version-unknown-key'],
  ],
];
