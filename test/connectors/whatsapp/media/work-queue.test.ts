// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AccountLane } from '../../../../src/connectors/whatsapp/lane.ts';
import { WorkQueue } from '../../../../src/connectors/whatsapp/media/work-queue.ts';
import type { Outcome } from '../../../../src/connectors/whatsapp/media/work-queue.ts';
import { eventually } from '../../../support/eventually.ts';

interface Work {
  readonly name: string;
  readonly addedMs: number;
  readonly note: string;
}

const lane = { account: '+1' } as unknown as AccountLane;
const later: Outcome<Work> = { to: 'later' };

function work(name: string, addedMs = 0, note = ''): Work {
  return { name, addedMs, note };
}

function started(
  take: (work: Work) => Promise<Outcome<Work>>,
  atOnce = 2,
): { queue: WorkQueue<Work>; late: boolean[] } {
  const late: boolean[] = [];
  const queue = new WorkQueue<Work>({
    steps: { take: async (_lane, one) => await take(one) },
    options: { atOnce, retryMs: 1, backlogMs: 20 },
    isLate: ({ addedMs }, latestMs) => addedMs <= latestMs,
    clock: () => 1000,
    onLate: (_account, holds) => late.push(holds),
    onTrouble: () => undefined,
    onFatal: () => undefined,
  });
  const stop = new AbortController();
  const running = queue.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  return { queue, late };
}

describe('a queue of works', () => {
  it('takes what became known while a step was under way, instead of what the step came to', async () => {
    const step = Promise.withResolvers<Outcome<Work>>();
    const taken: string[] = [];
    const { queue } = started(async ({ note }) => {
      taken.push(note);
      return taken.length === 1 ? await step.promise : { to: 'end' };
    });
    queue.add(lane, work('a', 0, 'first'));
    await eventually(() => taken).toEqual(['first']);
    queue.replace(lane, work('a', 0, 'news'));
    step.resolve({ to: 'wait', ms: 1_000_000 });
    await eventually(() => taken).toEqual(['first', 'news']);
    await eventually(() => queue.size).toBe(0);
  });

  it('has so many under way at once, and no more, oldest first', async () => {
    const gates: { name: string; open: (outcome: Outcome<Work>) => void }[] = [];
    const { queue } = started(async ({ name }) => {
      const { promise, resolve } = Promise.withResolvers<Outcome<Work>>();
      gates.push({ name, open: resolve });
      return await promise;
    });
    for (const [at, name] of ['d', 'c', 'b', 'a'].entries()) queue.add(lane, work(name, 4 - at));
    await eventually(() => gates.map(({ name }) => name)).toEqual(['a', 'b']);
    gates[0]?.open({ to: 'end' });
    await eventually(() => gates.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    for (const { open } of gates) open({ to: 'end' });
    await eventually(() => gates.length).toBe(4);
    gates[3]?.open({ to: 'end' });
  });

  it('goes on after a step that throws', async () => {
    let turns = 0;
    const { queue } = started(async () => {
      turns += 1;
      if (turns < 3) throw new Error('not now');
      return await Promise.resolve({ to: 'end' as const });
    });
    queue.add(lane, work('a'));
    await eventually(() => queue.size).toBe(0);
    expect(turns).toBe(3);
  });

  it('says when works are late, and when no more are', async () => {
    let outcome: Outcome<Work> = later;
    const { queue, late } = started(async () => await Promise.resolve(outcome));
    queue.add(lane, work('a', 10));
    await eventually(() => late).toContain(true);
    outcome = { to: 'end' };
    await eventually(() => late.at(-1)).toBe(false);
  });
});
