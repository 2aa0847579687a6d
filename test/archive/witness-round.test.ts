// SPDX-License-Identifier: AGPL-3.0-or-later
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ArchivedLog } from '../../src/archive/archiver.ts';
import type { Round } from '../../src/archive/rounds.ts';
import { WitnessRound } from '../../src/archive/witness-round.ts';
import { verifyCosignatures } from '../../src/record/cosignature.ts';
import { witnessPrefix } from '../../src/record/layout.ts';
import { parseNote } from '../../src/record/note.ts';
import { ArchiverKit, LOG_KEY, ORIGIN, type Running } from '../support/archiver-kit.ts';
import { RunningWitness, WITNESS_KEY } from '../witness/kit.ts';

const HOUR_MS = 3_600_000;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Watched {
  readonly kit: ArchiverKit;
  readonly running: Running;
  readonly alarms: string[];
  clockMs: number;
  readonly write: (records: number) => Promise<void>;
}

/** An archiver that asks a witness at this address, when told to. */
async function watched(url: string, kit: ArchiverKit = new ArchiverKit()): Promise<Watched> {
  const alarms: string[] = [];
  const watch = { clockMs: 0 };
  const rounds = (log: ArchivedLog): Round[] => [
    new WitnessRound({
      log,
      address: { url, key: WITNESS_KEY },
      everyMs: HOUR_MS,
      alarmAfterMs: 24 * HOUR_MS,
      clock: () => watch.clockMs,
      events: { alarm: (reason, count) => void alarms.push(`${reason} ${count}`) },
    }),
  ];
  const running = await kit.start({ rounds });
  closing.push(() => running.archiver[Symbol.asyncDispose]());
  const stream = kit.first.open();
  const write = async (records: number): Promise<void> => {
    kit.first.messages(stream, records);
    await kit.first.sendAll();
    await running.archiver.flush();
  };
  return Object.assign(watch, { kit, running, alarms, write });
}

async function startWitness(options: Parameters<typeof RunningWitness.start>[0] = {}): Promise<RunningWitness> {
  const witness = await RunningWitness.start({ logs: [LOG_KEY], ...options });
  closing.push(() => witness[Symbol.asyncDispose]());
  return witness;
}

/** Kept cosignatures: the size in each name, with how many valid lines by the witness there are. */
function kept({ bucket }: ArchiverKit): [number, number][] {
  return bucket.keys(witnessPrefix(ORIGIN)).map((key) => {
    const note = parseNote(bucket.bytes(key));
    return [Number(/(\d{16})-/.exec(key)?.[1]), verifyCosignatures(note, [WITNESS_KEY]).length];
  });
}

describe('asking a witness', () => {
  it('keeps each cosignature under a lock, and proves growth from one to the next', async () => {
    const witness = await startWitness();
    const { kit, running, write } = await watched(witness.url);
    const sizes: number[] = [];
    for (const records of [1, 7, 60]) {
      await write(records);
      await running.archiver.runRounds();
      sizes.push(running.archiver.state.size);
    }
    expect(kept(kit).slice(-3)).toEqual(sizes.map((size) => [size, 1]));
    for (const key of kit.bucket.keys(witnessPrefix(ORIGIN))) {
      expect(kit.bucket.winner(key)?.lock?.mode).toBe('COMPLIANCE');
    }
    expect(running.told.troubles).toEqual([]);
  });

  it('keeps nothing twice: not while nothing was written, not after a restart', async () => {
    const witness = await startWitness();
    const first = await watched(witness.url);
    await first.write(3);
    await first.running.archiver.runRounds();
    await first.running.archiver.runRounds();
    await first.running.archiver[Symbol.asyncDispose]();
    const before = kept(first.kit);
    const again = await watched(witness.url, first.kit);
    await again.running.archiver.runRounds();
    expect(kept(first.kit)).toEqual(before);
    expect(new Set(before.map(([size]) => size)).size).toBe(before.length);
  });

  it('goes on from what the witness says it cosigned last, however long ago', async () => {
    const witness = await startWitness();
    const kit = new ArchiverKit();
    const first = await watched(witness.url, kit);
    await first.write(5);
    await first.running.archiver.runRounds();
    await first.running.archiver[Symbol.asyncDispose]();
    const alone = await kit.start();
    const stream = kit.second.open();
    for (let round = 0; round < 5; round += 1) {
      kit.second.messages(stream, 40);
      await kit.second.sendAll();
      await alone.archiver.flush();
    }
    await alone.archiver[Symbol.asyncDispose]();
    const later = await watched(witness.url, kit);
    await later.running.archiver.runRounds();
    expect(kept(kit).at(-1)).toEqual([later.running.archiver.state.size, 1]);
  });

  it('goes on writing while a witness is away, tells it, alarms after a day, and asks again', async () => {
    const witness = await startWitness();
    const watch = await watched(witness.url);
    const { kit, running, write, alarms } = watch;
    await running.archiver.runRounds();
    await witness[Symbol.asyncDispose]();
    closing.shift();
    await write(3);
    const size = running.archiver.state.size;
    expect(size).toBeGreaterThan(3);
    watch.clockMs = 23 * HOUR_MS;
    await running.archiver.runRounds();
    expect([alarms, kept(kit).some(([at]) => at === size)]).toEqual([[], false]);
    watch.clockMs = 25 * HOUR_MS;
    await running.archiver.runRounds();
    await running.archiver.runRounds();
    expect(alarms).toEqual(['witness-away 25']);
    expect(new Set(running.told.troubles)).toEqual(new Set(['witness witness/unreachable']));
    expect(kit.fatals).toEqual([]);
  });

  it('alarms at once where the witness knows a log that this one does not continue', async () => {
    const witness = await startWitness();
    const other = await watched(witness.url, new ArchiverKit(7));
    await other.write(90);
    await other.running.archiver.runRounds();
    const mine = await watched(witness.url, new ArchiverKit(8));
    await mine.write(3);
    await mine.running.archiver.runRounds();
    expect(mine.alarms).toEqual([expect.stringMatching(/^witness-conflict \d+$/)]);
    await mine.write(120);
    await mine.running.archiver.runRounds();
    expect(new Set(mine.running.told.troubles)).toEqual(new Set(['witness witness/conflict']));
    expect(kept(mine.kit)).toEqual([]);
    expect(witness.told.refusals).toContain('422 format/root');
  });

  it.each([
    ['nothing', 200, ''],
    ['another text', 200, 'hello\n'],
    ['a line by another key', 200, '— x.example AAAAAAAAAAA=\n'],
    ['a conflict without a size', 409, 'later\n'],
    ['a conflict that never ends', 409, '0\n'],
    ['a refusal', 403, 'no\n'],
    ['a failure', 500, 'no\n'],
    ['more than anybody reads', 200, 'x'.repeat(1_000_000)],
  ])('keeps nothing of a witness that answers with %s', async (_, status, text) => {
    const server: Server = createServer((_request, response) => response.writeHead(status).end(text));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    const { kit, running, write } = await watched(`http://127.0.0.1:${port}`);
    await write(2);
    await running.archiver.runRounds();
    expect(new Set(running.told.troubles)).toEqual(new Set(['witness witness/answer']));
    expect(kept(kit)).toEqual([]);
    server.closeAllConnections();
  });
});
