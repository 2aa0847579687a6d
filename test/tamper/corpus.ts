// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Trust } from '../../src/record/trust.ts';
import type { FindingCode } from '../../src/verify/findings.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { BEATS } from './beats.ts';
import type { Notary } from './beside.ts';
import { BYTES } from './bytes.ts';
import { BATCHES, ENTRIES } from './entries.ts';
import { ESCROW_ROWS } from './escrow.ts';
import { HEADS } from './heads.ts';
import { HISTORY } from './history.ts';
import { KEYS, RULES } from './keys.ts';
import { LOGS } from './logs.ts';
import { NEXT_TRUST } from './next-log.ts';
import { NOTED } from './noted.ts';
import { PACKS } from './packs.ts';
import { APPROVALS, ROLES } from './roles.ts';
import { relogged, type ArchiveRow } from './row.ts';
import { SCRUBS } from './scrubs.ts';
import { SEGMENTS } from './segments.ts';
import { STAMPED, STAMPED_NOTED, type StampRow } from './stamps.ts';
import { STREAMS } from './streams.ts';
import { TILES, TILES_NOTED } from './tiles.ts';
import { LOCKS, VERSIONS } from './versions.ts';
import { COSIGNED, COSIGNED_NOTED } from './witnesses.ts';

/** One change to a clean archive, and exactly what it must yield. */
export interface Tampering {
  readonly kind: string;
  readonly change: (archive: MemoryArchive, notary: Notary) => void;
  /** Findings, and what could not be checked. */
  readonly codes: readonly FindingCode[];
  /** Where the item is about them; otherwise both verifiers must agree on them. */
  readonly notes?: readonly FindingCode[];
  /** True: the auditor has neither a policy nor authorities that he trusts. */
  readonly asksNobody?: boolean;
  /** A checkpoint that the auditor kept from the archive before the change. */
  readonly since?: (clean: MemoryArchive) => string;
}

export interface Group {
  readonly title: string;
  /** Whose keys it takes to make such an archive. */
  readonly by: 'nobody’s' | 'the archiver’s or the log’s' | 'all but the root’s';
  /** Written to a bucket: versions and locks are seen. */
  readonly bucket: boolean;
  /** With tiles, cosigned checkpoints and time stamps beside the log, and an auditor who asks for them. */
  readonly isAttested?: boolean;
  /** Where it is another log than the small archive’s that is verified. */
  readonly trust?: Trust;
  readonly items: readonly Tampering[];
}

const attested = (found: readonly StampRow[], noted: readonly StampRow[]): Tampering[] => [
  ...found.map(([kind, change, codes]) => ({ kind, change, codes })),
  ...noted.map(([kind, change, notes]) => ({ kind, change, codes: [], notes })),
];

const items = (rows: readonly ArchiveRow[]): Tampering[] =>
  rows.map(([kind, change, codes]) => ({ kind, change, codes }));

/** Every way to tamper with an archive that is tried on both verifiers. */
export const CORPUS: readonly Group[] = [
  { title: 'Bytes changed in the store', by: 'nobody’s', bucket: false, items: items(BYTES) },
  { title: 'Versions of an object in a bucket', by: 'nobody’s', bucket: true, items: items(VERSIONS) },
  { title: 'Locks in a bucket', by: 'nobody’s', bucket: true, items: items(LOCKS) },
  { title: 'Segments and checkpoints', by: 'the archiver’s or the log’s', bucket: false, items: items(SEGMENTS) },
  {
    title: 'A log with another past, whole in itself',
    by: 'all but the root’s',
    bucket: false,
    items: HISTORY.map(([kind, change, codes, since]) => ({ kind, change, codes, since })),
  },
  { title: 'Entries', by: 'all but the root’s', bucket: false, items: items(relogged(ENTRIES)) },
  { title: 'A batch with', by: 'all but the root’s', bucket: false, items: items(relogged(BATCHES)) },
  { title: 'Streams', by: 'all but the root’s', bucket: false, items: items(relogged(STREAMS)) },
  { title: 'Beats and silence', by: 'all but the root’s', bucket: false, items: items(relogged(BEATS)) },
  { title: 'Keys', by: 'all but the root’s', bucket: false, items: items(relogged(KEYS)) },
  {
    title: 'A log on a new key, and the one before it',
    by: 'all but the root’s',
    bucket: false,
    trust: NEXT_TRUST,
    items: items(LOGS),
  },
  { title: 'Roles', by: 'all but the root’s', bucket: false, items: items(relogged(ROLES)) },
  { title: 'Stores and schedules', by: 'all but the root’s', bucket: false, items: items(relogged(RULES)) },
  { title: 'Approvals', by: 'all but the root’s', bucket: false, items: items(APPROVALS) },
  { title: 'Escrow', by: 'all but the root’s', bucket: false, items: items(relogged(ESCROW_ROWS)) },
  { title: 'Scrubs', by: 'all but the root’s', bucket: false, items: items(relogged(SCRUBS)) },
  { title: 'Packs, objects and epochs', by: 'all but the root’s', bucket: false, items: items(PACKS) },
  { title: 'Heads', by: 'all but the root’s', bucket: false, items: items(HEADS) },
  {
    title: 'Published tiles',
    by: 'nobody’s',
    bucket: false,
    isAttested: true,
    items: attested(TILES, TILES_NOTED),
  },
  {
    title: 'Cosigned checkpoints',
    by: 'the archiver’s or the log’s',
    bucket: false,
    isAttested: true,
    items: [
      ...attested(COSIGNED, COSIGNED_NOTED),
      {
        kind: 'nothing, and the auditor asks nobody',
        change: () => undefined,
        asksNobody: true,
        codes: [],
        notes: ['verify/witness-unknown', 'verify/time-unjudged'],
      },
    ],
  },
  {
    title: 'Time stamps',
    by: 'the archiver’s or the log’s',
    bucket: false,
    isAttested: true,
    items: attested(STAMPED, STAMPED_NOTED),
  },
  {
    title: 'Notes, which are no findings',
    by: 'all but the root’s',
    bucket: false,
    items: NOTED.map(([kind, change, notes]) => ({ kind, change, codes: [], notes })),
  },
];
