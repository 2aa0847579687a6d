// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import type { Archiver } from '../../src/archive/archiver.ts';
import type { Schedule } from '../../src/archive/schedule.ts';
import { ArchiverKit, CLASS, MANIFEST, nextManifest, OTHER_CLASS, SCHEDULES, type Changes } from './archiver-kit.ts';
import type { BatchSender, Plan, SentStream } from './batch-sender.ts';

/** One thing that happens to an archive. Numbers choose among what there is. */
export type Step =
  | {
      readonly do: 'open' | 'close' | 'hole' | 'flush' | 'day' | 'manifest' | 'schedule' | 'restart';
      readonly n: number;
    }
  | { readonly do: 'batch'; readonly n: number; readonly records: readonly ('a' | 'b' | 'beat')[] };

const plain = (what: Exclude<Step['do'], 'batch'>, weight: number) => ({
  weight,
  arbitrary: fc.nat({ max: 20 }).map((n): Step => ({ do: what, n })),
});

const batch = fc.record({
  do: fc.constant('batch' as const),
  n: fc.nat({ max: 20 }),
  records: fc.array(fc.constantFrom('a' as const, 'b' as const, 'beat' as const), { minLength: 1, maxLength: 6 }),
});

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: batch },
    plain('open', 2),
    plain('close', 1),
    plain('hole', 2),
    plain('flush', 5),
    plain('day', 3),
    plain('manifest', 1),
    plain('schedule', 1),
    plain('restart', 1),
  ),
  { minLength: 1, maxLength: 40 },
);

/** Plays steps against an archiver, as far as they make sense where they come. */
export class History {
  readonly kit = new ArchiverKit();
  archiver!: Archiver;
  readonly #changes: Changes;
  #manifest = MANIFEST;
  #schedules: readonly Schedule[] = SCHEDULES;
  readonly #open: { sender: BatchSender; stream: SentStream }[] = [];

  private constructor(changes: Changes) {
    this.#changes = changes;
  }

  static async play(played: readonly Step[], changes: Changes = {}): Promise<History> {
    const history = new History(changes);
    await history.#start();
    for (const step of played) await history.#play(step);
    await history.flush();
    return history;
  }

  async #start(): Promise<void> {
    const { archiver } = await this.kit.start({
      ...this.#changes,
      manifest: this.#manifest,
      schedules: this.#schedules,
    });
    this.archiver = archiver;
    for (const sender of this.kit.senders) sender.restart();
  }

  async flush(): Promise<void> {
    for (const sender of this.kit.senders) await sender.sendAll();
    await this.archiver.flush();
  }

  async #play(step: Step): Promise<void> {
    const sender = this.kit.senders[step.n % 2] as BatchSender;
    const chosen = this.#open[step.n % Math.max(1, this.#open.length)];
    switch (step.do) {
      case 'open':
        return void this.#open.push({ sender, stream: sender.open(...this.#account(step.n)) });
      case 'batch':
        return void chosen?.sender.add(chosen.stream, step.records.map(planOf));
      case 'hole':
        return void chosen?.sender.add(chosen.stream, [{ t: 'hole', count: 1 + step.n }]);
      case 'close':
        if (chosen !== undefined) chosen.sender.add(chosen.stream, [{ t: 'close' }]);
        return void this.#open.splice(step.n % Math.max(1, this.#open.length), 1);
      case 'flush':
        return this.flush();
      case 'day':
        this.kit.pass(86_400_000);
        return this.archiver.readBack();
      case 'manifest':
        this.#manifest = nextManifest(this.#manifest, {});
        return this.#restart();
      case 'schedule':
        this.#schedules = this.#schedules.map((one) => ({ ...one, authority: `revision ${step.n}` }));
        return this.#restart();
      case 'restart':
        return this.#restart();
    }
  }

  /** A new account, or the next generation of one that is there. */
  #account(n: number): Parameters<BatchSender['open']> {
    const all = this.kit.senders.flatMap(({ streams }) => streams);
    const known = all[Math.floor(n / 2) % Math.max(1, all.length)];
    if (known === undefined || n % 3 > 0) return [];
    // Accounts are not shared: streams of two connectors reach the archiver in any order.
    if (!(this.kit.senders[n % 2] as BatchSender).streams.includes(known)) return [];
    const gens = all.filter(({ acct }) => acct === known.acct).map(({ gen }) => gen);
    return [known.acct, Math.max(...gens) + 1];
  }

  async #restart(): Promise<void> {
    await this.archiver[Symbol.asyncDispose]();
    await this.#start();
  }
}

function planOf(word: 'a' | 'b' | 'beat'): Plan {
  return word === 'beat' ? { t: 'beat' } : { t: 'content', ret: word === 'a' ? CLASS : OTHER_CLASS };
}
