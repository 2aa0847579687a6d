// SPDX-License-Identifier: AGPL-3.0-or-later
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ArchiverOptions } from '../../src/archive/archiver.ts';
import { codeOf } from '../../src/base/failure.ts';
import { ArchiverKit, keysOf, OTHER_CLASS, STANDBY, type Running } from '../support/archiver-kit.ts';
import type { SentStream } from '../support/batch-sender.ts';
import { auditorsFindings, auditorsReport, checkAll } from '../support/check-log.ts';
import { DirectLink } from '../support/direct-link.ts';
import type { StrictOptions } from '../support/strict-store.ts';
import { ARCHIVER, type SigningPair } from '../vectors/keys.ts';

const ROUNDS = 6;

/** One of two archivers that believe to be the only one. It starts again whenever it has to end, as a supervisor would have it. */
class Racer {
  readonly #kit: ArchiverKit;
  readonly #options: StrictOptions;
  readonly #keys: ArchiverOptions['keys'];
  readonly link = new DirectLink();
  readonly commits: number[] = [];
  readonly ends: string[] = [];
  #running: Running | null = null;

  constructor(kit: ArchiverKit, create: 'if-none-match' | 'first-listed', pair: SigningPair) {
    this.#kit = kit;
    this.#keys = keysOf(pair);
    this.#options = {
      create,
      before: async () => {
        for (let turns = kit.random.below(4); turns > 0; turns -= 1) await turn();
      },
    };
  }

  async running(): Promise<Running> {
    if (this.#running !== null && this.#running.fatals.length === 0) return this.#running;
    await this.end();
    for (let attempt = 0; attempt < 10; attempt += 1) {
      try {
        this.#running = await this.#kit.start({ keys: this.#keys }, this.#kit.store(this.#options), this.link);
        return this.#running;
      } catch (error) {
        this.ends.push(codeOf(error));
      }
    }
    throw new Error('it does not start');
  }

  async flush(): Promise<void> {
    const { archiver } = await this.running();
    await archiver.flush().catch((error: unknown) => this.ends.push(codeOf(error)));
  }

  async end(): Promise<void> {
    if (this.#running === null) return;
    this.commits.push(...this.#running.told.commits.map(({ first }) => first));
    this.link.cut();
    await this.#running.archiver[Symbol.asyncDispose]();
    this.#running = null;
  }
}

async function write(kit: ArchiverKit, streams: readonly SentStream[]): Promise<void> {
  kit.first.messages(streams[0] as SentStream, 1 + kit.random.below(4));
  kit.second.messages(streams[1] as SentStream, 1 + kit.random.below(4), OTHER_CLASS);
}

/** Every batch without a receipt, to one or both. A connector without an archiver's end loses nothing by it. */
async function send(kit: ArchiverKit, racers: readonly Racer[]): Promise<void> {
  for (const sender of kit.senders) {
    const chosen = kit.random.pick([racers, racers.slice(0, 1), racers.slice(1)]);
    for (const { link } of chosen) {
      for (const { batches, archived } of sender.streams) {
        for (const batch of batches.filter(({ last }) => last > archived)) {
          await link.send(sender.job(batch, { again: true })).catch(() => undefined);
        }
      }
    }
  }
}

describe.each(['if-none-match', 'first-listed'] as const)('two archivers on one store, %s', (create) => {
  it.each(Array.from({ length: 16 }, (_, seed) => seed))('write one log, seed %d', async (seed) => {
    const kit = new ArchiverKit(seed);
    const racers = [new Racer(kit, create, ARCHIVER), new Racer(kit, create, STANDBY)] as const;
    await Promise.all(racers.map((racer) => racer.running()));
    const streams = [kit.first.open(), kit.second.open()];
    for (let round = 0; round < ROUNDS; round += 1) {
      await write(kit, streams);
      await Promise.all(racers.map((racer) => racer.running()));
      await send(kit, racers);
      await Promise.all(racers.map((racer) => racer.flush()));
    }
    for (const racer of racers) await racer.end();
    const ends = racers.flatMap((racer) => racer.ends);
    expect(new Set(ends)).toEqual(new Set(['archive/superseded']));
    // Nobody's segment is anybody else's: what one has committed the other has not.
    const commits = racers.flatMap((racer) => racer.commits);
    expect(new Set(commits).size).toBe(commits.length);

    const { archiver } = await kit.drain();
    const log = checkAll(kit);
    expect(log.segments.map(({ head }) => head.first)).toEqual(expect.arrayContaining(commits));
    expect(await auditorsFindings(kit.bucket)).toEqual([]);
    const notes = (await auditorsReport(kit.bucket)).notes.map(({ code }) => code);
    expect(notes.includes('verify/version-losing-segment')).toBe(create === 'first-listed');
    await archiver[Symbol.asyncDispose]();
  });
});
