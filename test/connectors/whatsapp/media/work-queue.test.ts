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
const later: Outcome = { to: 'later' };

function work(name: string, addedMs = 0, note = ''): Work {
  return { name, addedMs, note };
}

/** What stands for the session state. */
const stored = new Map<string, Work>();

function keep(one: Work): Work {
  stored.set(one.name, one);
  return one;
}

function started(take: (work: Work) => Promise<Outcome>, atOnce = 2): { queue: WorkQueue<Work>; late: boolean[] } {
  const late: boolean[] = [];
  const queue = new WorkQueue<Work>({
    steps: { take: async (_lane, one) => await take(one) },
    options: { atOnce, retryMs: 1, backlogMs: 20 },
    load: (_lane, name) => stored.get(name) ?? null,
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
    const step = Promise.withResolvers<Outcome>();
    const taken: string[] = [];
    const { queue } = started(async ({ note }) => {
      taken.push(note);
      return taken.length === 1 ? await step.promise : { to: 'end' };
    });
    queue.add(lane, keep(work('a', 0, 'first')));
    await eventually(() => taken).toEqual(['first']);
    queue.replace(lane, work('a', 0, 'news'));
    step.resolve({ to: 'wait', ms: 1_000_000 });
    await eventually(() => taken).toEqual(['first', 'news']);
    await eventually(() => queue.size).toBe(0);
  });

  it('has so many under way at once, and no more, oldest first', async () => {
    const gates: { name: string; open: (outcome: Outcome) => void }[] = [];
    const { queue } = started(async ({ name }) => {
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      gates.push({ name, open: resolve });
      return await promise;
    });
    for (const [at, name] of ['d', 'c', 'b', 'a'].entries()) queue.add(lane, keep(work(name, 4 - at)));
    await eventually(() => gates.map(({ name }) => name)).toEqual(['a', 'b']);
    gates[0]?.open({ to: 'end' });
    await eventually(() => gates.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    for (const { open } of gates) open({ to: 'end' });
    await eventually(() => gates.length).toBe(4);
    gates[3]?.open({ to: 'end' });
  });

  it('keeps what is known beside the session state until a step has made use of it', async () => {
    const taken: string[] = [];
    const { queue } = started(async ({ note }) => {
      taken.push(note);
      if (taken.length === 1) return { to: 'wait', ms: 1_000_000 };
      if (taken.length === 2) throw new Error('not now');
      return await Promise.resolve({ to: taken.length === 3 ? 'next' : 'end' });
    });
    queue.add(lane, keep(work('a', 0, 'stored')));
    await eventually(() => taken.length).toBe(1);
    queue.replace(lane, work('a', 0, 'news'));
    await eventually(() => queue.size).toBe(0);
    expect(taken).toEqual(['stored', 'news', 'news', 'stored']);
  });

  it('holds a hundred thousand works, and takes them in order', async () => {
    const names: string[] = [];
    const { queue } = started(async ({ name }) => {
      names.push(name);
      return await Promise.resolve({ to: 'end' });
    }, 1);
    const count = 100_000;
    for (let at = count; at > 0; at -= 1) queue.add(lane, keep(work(`w${at}`, at)));
    await eventually(() => queue.size).toBe(0);
    expect(names).toEqual(Array.from({ length: count }, (_, at) => `w${at + 1}`));
  });

  it('goes on after a step that throws', async () => {
    let turns = 0;
    const { queue } = started(async () => {
      turns += 1;
      if (turns < 3) throw new Error('not now');
      return await Promise.resolve({ to: 'end' as const });
    });
    queue.add(lane, keep(work('a')));
    await eventually(() => queue.size).toBe(0);
    expect(turns).toBe(3);
  });

  it('says when works are late, and when no more are', async () => {
    let outcome: Outcome = later;
    const { queue, late } = started(async () => await Promise.resolve(outcome));
    queue.add(lane, keep(work('a', 10)));
    await eventually(() => late).toContain(true);
    outcome = { to: 'end' };
    await eventually(() => late.at(-1)).toBe(false);
  });
});
