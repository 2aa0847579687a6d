// SPDX-License-Identifier: AGPL-3.0-or-later
// How many checkpoints a witness cosigns in a second, each on the disk before its answer, beside bare commits of one small row each to the
// same disk, one after the other. Run: node bench/witness.ts
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { encodeAddCheckpoint } from '../src/record/add-checkpoint.ts';
import { signCheckpoint } from '../src/record/checkpoint.ts';
import { leafHash } from '../src/record/hash.ts';
import { EMPTY_RANGE } from '../src/record/merkle.ts';
import { noteKey } from '../src/record/note.ts';
import { TreeWindow } from '../src/record/tree-window.ts';
import { WitnessBook } from '../src/witness/book.ts';
import { WitnessServer } from '../src/witness/server.ts';
import { LOG, signingPair } from '../test/vectors/keys.ts';
import { atLeast, noted, tell } from './figures.ts';

const LOGS = 32;
const ROUNDS = 60;
const TARGET_PER_SECOND = 500;

const tree = new TreeWindow(EMPTY_RANGE);
for (let at = 0; at <= ROUNDS; at += 1) tree.append(leafHash(Buffer.from(`leaf ${at}`)));

/** Requests are made before, so that only the witness's work is timed. */
function bodiesOf(origin: string): string[] {
  return Array.from({ length: ROUNDS }, (_, old) => {
    const size = old + 1;
    const proof = old === 0 ? [] : tree.consistencyProof(old, size);
    return encodeAddCheckpoint(old, proof, signCheckpoint({ origin, size, root: tree.root(size) }, LOG.privateKey));
  });
}

function post(port: number, agent: Agent, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, agent, method: 'POST', path: '/add-checkpoint', host: '127.0.0.1' }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    sent.once('error', reject).end(body);
  });
}

interface Cosigned {
  readonly perSecond: number;
  /** Processor time for each, of the witness and of those who ask it. */
  readonly cpuMs: number;
}

async function cosigned(directory: string): Promise<Cosigned> {
  const origins = Array.from({ length: LOGS }, (_, at) => `bench.example/${at}`);
  const book = new WitnessBook(directory, (error) => console.error(error));
  const server = new WitnessServer({
    name: 'witness.example',
    key: signingPair('witness').privateKey,
    logs: origins.map((origin) => noteKey(origin, LOG.key)),
    book,
    clock: Date.now,
    events: { cosigned: () => undefined, refused: (status, reason) => console.error(status, reason) },
  });
  const port = await server.listen('127.0.0.1', 0);
  const agent = new Agent({ keepAlive: true });
  const all = origins.map(bodiesOf);
  const start = performance.now();
  const before = process.cpuUsage();
  await Promise.all(
    all.map(async (bodies) => {
      for (const body of bodies) if ((await post(port, agent, body)) !== 200) throw new Error('not cosigned');
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  agent.destroy();
  await server.close();
  book[Symbol.dispose]();
  return { perSecond: (LOGS * ROUNDS) / seconds, cpuMs: (user + system) / 1000 / (LOGS * ROUNDS) };
}

function committed(directory: string): number {
  const db = new DatabaseSync(join(directory, 'bare.db'));
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE row (id INTEGER PRIMARY KEY, note TEXT);',
  );
  const insert = db.prepare('INSERT OR REPLACE INTO row VALUES (1, ?)');
  const count = 300;
  const start = performance.now();
  for (let at = 0; at < count; at += 1) insert.run(`note ${at}`.repeat(30));
  const seconds = (performance.now() - start) / 1000;
  db.close();
  return count / seconds;
}

const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-witness-'));
try {
  const bare = committed(directory);
  const { perSecond: rate, cpuMs } = await cosigned(directory);
  tell([
    noted('bare commits a second', bare.toFixed(0)),
    atLeast('checkpoints a second, of 32 logs', rate, TARGET_PER_SECOND, rate.toFixed(0)),
    noted('processor time of each, both ends', `${cpuMs.toFixed(2)} ms`),
    noted('ratio to bare commits', (rate / bare).toFixed(2)),
  ]);
} finally {
  rmSync(directory, { recursive: true });
}
