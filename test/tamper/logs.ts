// SPDX-License-Identifier: AGPL-3.0-or-later
import { canonicalize, parseCanonical, type Json } from '../../src/record/canonical.ts';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import type { LogRecord } from '../../src/record/entry-types.ts';
import { signBytes } from '../../src/record/key.ts';
import { segmentPrefix } from '../../src/record/layout.ts';
import { completeLink, orderLink, type LogLink } from '../../src/record/link.ts';
import { noteKey } from '../../src/record/note.ts';
import { parseSegment } from '../../src/record/segment.ts';
import { LONG_CLASS } from '../support/archive-fixture.ts';
import { hexOf, LOG, ORIGIN, ROOT } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { relog } from '../verify/relog.ts';
import { STRANGER } from './keys.ts';
import { goOn, goOnIn, LINK, NEXT_LOG, NEXT_ORIGIN, type Change } from './next-log.ts';
import type { ArchiveRow } from './row.ts';

/** Where the small archive stands, as the root would write it down. */
function endOf(archive: MemoryArchive): NonNullable<LogLink['end']> {
  const { size, root } = parseSegment(archive.get(archive.keys(segmentPrefix(ORIGIN)).at(-1) as string)).tail;
  return { size, root: root.toString('hex') };
}

const forgedBy =
  (member: 'new' | 'old' | 'sig') =>
  (link: string): string => {
    const { [member]: _, ...rest } = parseCanonical(link) as Record<string, Json>;
    const sig = signBytes(STRANGER.privateKey, canonicalize(rest['link'] as Json)).toString('base64');
    return canonicalize({ ...rest, [member]: sig });
  };

const without =
  (member: 'new' | 'old') =>
  (link: string): string =>
    canonicalize({ ...(parseCanonical(link) as Record<string, Json>), [member]: null });

const line =
  (change: Change = {}): ArchiveRow[1] =>
  (archive) =>
    goOnIn(archive, change);

const abandoned =
  (cause: 'lost' | 'stolen', change: (end: NonNullable<LogLink['end']>) => Change = () => ({})): ArchiveRow[1] =>
  (archive) => {
    const { link, ...others } = change(endOf(archive));
    goOnIn(archive, { ...others, link: { cause, end: endOf(archive), ...link } });
  };

const BOTH_UNSIGNED = ['verify/link-missing', 'verify/link-signature'] as const;

function keeping(period: string, mode: 'COMPLIANCE' | 'GOVERNANCE'): LogRecord {
  const own = { v: 1, at: '2026-11-22T14:10:00Z', log: NEXT_ORIGIN, t: 'retention' } as const;
  return { ...own, class: LONG_CLASS, mode, period, max: 'P10Y', authority: 'NARA GRS 6.1 item 011' };
}

export const LOGS: readonly ArchiveRow[] = [
  ['nothing: the log ended, and another goes on', line(), []],
  [
    'a link that another than the new log key signed',
    line({ signed: forgedBy('new') }),
    [...BOTH_UNSIGNED, 'verify/stream-tail-missing'],
  ],
  [
    'a link that the new log key did not sign',
    line({ signed: without('new') }),
    [...BOTH_UNSIGNED, 'verify/stream-tail-missing'],
  ],
  [
    'a link that the old log key did not sign',
    line({ signed: without('old') }),
    [...BOTH_UNSIGNED, 'verify/stream-tail-missing'],
  ],
  [
    'a link that another than the root signed',
    line({ signed: forgedBy('sig') }),
    [...BOTH_UNSIGNED, 'verify/stream-tail-missing'],
  ],
  [
    'a link that is none',
    line({ signed: () => '{}' }),
    ['verify/link-missing', 'verify/link-malformed', 'verify/stream-tail-missing'],
  ],
  [
    'a link that is not the new log’s second entry',
    line({ genesis: ([first, second, third]) => [first, third, second] as LogRecord[] }),
    ['verify/link-missing', 'verify/link-malformed', 'verify/stream-tail-missing'],
  ],
  [
    'no link, though the trust file names a log before',
    line({ genesis: (entries) => entries.toSpliced(1, 1), documents: (documents) => documents.slice(0, 1) }),
    ['verify/link-missing', 'verify/stream-tail-missing'],
  ],
  [
    'a link whose document is not there',
    line({ documents: (documents) => documents.slice(0, 1) }),
    ['verify/link-missing', 'verify/link-malformed', 'verify/stream-tail-missing'],
  ],
  [
    'a link under another number',
    line({ link: { n: 2 } }),
    ['verify/link-missing', 'verify/link-malformed', 'verify/stream-tail-missing'],
  ],
  ['an earlier checkpoint of the old log', line({ checkpoint: (_, carried) => carried }), ['verify/log-continued']],
  [
    'a checkpoint that another than the old log key signed',
    line({
      checkpoint: (note) =>
        signCheckpoint(
          { origin: ORIGIN, size: Number(note.split('\n')[1]), root: Buffer.alloc(32) },
          STRANGER.privateKey,
        ),
    }),
    [...BOTH_UNSIGNED, 'verify/stream-tail-missing'],
  ],
  [
    'a checkpoint of another old log',
    line({
      checkpoint: (note) =>
        signCheckpoint({ origin: ORIGIN, size: Number(note.split('\n')[1]), root: Buffer.alloc(32) }, LOG.privateKey),
    }),
    ['verify/predecessor-end'],
  ],
  [
    'a checkpoint beyond the old log',
    line({ checkpoint: () => signCheckpoint({ origin: ORIGIN, size: 4096, root: Buffer.alloc(32) }, LOG.privateKey) }),
    ['verify/predecessor-end'],
  ],
  ['an old log that says nothing of its end', line({ isAnnounced: false }), ['verify/predecessor-end']],
  [
    'an old log that names another log than the one that follows',
    line({
      announced: () =>
        completeLink(
          orderLink({ ...LINK, to: noteKey('archive.example/elsewhere', NEXT_LOG.key) }, ROOT.privateKey),
          ROOT.key,
          {
            old: LOG.privateKey,
            new: NEXT_LOG.privateKey,
          },
        ),
    }),
    ['verify/predecessor-end'],
  ],
  [
    'an old log that names the next under another number',
    line({ entry: { n: 3 } }),
    ['verify/link-malformed', 'verify/predecessor-end'],
  ],
  ['an old log that goes on behind its end', line({ after: (old) => goOn(old) }), ['verify/log-continued']],
  [
    'an old log that is not here',
    line({ after: (old) => old.keys(`log/${ORIGIN}/`).forEach((key) => old.remove(key)) }),
    ['verify/predecessor-absent'],
  ],
  [
    'an old log of which a segment is gone',
    line({ after: (old) => old.remove(old.keys(segmentPrefix(ORIGIN)).at(1) as string) }),
    ['verify/segment-missing'],
  ],
  [
    'an old log without its last segment',
    line({ after: (old) => old.remove(old.keys(segmentPrefix(ORIGIN)).at(-1) as string) }),
    ['verify/checkpoint-ahead', 'verify/predecessor-end'],
  ],
  [
    'a stream that names more of the old log than there is',
    line({ last: (last) => ({ ...last, seq: last.seq + 1 }) }),
    ['verify/stream-tail-missing'],
  ],
  [
    'a stream that names another record of the old log',
    line({ last: (last) => ({ ...last, id: hexOf('other') }) }),
    ['verify/stream-tail-other'],
  ],
  [
    'a stream that names another account’s in the old log',
    line({ acct: hexOf('other', 32) }),
    ['verify/stream-last-account'],
  ],
  [
    'a new log that takes accounts over after hours, or not',
    line({ at: '2026-11-22T16:10:00Z' }),
    ['verify/silence-process', 'verify/silence-stream'],
  ],
  [
    'a new log that keeps a class for less long',
    line({ genesis: (entries) => [...entries, keeping('P7Y', 'COMPLIANCE'), keeping('P6Y11M', 'COMPLIANCE')] }),
    ['verify/retention-shortened'],
  ],
  [
    'a new log that begins with a shorter schedule, and lengthens it later',
    line({ genesis: (entries) => [...entries, keeping('P1Y', 'COMPLIANCE'), keeping('P9Y', 'COMPLIANCE')] }),
    ['verify/retention-shortened'],
  ],
  [
    'a new log whose locks are weaker',
    line({ genesis: (entries) => [...entries, keeping('P7Y', 'GOVERNANCE')] }),
    ['verify/retention-weakened'],
  ],
  [
    'a new log that keeps a class for longer',
    line({ genesis: (entries) => [...entries, keeping('P9Y', 'COMPLIANCE')] }),
    [],
  ],
  ['a log key that was lost: the root says where the log ended', abandoned('lost'), []],
  [
    'a log key that was stolen, and the thief went on',
    abandoned('stolen', () => ({ after: (old) => goOn(old) })),
    ['verify/log-continued'],
  ],
  [
    'a log key that was stolen, and the thief wrote another log',
    abandoned('stolen', () => ({
      after: (old) =>
        relog(
          old,
          ({ segments }) =>
            void ((segments.flatMap(({ own }) => own).find(({ t }) => t === 'store') as { at: string }).at =
              '2026-11-22T08:59:59Z'),
        ),
    })),
    ['verify/predecessor-end'],
  ],
  [
    'a log key that was lost, and an end that the log never had',
    abandoned('lost', (end) => ({ link: { end: { ...end, root: hexOf('other') } } })),
    ['verify/predecessor-end'],
  ],
];
