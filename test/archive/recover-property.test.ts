// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogState } from '../../src/archive/log-state.ts';
import { recover } from '../../src/archive/recover.ts';
import { encodeHeads } from '../../src/record/heads.ts';
import { LOG_KEY, ORIGIN } from '../support/archiver-kit.ts';
import { checkAll } from '../support/check-log.ts';
import { History, steps } from '../support/history.ts';
import { ROOT } from '../vectors/keys.ts';

const WINDOW = 16;

/** Everything that a state says, in a form to compare. Leaf hashes of records before the last but one heads it cannot know. */
function said(state: LogState, knows: (leaf: number) => boolean) {
  return {
    heads: encodeHeads(state.heads()).toString(),
    root: state.window.root().toString('hex'),
    size: state.size,
    lastHeads: state.lastHeads,
    manifests: state.manifests,
    manifest: state.manifestDocument(),
    signers: [...state.batchSigners.keys()],
    schedules: state.schedules(),
    store: state.store,
    newest: state.streams().map(({ acct }) => state.newestStreamOf(acct)?.stream),
    leafIds: state.streams().map(({ leaf, leafId }) => (knows(leaf) ? leafId : null)),
  };
}

describe('a recovered state', () => {
  it('says what the live one says, after any history', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (played) => {
        const history = await History.play(played, { windowLeaves: WINDOW });
        const live = history.archiver.state;
        const { state, from } = await recover({
          store: history.kit.store(),
          origin: ORIGIN,
          root: ROOT.key,
          logKey: LOG_KEY,
          windowLeaves: WINDOW,
        });
        const knows = (leaf: number): boolean => leaf >= from;
        expect(said(state, knows)).toEqual(said(live, knows));
        expect(Math.max(state.size - state.window.base, live.size - live.window.base)).toBeLessThanOrEqual(WINDOW);
        checkAll(history.kit);
        await history.archiver[Symbol.asyncDispose]();
      }),
      { numRuns: 150 },
    );
  });
});
