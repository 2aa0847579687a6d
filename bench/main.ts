// SPDX-License-Identifier: AGPL-3.0-or-later
// Runs every bench, one after another, each in a process of its own, and shows all figures in one table. Services that a bench needs it
// starts by itself. Run: npm run bench, or npm run bench -- seal pipeline
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Figure, tableOf, type Told } from './figures.ts';

const BENCHES = [
  'seal',
  'spool',
  'queue',
  'pipeline',
  'verify',
  'prove',
  'search',
  'export',
  'whatsapp',
  's3-requests',
  'witness',
] as const;

interface Ran {
  readonly bench: string;
  readonly code: number | null;
  readonly told: Told | null;
}

async function run(bench: string): Promise<Ran> {
  console.log(`\n── ${bench}`);
  const child = fork(fileURLToPath(new URL(`./${bench}.ts`, import.meta.url)), {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  let told: Told | null = null;
  child.on('message', (message) => void (told = message as Told));
  const [code] = (await once(child, 'exit')) as [number | null];
  return { bench, code, told };
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(BENCHES as readonly string[]).includes(name));
if (unknown.length > 0) throw new Error(`expected benches out of ${BENCHES.join(', ')}, got ${unknown.join(', ')}`);

const ran: Ran[] = [];
for (const bench of BENCHES) if (wanted.length === 0 || wanted.includes(bench)) ran.push(await run(bench));

const figures = ran.flatMap(({ bench, told, code }): Figure[] => {
  if (told === null)
    return [{ name: bench, measured: `ended with ${code ?? 'a signal'}`, wanted: 'figures', holds: false }];
  return told.figures.map((figure) => ({ ...figure, name: `${bench}: ${figure.name}` }));
});
const memory = ran.flatMap(({ bench, told }) => (told === null ? [] : [`${bench} ${told.peakMiB} MiB`]));
const [cpu] = cpus();
console.log(`\n── all, on ${cpus().length} × ${cpu?.model ?? 'an unknown processor'}, Node ${process.versions.node}\n`);
console.log(tableOf(figures));
console.log(`\npeak memory of each process: ${memory.join(', ')}`);
const short = figures.filter(({ holds }) => !holds).length;
console.log(short === 0 ? 'all that is demanded holds' : `${short} fall short of what is demanded`);
if (short > 0) process.exitCode = 1;
