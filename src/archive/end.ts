// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import type { KeyEntry } from '../record/entry-types.ts';
import type { SigningKey } from '../record/key.ts';
import { openLink, openPredecessor } from '../record/link.ts';
import { manifestHash } from '../record/manifest.ts';
import { isSameKey, type NoteKey } from '../record/note.ts';
import type { ArchiverOptions } from './archiver.ts';
import { LogCommitter, type OwnEntry } from './committer.ts';
import { brokenLog, type LogState } from './log-state.ts';
import { PastTree } from './past-tree.ts';
import { Pending } from './pending.ts';
import { ReadBack } from './read-back.ts';
import { recover } from './recover.ts';
import { Rounds } from './rounds.ts';
import { Schedules } from './schedule.ts';

/**
 * Ends the log with a link to the one that goes on from it, in a last segment, which has no pack. Before it is written all packs that were
 * not read back yet are: an end cannot be taken back, and spools prune by it. Resolves with the last checkpoint once everything beside the
 * log (tiles, witnesses, time stamps) was asked to follow once more.
 *
 * Crash behaviour: as of any segment. Whoever calls it again with the same link finds the log ended, and gets the same checkpoint.
 */
export async function endLog(options: ArchiverOptions, link: string): Promise<string> {
  const { store, origin, root, logKey, keys, events } = options;
  const { state, from, segments, published } = await recover({ store, origin, root, logKey });
  if (state.size === 0) throw brokenLog('no segment: there is no log to end');
  const schedules = new Schedules([...state.schedules(), ...options.schedules]);
  const committer = new LogCommitter({ store, origin, keys, schedules, state });
  committer.sign();
  if (state.size > published) await committer.publish();
  const entry = successorEntry(state, link, { root, logKey });
  if (state.successor !== null && state.successor !== link) throw ended(origin);
  const readBack = new ReadBack(store, origin, 0, from);
  for (const segment of segments) readBack.add(segment);
  await readBack.run(Infinity, new AbortController().signal);
  if (state.successor === null) await committer.commit(new Pending(), [entry], [link]);
  const past = new PastTree({ store, origin }, state);
  await using rounds = new Rounds({
    rounds: options.rounds?.({ store, origin, state, past, schedules }) ?? [],
    signed: () => ({ ...state.signed(), root: state.window.root() }),
    trouble: (name, code) => events.trouble(name, code),
  });
  await rounds.runAll();
  return state.checkpoint;
}

function successorEntry(
  state: LogState,
  document: string,
  { root, logKey }: { readonly root: SigningKey; readonly logKey: NoteKey },
): OwnEntry {
  const link = openLink(document, root);
  const number = state.predecessor === null ? 0 : openPredecessor(state.predecessor, root).link.n;
  const isOurs = link.cause === 'exchanged' && isSameKey(link.from, logKey);
  if (isOurs && link.n === number + 1)
    return { t: 'key', kind: 'successor', n: link.n, doc: manifestHash(document) } as Omit<
      KeyEntry,
      'v' | 'at' | 'log'
    >;
  throw new Failure('archive/other-link', {
    expected: `a link from ${logKey.name} to log ${number + 1} of its line`,
    got: `one from ${link.from.name} to log ${link.n}`,
    fix: 'have the root sign a link for this log (`holdfast successor`)',
  });
}

/** Why an archiver does not go on with a log. */
export function ended(origin: string): Failure {
  return new Failure('archive/log-ended', {
    expected: 'a log that goes on',
    got: `the end of ${origin}`,
    fix: 'start the archiver with the config of the log that follows; nothing may be written behind an end',
  });
}
