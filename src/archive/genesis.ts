// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import type { KeyEntry, RetentionEntry, StoreEntry } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import type { SigningKey } from '../record/key.ts';
import { openPredecessor } from '../record/link.ts';
import { manifestHash, openManifest } from '../record/manifest.ts';
import { isSameKey, type NoteKey } from '../record/note.ts';
import { addPeriod } from '../record/period.ts';
import type { OwnEntry } from './committer.ts';
import type { LogState } from './log-state.ts';
import { assertCapAllows, assertNotShortened, type Schedule } from './schedule.ts';
import type { StoreAbilities } from './store.ts';

interface Rules {
  readonly origin: string;
  readonly root: SigningKey;
  readonly manifest: string;
  readonly logKey: NoteKey;
  readonly before?: NoteKey;
  readonly predecessor?: string;
  readonly schedules: readonly Schedule[];
  readonly confirmedRetention: boolean;
}

/**
 * What the log does not say yet of the config: the manifest, the kind of store, the schedules. In an empty log they are the
 * first entries; later each change is one. Throws what the log forbids: a schedule shortened, a manifest out of order, a
 * log continued on another kind of store, a new schedule of long locks that nobody confirmed.
 */
export function missingRules(
  state: LogState,
  abilities: StoreAbilities,
  rules: Rules,
): { entries: OwnEntry[]; documents: string[] } {
  const { origin, root, manifest, schedules, confirmedRetention } = rules;
  const key = missingManifest(state, manifest, { origin, root });
  const before = missingPredecessor(state, rules);
  const store = missingStore(state, abilities);
  const added = schedules.map((schedule) => missingSchedule(state, schedule));
  if (abilities.locks && !confirmedRetention) {
    for (const entry of added) if (entry !== null) assertSoonOver(entry);
  }
  const entries = [key, before?.entry ?? null, store, ...added];
  const documents = [...(key === null ? [] : [manifest]), ...(before === null ? [] : [before.document])];
  return { entries: entries.filter((entry) => entry !== null), documents };
}

function missingManifest(
  state: LogState,
  document: string,
  { origin, root }: Pick<Rules, 'origin' | 'root'>,
): OwnEntry | null {
  const inForce = state.manifestDocument();
  if (inForce === document) return null;
  const next = openManifest(document, root, origin);
  const expected = { n: (state.manifest?.n ?? -1) + 1, previous: inForce === undefined ? null : manifestHash(inForce) };
  if (next.n !== expected.n || next.previous !== expected.previous) {
    throw new Failure('archive/manifest-order', {
      expected: `manifest ${expected.n}, naming the one in force`,
      got: `manifest ${next.n}`,
      fix: 'give the archiver the newest manifest signed by the root',
    });
  }
  return { t: 'key', doc: manifestHash(document), kind: 'manifest', n: next.n } as Omit<KeyEntry, 'v' | 'at' | 'log'>;
}

/** The log before, which only a log's beginning can name: a log that began without cannot be mended, so it must not begin. */
function missingPredecessor(
  state: LogState,
  { root, logKey, before, predecessor }: Rules,
): { entry: OwnEntry; document: string } | null {
  if (state.size > 0) {
    if (predecessor === undefined || predecessor === state.predecessor) return null;
    throw otherPredecessor(
      'what the log’s beginning names',
      state.predecessor === null ? 'a log that begins without' : 'another',
    );
  }
  if (predecessor === undefined) {
    if (before === undefined) return null;
    throw otherPredecessor(`what names ${before.name}, as the trust file says`, 'nothing');
  }
  const { link } = opened(predecessor, root);
  const isOurs = isSameKey(link.to, logKey);
  if (!isOurs || before === undefined || !isSameKey(link.from, before))
    throw otherPredecessor(
      `a link to this log, from the one that the trust file says`,
      `one from ${link.from.name} to ${link.to.name}`,
    );
  const entry = { t: 'key', kind: 'predecessor', n: link.n, doc: manifestHash(predecessor) };
  return { entry: entry as Omit<KeyEntry, 'v' | 'at' | 'log'>, document: predecessor };
}

function opened(document: string, root: SigningKey): ReturnType<typeof openPredecessor> {
  try {
    return openPredecessor(document, root);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw otherPredecessor(error.expected, error.got);
  }
}

function otherPredecessor(expected: string, got: string): Failure {
  return new Failure('archive/predecessor', {
    expected,
    got,
    where: 'predecessor',
    fix: 'name the file that `holdfast end` wrote when the log before was ended',
  });
}

function missingStore({ store }: LogState, { kind, create, locks, legalHold }: StoreAbilities): OwnEntry | null {
  const now = { t: 'store', kind, create, locks, hold: legalHold } as Omit<StoreEntry, 'v' | 'at' | 'log'>;
  if (store === null) return now;
  if (store.kind !== kind || (store.locks && !locks)) {
    throw new Failure('archive/other-store', {
      expected: `a store of kind ${store.kind}${store.locks ? ' with locks' : ''}`,
      got: `${kind}${locks ? ' with locks' : ''}`,
      fix: 'point the archiver at the store this log was begun on',
    });
  }
  return store.create === create && store.hold === legalHold && store.locks === locks ? null : now;
}

type NewSchedule = Omit<RetentionEntry, 'v' | 'at' | 'log'>;

function missingSchedule(state: LogState, schedule: Schedule): NewSchedule | null {
  assertCapAllows(schedule);
  const logged = state.schedule(schedule.class);
  if (logged !== undefined) assertNotShortened(logged, schedule);
  const { class: retentionClass, mode, period, max, authority } = schedule;
  const same =
    logged?.mode === mode && logged.period === period && logged.max === max && logged.authority === authority;
  if (same) return null;
  return { t: 'retention', class: retentionClass, mode, period, max, authority };
}

const UNCONFIRMED_DAYS = 30;
const DAY_MS = 86_400_000;

/** A compliance lock cannot be taken back by anyone: a typo of years must not get there unasked. */
function assertSoonOver({ class: retentionClass, mode, period }: NewSchedule): void {
  if (mode !== 'COMPLIANCE' || addPeriod(0, period) <= UNCONFIRMED_DAYS * DAY_MS) return;
  throw new Failure('config/retention-unconfirmed', {
    expected: `a COMPLIANCE period of at most ${UNCONFIRMED_DAYS} days, or --confirm-retention`,
    got: period,
    where: `retention class ${retentionClass}`,
    fix: 'check the schedule: nobody, not even the account’s owner, can shorten its locks; then start once with --confirm-retention',
  });
}
