// SPDX-License-Identifier: AGPL-3.0-or-later
import { Archiver, type ArchivedLog, type ArchiverEvents, type ArchiverOptions } from '../archive/archiver.ts';
import type { Round } from '../archive/rounds.ts';
import type { Schedule } from '../archive/schedule.ts';
import type { ArchiveStore } from '../archive/store.ts';
import { TilePublisher } from '../archive/tile-publisher.ts';
import { WitnessRound } from '../archive/witness-round.ts';
import { need, type Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import { Failure } from '../base/failure.ts';
import type { Running } from '../base/run.ts';
import { readSigningKey } from '../base/secrets.ts';
import type { Downlink } from '../queue/link.ts';
import { cosignerKey } from '../record/cosignature.ts';
import { parseSigningKeyText, signingKeyOf } from '../record/key.ts';
import type { NoteKey } from '../record/note.ts';
import type { OwnWitness } from './own-witness.ts';
import { assertNamed, readDocument, type Trusted } from './trusted.ts';

/** Where errors say that the evaluation's own witness is. */
const OWN = 'this process';

export interface ArchiverRole {
  readonly config: Config;
  readonly trusted: Trusted;
  readonly store: ArchiveStore;
  readonly downlink: Downlink;
  readonly events: Events;
  readonly running: Running;
  /** The operator has confirmed locks that nobody can take back. */
  readonly confirmedRetention: boolean;
  /** Of an evaluation, in this process. */
  readonly ownWitness?: OwnWitness | null;
}

export async function startArchiver(role: ArchiverRole): Promise<Archiver> {
  return Archiver.start(await archiverOptions(role));
}

export async function archiverOptions(role: ArchiverRole): Promise<ArchiverOptions> {
  const { config, trusted, store, downlink, events, running } = role;
  const logPath = need(config.keys.log, 'keys.log', 'the archiver');
  const archiverPath = need(config.keys.archiver, 'keys.archiver', 'the archiver');
  const [log, archiver] = [readSigningKey(logPath), readSigningKey(archiverPath)];
  assertLogKey(trusted, signingKeyOf(log).id, logPath);
  assertNamed(trusted.manifest, 'archiver', archiver, archiverPath);
  const told = archiverEvents(events);
  const timeRounds = await timeRoundsOf(config);
  const { flushBytes, flushAfter, headsEvery, readBackAfter } = config.archive;
  const { before } = trusted.trust;
  const predecessor = config.predecessor === undefined ? null : readDocument(config.predecessor);
  return {
    store,
    downlink,
    origin: config.origin,
    root: trusted.trust.root,
    logKey: trusted.trust.log,
    keys: { log, archiver, archiverPublic: signingKeyOf(archiver) },
    manifest: trusted.document,
    ...(before === undefined ? {} : { before }),
    ...(predecessor === null ? {} : { predecessor }),
    schedules: schedulesOf(config),
    confirmedRetention: role.confirmedRetention,
    rhythm: { maxBytes: flushBytes, maxDelayMs: flushAfter },
    headsEveryMs: headsEvery,
    readBackAfterMs: readBackAfter,
    rounds: (archived) => roundsOf(role, archived, told, timeRounds),
    clock: Date.now,
    events: told,
    onFatal: running.fatal,
  };
}

function assertLogKey({ trust }: Trusted, id: string, where: string): void {
  if (trust.log.key.id === id) return;
  throw new Failure('config/key-unknown', {
    expected: `the log key of the trust file, ${trust.log.key.id}`,
    got: `key ${id}`,
    where,
  });
}

function roundsOf(
  { config: { archive, witnesses }, trusted, ownWitness = null }: ArchiverRole,
  log: ArchivedLog,
  events: ArchiverEvents,
  timeRounds: MakeRounds,
): Round[] {
  const tiles = new TilePublisher(log);
  return [
    {
      name: 'tiles',
      everyMs: archive.tilesEvery,
      run: async (now, signal) => void (await tiles.publish(now, signal)),
    },
    ...[...witnesses, ...(ownWitness === null ? [] : [{ ...ownWitness, url: OWN }])].map(({ name, ...way }) => {
      const { witnessEvery: everyMs, witnessAlarmAfter: alarmAfterMs } = archive;
      const address = { ...way, key: witnessKeyOf(trusted, name) };
      return new WitnessRound({ log, address, everyMs, alarmAfterMs, clock: Date.now, events });
    }),
    ...timeRounds(log),
  ];
}

type MakeRounds = (log: ArchivedLog) => Round[];

/** Loaded only where authorities are configured: it takes an ASN.1 library. */
async function timeRoundsOf(config: Config): Promise<MakeRounds> {
  if (config.timeStamps.length === 0) return () => [];
  const [{ TimeRound }, { timeAuthorityOf }] = await Promise.all([
    import('../archive/time-round.ts'),
    import('./time-authorities.ts'),
  ]);
  const authorities = config.timeStamps.map(timeAuthorityOf);
  const everyMs = config.archive.timeStampEvery;
  return (log) => authorities.map((authority) => new TimeRound({ log, authority, everyMs, clock: Date.now }));
}

/** The root says whose word counts; the config says only where to ask. */
function witnessKeyOf({ manifest }: Trusted, name: string): NoteKey {
  const signer = manifest.signers.find((candidate) => candidate.role === 'witness' && candidate.name === name);
  if (signer !== undefined) return cosignerKey(name, parseSigningKeyText(signer.pub));
  throw new Failure('config/key-unknown', {
    expected: 'a witness that the manifest names',
    got: 'another name',
    where: `witnesses: ${name}`,
    fix: 'have the root sign a manifest with its key (`holdfast manifest --add witness:NAME=FILE.pub`)',
  });
}

export function schedulesOf(config: Config): Schedule[] {
  return config.retention.map((entry) => ({ ...entry, max: entry.max ?? entry.period }));
}

function archiverEvents(events: Events): ArchiverEvents {
  return {
    recovered: (size, segments) => events.logRecovered(size, segments),
    committed: ({ first, records, puts }, size) => events.segmentWritten(first, records, size, puts),
    refused: (code) => events.batchRefused('archiver', code),
    alarm: (reason, count) => events.alarm(null, reason, count),
    unscheduledClass: (count) => events.unscheduledClass(count),
    readBack: (leaves) => events.readBack(leaves),
    trouble: (what, code) => events.trouble(what, code),
  };
}
