// SPDX-License-Identifier: AGPL-3.0-or-later
import { sealedPart } from '../../src/record/entry.ts';
import type { PackEntry, SealedEntry } from '../../src/record/entry-types.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { packKey } from '../../src/record/layout.ts';
import { ORIGIN, READER, STRANGER } from '../vectors/keys.ts';
import { relog, type Draft, type DraftRecord, type DraftSegment } from '../verify/relog.ts';
import { flip } from '../verify/subject.ts';
import type { ArchiveRow } from './row.ts';

type Sealed = DraftRecord & { record: SealedEntry };

/** The segment of the records that arrived together. */
export function busy(draft: Draft): DraftSegment {
  return draft.segments.find(({ batches }) => batches.some(({ records }) => records.length > 3)) as DraftSegment;
}

/** Changes the first pack entry of that segment. */
function editPack(change: (entry: PackEntry) => PackEntry | null): ArchiveRow[1] {
  return (archive) =>
    relog(archive, (draft) => {
      busy(draft).editPack = (entry, index) => (index === 0 ? change(entry) : entry);
    });
}

function sealed(draft: Draft): Sealed[] {
  return busy(draft).batches.flatMap(({ records }) =>
    records.filter(({ record }) => sealedPart(record) !== null),
  ) as Sealed[];
}

/** Gives all records of one epoch another document. */
function editEpoch(change: (document: string) => string, keepsDocument = false): ArchiveRow[1] {
  return (archive) =>
    relog(archive, (draft) => {
      const [
        {
          record: { epoch },
        },
      ] = sealed(draft) as [Sealed];
      for (const segment of draft.segments) {
        for (const [index, document] of segment.docs.entries()) {
          if (sha256Hex(document) !== epoch) continue;
          const changed = change(document);
          segment.docs[index] = changed;
          for (const { records } of segment.batches) {
            for (const { record } of records) {
              if (!keepsDocument && sealedPart(record)?.epoch === epoch)
                Object.assign(record, { epoch: sha256Hex(changed) });
            }
          }
        }
      }
    });
}

function setIndex(n: number, to: number): ArchiveRow[1] {
  return (archive) => relog(archive, (draft) => void Object.assign((sealed(draft)[n] as Sealed).record, { i: to }));
}

const stored = (entry: PackEntry): string => packKey(ORIGIN, entry.h);

export const PACKS: readonly ArchiveRow[] = [
  ['a pack that is gone', (archive) => archive.remove(archive.key('/pack/', 1)), ['verify/pack-missing']],
  [
    'a pack with other bytes of its length',
    (archive) => archive.put(archive.key('/pack/', 1), Buffer.alloc(archive.get(archive.key('/pack/', 1)).length)),
    ['verify/pack-hash'],
  ],
  [
    'a pack entry that names other bytes of its length',
    (archive) =>
      editPack((entry) => {
        const bytes = flip(archive.get(stored(entry)), 3);
        archive.put(packKey(ORIGIN, sha256Hex(bytes)), bytes);
        return { ...entry, h: sha256Hex(bytes) };
      })(archive),
    ['verify/pack-body'],
  ],
  [
    'a pack with a byte more than its bodies',
    (archive) =>
      editPack((entry) => {
        const bytes = Buffer.concat([archive.get(stored(entry)), Buffer.alloc(1)]);
        archive.put(packKey(ORIGIN, sha256Hex(bytes)), bytes);
        return { ...entry, h: sha256Hex(bytes), n: bytes.length };
      })(archive),
    ['verify/pack-length'],
  ],
  [
    'a pack entry with another length',
    editPack((entry) => ({ ...entry, n: entry.n + 1 })),
    ['verify/pack-length', 'verify/pack-size'],
  ],
  ['bodies in no pack', editPack(() => null), ['verify/pack-body-uncovered']],
  [
    'a pack that claims leaves of another segment',
    editPack((entry) => ({ ...entry, leaves: [[0, 1], ...entry.leaves] })),
    ['verify/pack-range', 'verify/pack-body-uncovered'],
  ],
  [
    'a pack of another class',
    editPack((entry) => ({ ...entry, ret: 'other', until: '2033-11-22T09:00:00Z' })),
    ['verify/pack-length', 'verify/pack-body-uncovered'],
  ],
  [
    'bodies in two packs',
    (archive) =>
      relog(archive, (draft) => {
        const segment = busy(draft);
        segment.editLines = (lines) => [...lines, lines.find((line) => line.includes('"t":"pack"')) as string];
      }),
    ['verify/pack-body-twice'],
  ],
  [
    'a pack kept for less than its schedule',
    editPack((entry) => ({ ...entry, until: '2027-11-22T09:00:00Z' })),
    ['verify/pack-short'],
  ],
  [
    'a pack kept for longer than allowed',
    editPack((entry) => ({ ...entry, until: '2050-11-22T09:00:00Z' })),
    ['verify/pack-over-max'],
  ],
  ['a media object that is gone', (archive) => archive.remove(archive.key('media/', 0)), ['verify/object-missing']],
  [
    'an object with other bytes of its length',
    (archive) => archive.put(archive.key('media/', 0), Buffer.alloc(archive.get(archive.key('media/', 0)).length)),
    ['verify/object-hash'],
  ],
  [
    'a record that names another length of its object',
    (archive) =>
      relog(archive, (draft) => {
        const media = draft.all('media')[0] as DraftRecord & { record: { obj: { n: number }[] } };
        (media.record.obj[0] as { n: number }).n += 1;
      }),
    ['verify/object-size'],
  ],
  ['an epoch without its document', editEpoch((document) => `${document} `, true), ['verify/epoch-document-missing']],
  ['an epoch whose document is none', editEpoch(() => '{"recipients":"all"}'), ['verify/epoch-malformed']],
  [
    'an epoch wrapped to a stranger as well',
    editEpoch((document) => {
      const jwe = JSON.parse(document) as { recipients: { header: object }[] };
      const header = { ...jwe.recipients[0]?.header, kid: STRANGER.recipient.kid };
      return JSON.stringify({ ...jwe, recipients: [...jwe.recipients, { ...jwe.recipients[0], header }] });
    }),
    ['verify/epoch-recipients'],
  ],
  [
    'an epoch wrapped to the reader alone',
    editEpoch((document) => {
      const jwe = JSON.parse(document) as { recipients: { header: { kid: string } }[] };
      return JSON.stringify({
        ...jwe,
        recipients: jwe.recipients.filter(({ header }) => header.kid === READER.recipient.kid),
      });
    }),
    ['verify/epoch-recipients'],
  ],
  ['a record key used twice', setIndex(2, 1), ['verify/epoch-index-reused']],
  [
    'a record key used again in a later segment',
    (archive) =>
      relog(archive, (draft) => {
        const [first] = sealed(draft) as [Sealed];
        const later = draft.all('content').findLast(({ record }) => record.stream !== first.record.stream) as Sealed;
        Object.assign(later.record, { epoch: first.record.epoch, i: first.record.i });
        const document = busy(draft).docs.find((text) => sha256Hex(text) === first.record.epoch) as string;
        const { docs } = draft.segmentOf(later);
        if (!docs.includes(document)) docs.push(document);
      }),
    ['verify/epoch-index-reused'],
  ],
];
