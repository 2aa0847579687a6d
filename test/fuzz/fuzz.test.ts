// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { hunt, type Hunted, type Order } from './hunt.ts';
import { SEEDS, seedsOf } from './seeds.ts';
import { targets } from './targets.ts';

/** The same inputs in every run; `npm run fuzz` takes others. */
const SEED = 20_261_122;
const ROUNDS = 800;
const TIMEOUT_MS = 300_000;
const all = await targets();

const shown = ({ faults }: Hunted): string[] =>
  faults.map(({ why, bytes }) => `${why}: ${Buffer.from(bytes).toString('base64')}`);

describe(`parsers of bytes that anybody may have written, seed ${SEED}`, { timeout: TIMEOUT_MS }, () => {
  test.concurrent.each(all.map(({ name }) => name))('%s: reads or refuses with a code', async (target) => {
    const { examples, slowness = 1 } = all.find(({ name }) => name === target) ?? { examples: [] };
    const first = [...examples, ...seedsOf(target)];
    const module = new URL('targets.ts', import.meta.url).href;
    const hunted = await hunt({ module, target, seed: SEED, seconds: null, rounds: ROUNDS, first });
    expect(shown(hunted)).toEqual([]);
    // Were examples refused, nothing behind their first check would be reached.
    expect(hunted.firstAccepted).toBeGreaterThanOrEqual(examples.length);
    const refused = Object.values(hunted.refused).reduce((sum, count) => sum + count, 0);
    expect(hunted.accepted + refused).toBe(first.length + Math.ceil(ROUNDS / slowness));
    expect(refused).toBeGreaterThan(0);
  });

  test('have seeds only of targets that there are', () => {
    const names = new Set(all.map(({ name }) => name));
    expect(readdirSync(SEEDS).filter((name) => !names.has(name))).toEqual([]);
  });
});

describe('what feeds them', { timeout: TIMEOUT_MS }, () => {
  const of = (target: string, bounds: Partial<Order> = {}): Promise<Hunted> => {
    const module = new URL('broken-targets.ts', import.meta.url).href;
    return hunt({ module, target, seed: SEED, rounds: 300, seconds: null, first: [], ...bounds });
  };

  test('finds an error without a code, with the input', async () => {
    const { faults } = await of('throws');
    expect(faults[0]?.why).toContain('TypeError');
    expect(Buffer.from(faults[0]?.bytes ?? []).includes('9')).toBe(true);
  });

  test('finds an error with a code that nobody documented, and one that repeats what it read', async () => {
    expect((await of('undocumented')).faults.length).toBeGreaterThan(0);
    expect((await of('repeats')).faults[0]?.why).toMatch(/a message of \d+ characters/);
  });

  test('finds what does not end, what takes all memory, and what takes long', async () => {
    const endless = await of('endless', { stalledMs: 2000 });
    expect(endless.faults[0]?.why).toContain('did not end');
    expect(Buffer.from(endless.faults[0]?.bytes ?? []).includes('9')).toBe(true);
    expect((await of('greedy', { mostHeapMiB: 64 })).faults[0]?.why).toBe('ERR_WORKER_OUT_OF_MEMORY');
    expect((await of('slow', { mostCpuMs: 200 })).faults[0]?.why).toBe('slow');
  });

  test('does the same again under the same seed', async () => {
    expect(await of('same')).toEqual(await of('same'));
  });
});
