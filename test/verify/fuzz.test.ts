// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkpointKey } from '../../src/record/layout.ts';
import { ORIGIN } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { smallArchive, verify } from './subject.ts';

const ROUNDS = 300;
/** Hundreds of whole verifications: on a busy machine they take their time. */
const TIMEOUT_MS = 240_000;
const SEED = 'verify fuzz 1';

/** The n-th number below `most` of a fixed sequence. */
function draw(n: number, word: string, most: number): number {
  return createHash('sha256').update(`${SEED} ${word} ${n}`).digest().readUInt32BE(0) % most;
}

type Mutation = (bytes: Buffer, n: number) => Buffer;

/** All change the bytes, whatever they are. */
const MUTATIONS: readonly Mutation[] = [
  (bytes, n) => withByte(bytes, draw(n, 'at', bytes.length), (byte) => byte ^ (1 << draw(n, 'bit', 8))),
  (bytes, n) => withByte(bytes, draw(n, 'at', bytes.length), (byte) => (byte + 1 + draw(n, 'add', 255)) % 256),
  (bytes, n) => bytes.subarray(0, draw(n, 'cut', bytes.length)),
  (bytes, n) => {
    const at = draw(n, 'insert', bytes.length);
    return Buffer.concat([bytes.subarray(0, at), Buffer.of(draw(n, 'byte', 256)), bytes.subarray(at)]);
  },
  (bytes, n) => {
    const at = draw(n, 'drop', bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + draw(n, 'count', 40))]);
  },
  (bytes, n) => {
    const lines = bytes.toString('latin1').split('\n');
    const at = draw(n, 'line', lines.length);
    lines.splice(at, 0, lines[draw(n, 'which', lines.length)] as string);
    return Buffer.from(lines.join('\n'), 'latin1');
  },
];

function withByte(bytes: Buffer, at: number, change: (byte: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = change(copy[at] as number);
  return copy;
}

describe('bytes changed at random', { timeout: TIMEOUT_MS }, () => {
  let archive: MemoryArchive;
  beforeAll(async () => void (archive = await smallArchive()));

  test('never make verification throw, and never verify', async () => {
    const keys = archive.keys().filter((key) => key !== checkpointKey(ORIGIN));
    for (let n = 0; n < ROUNDS; n += 1) {
      const copy = archive.clone();
      const key = keys[draw(n, 'key', keys.length)] as string;
      const change = MUTATIONS[n % MUTATIONS.length] as Mutation;
      copy.put(key, change(copy.get(key), n));
      const report = await verify(copy);
      expect(report.exitCode, `round ${n} at ${key}`).toBe(1);
    }
  });

  test('of an object that can be made again change no verdict on the log itself', async () => {
    const key = checkpointKey(ORIGIN);
    for (let n = 0; n < 60; n += 1) {
      const copy = archive.clone();
      const change = MUTATIONS[n % MUTATIONS.length] as Mutation;
      copy.put(key, change(copy.get(key), n));
      const report = await verify(copy);
      const codes = report.findings.map(({ code }) => code);
      // A note may carry lines of unknown signers, so a change need not be a fault.
      expect(
        codes.every((code) => code === 'verify/checkpoint-unsigned'),
        `round ${n}: ${codes.join()}`,
      ).toBe(true);
      expect(report.size).toBeGreaterThan(40);
    }
  });

  test('in several places at once are all found, and none hides another', async () => {
    for (let n = 0; n < 40; n += 1) {
      const copy = archive.clone();
      const packs = copy.keys().filter((key) => key.includes('/pack/'));
      for (const key of packs)
        copy.put(
          key,
          withByte(copy.get(key), draw(n, key, copy.get(key).length), (byte) => byte ^ 4),
        );
      const report = await verify(copy);
      expect(report.findings.map(({ code, count }) => [code, count])).toEqual([['verify/pack-hash', packs.length]]);
    }
  });

  test('object names and whole objects exchanged at random never verify', async () => {
    const keys = archive.keys().filter((key) => key !== checkpointKey(ORIGIN));
    for (let n = 0; n < 80; n += 1) {
      const copy = archive.clone();
      const [a, b] = [keys[draw(n, 'a', keys.length)] as string, keys[draw(n, 'b', keys.length)] as string];
      if (copy.get(a).equals(copy.get(b))) continue;
      copy.put(a, archive.get(b));
      copy.put(b, archive.get(a));
      expect((await verify(copy)).exitCode, `round ${n}: ${a} and ${b}`).toBe(1);
    }
  });
});
