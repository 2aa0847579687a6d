// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { hunt } from './hunt.ts';
import { SEEDS, seedsOf } from './seeds.ts';
import { targets } from './targets.ts';

// A long run: `npm run fuzz -- [target …] [--seconds 60] [--seed N]`, so many seconds for each target. What is found becomes a seed file.

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: String(Date.now() % 1e9) } },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
const all = (await targets()).map(({ name }) => name);
const unknown = positionals.filter((name) => !all.includes(name));
if (unknown.length > 0 || !(seconds > 0) || !Number.isSafeInteger(seed))
  throw new Error(`expected targets out of ${all.join(', ')}, seconds above 0, a whole seed`);

console.log(`seed ${seed}, ${seconds} s for each target`);
for (const target of positionals.length > 0 ? positionals : all) {
  const module = new URL('targets.ts', import.meta.url).href;
  const { runs, accepted, refused, faults } = await hunt({
    module,
    target,
    seed,
    seconds,
    rounds: null,
    first: seedsOf(target),
  });
  const codes = Object.entries(refused).map(([code, count]) => `${code} ${count}`);
  console.log(`${target}: ${runs} inputs, ${accepted} accepted, ${faults.length} faults; ${codes.join(', ')}`);
  for (const { why, bytes } of faults) {
    const name = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    const folder = new URL(`${target}/`, SEEDS);
    mkdirSync(folder, { recursive: true });
    writeFileSync(new URL(name, folder), bytes);
    console.log(`  ${name}, ${bytes.length} bytes: ${why}`);
    process.exitCode = 1;
  }
}
