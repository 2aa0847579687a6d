// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect, it } from 'vitest';
import { Failure } from '../../src/base/failure.ts';
import { Lane } from '../../src/spool/lane.ts';
import { SpoolKit, temporaryDirectory, until } from '../support/spool-kit.ts';
import { message } from '../support/spool-parts.ts';

it('a lane that sends again says so until something was sent', async () => {
  await using kit = await SpoolKit.open(temporaryDirectory());
  const { sink, stream } = await kit.account();
  await sink.deliver([message('a')]);
  await kit.spool.fixWaiting();
  const sent: boolean[] = [];
  const failures: unknown[] = [];
  let isAway = false;
  const lane = new Lane({
    spool: kit.spool,
    stream,
    send: async (_batch, again) => {
      sent.push(again);
      if (isAway) throw new Failure('spool/no-grant', { expected: 'a grant', got: 'none' });
    },
    onFailure: (_stream, error) => failures.push(error),
    isStopped: () => false,
  });
  lane.ship();
  await lane.idle;
  // The stream's opening, and the message.
  expect(sent.splice(0)).toEqual([false, false]);
  isAway = true;
  lane.reconcile(0);
  await until('it failed', () => failures.length === 1);
  isAway = false;
  lane.ship();
  await lane.idle;
  // The first was asked for twice, and said it both times; the second need not.
  expect(sent).toEqual([true, true, false]);
});
