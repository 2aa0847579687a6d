// SPDX-License-Identifier: AGPL-3.0-or-later

/*
 * How fast `verify` is: `node bench/verify.ts [--records 1000000] [--dir DIR]`
 *
 * Builds an archive (batches of 50 records, bodies of 600 bytes, one pack a segment, tiles, each checkpoint cosigned by two witnesses) in a temporary
 * folder, or in DIR, where it is kept and used again. Then, in one run and so on one machine: verify under a policy and with the checkpoint of an earlier
 * visit, without payloads and with, and `openssl dgst -sha256` over the same packs and entry bundles.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openDirReader } from '../src/verify/dir-reader.ts';
import { verifyArchive } from '../src/verify/verify.ts';
import { atLeast, atMost, noted, peakMiB, tell } from './figures.ts';
import { Builder, ORIGIN, POLICY, SEEN, TRUST } from './verify-archive.ts';

/** What a process that only verified says of itself. */
interface Timed {
  readonly seconds: number;
  /** Of all threads: what it costs where nothing else runs. */
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly records: number;
  readonly payloadBytes: number;
}

async function timed(root: string, payloads: boolean): Promise<Timed> {
  const startedMs = performance.now();
  const before = process.cpuUsage();
  const asked = { policy: POLICY, seen: readFileSync(join(root, SEEN), 'utf8') };
  const report = await verifyArchive(await openDirReader(root), TRUST, { payloads, ...asked });
  const seconds = (performance.now() - startedMs) / 1000;
  if (report.verdict !== 'verified') throw new Error(`${report.headline}: ${report.findings[0]?.code}`);
  const isAll = report.witnesses.quorum === 'met' && report.tiles.size === report.size && report.time.stamps === 0;
  if (!isAll) throw new Error('tiles or cosignatures were passed over');
  const { user, system } = process.cpuUsage(before);
  const { records, payloadBytes } = report.counts;
  return { seconds, cpuSeconds: (user + system) / 1e6, peakMiB: peakMiB(), records, payloadBytes };
}

/** This program once more, for one step: a process of its own, whose memory is that of the step. */
function apart(step: 'prepare' | 'without' | 'with', root: string, records: string): string {
  const args = [fileURLToPath(import.meta.url), '--step', step, '--dir', root, '--records', records];
  return execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function shown({ seconds, cpuSeconds, records }: Timed): string {
  const each = `${((cpuSeconds * 1e6) / records).toFixed(1)} µs of CPU each`;
  return `${seconds.toFixed(2)} s  ${Math.round(records / seconds)} records/s  ${each}`;
}

function opensslSeconds(root: string): number {
  const folders = ['pack', 'tile/entries'].map((name) => join(root, 'log', ORIGIN, name));
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((item) => item.isFile())
      .map((item) => join(item.parentPath, item.name)),
  );
  const startedMs = performance.now();
  for (let at = 0; at < files.length; at += 1000) {
    execFileSync('openssl', ['dgst', '-sha256', ...files.slice(at, at + 1000)], { maxBuffer: 2 ** 24 });
  }
  return (performance.now() - startedMs) / 1000;
}

/** By a process of its own, whose memory is none of the verifier's. Reads every file, so that both sides read from the page cache. */
function prepare(root: string, records: number): void {
  if (!existsSync(join(root, 'log'))) {
    const startedMs = performance.now();
    new Builder(root).build(records);
    console.log(`built in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  }
  for (const name of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (name.isFile()) readFileSync(join(name.parentPath, name.name));
  }
}

function compare(root: string, count: string): void {
  const without = JSON.parse(apart('without', root, count)) as Timed;
  const opensslS = opensslSeconds(root);
  const whole = JSON.parse(apart('with', root, count)) as Timed;
  const { records, payloadBytes } = without;
  // By processor time, because others may use the machine.
  const [twoCores, twoCoresWith] = [(2 * records) / without.cpuSeconds, (2 * records) / whole.cpuSeconds];
  console.log(
    `${records} records, ${Math.round(payloadBytes / 2 ** 20)} MiB of packs, ${availableParallelism()} cores`,
  );
  tell([
    noted('without payloads', shown(without)),
    noted('with payloads', shown(whole)),
    noted('openssl dgst -sha256 of packs and bundles', `${opensslS.toFixed(2)} s`),
    atLeast('records/s that two cores allow', twoCores, 100_000, twoCores.toFixed(0)),
    atLeast('the same with payloads and all tiles', twoCoresWith, 60_000, twoCoresWith.toFixed(0)),
    atMost('time with payloads : without + openssl', whole.seconds / (without.seconds + opensslS), 1.3),
    atMost('peak memory without payloads, MiB', without.peakMiB, 300, String(without.peakMiB)),
    atMost('peak memory with payloads, MiB', whole.peakMiB, 300, String(whole.peakMiB)),
  ]);
}

const { values } = parseArgs({
  options: { records: { type: 'string', default: '1000000' }, dir: { type: 'string' }, step: { type: 'string' } },
});
const root = values.dir ?? mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
if (values.step === 'prepare') prepare(root, Number(values.records));
else if (values.step !== undefined) process.stdout.write(JSON.stringify(await timed(root, values.step === 'with')));
else {
  try {
    process.stdout.write(apart('prepare', root, values.records));
    compare(root, values.records);
  } finally {
    if (values.dir === undefined) rmSync(root, { recursive: true });
  }
}
