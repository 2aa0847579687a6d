// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FormatError } from '../../src/record/format-error.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { tilePrefix, witnessPrefix } from '../../src/record/layout.ts';
import { parsePolicy } from '../../src/record/policy.ts';
import { temporaryFolder } from '../support/archive-fixture.ts';
import { ORIGIN } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { relog, type Draft, type DraftRecord } from '../verify/relog.ts';
import { codesOf, smallArchive, verify } from '../verify/subject.ts';
import { attestedArchive, Notary, POLICY } from './beside.ts';
import { argumentsFor, SecondVerifier } from './second-verifier.ts';

const SEED = 'tamper random 1';
const ROUNDS = 60;
const TIMEOUT_MS = 300_000;

/** The n-th number below `most` of a fixed sequence. */
function draw(n: number, word: string, most: number): number {
  return createHash('sha256').update(`${SEED} ${word} ${n}`).digest().readUInt32BE(0) % most;
}

/** Bytes changed without any key. */
function changeBytes(archive: MemoryArchive, n: number): void {
  const keys = archive.keys();
  const key = keys[draw(n, 'key', keys.length)] as string;
  const bytes = archive.get(key);
  const at = draw(n, 'at', bytes.length);
  const cut = draw(n, 'cut', 40);
  const kinds = [
    () =>
      Buffer.concat([
        bytes.subarray(0, at),
        Buffer.of((bytes[at] ?? 0) ^ (1 << draw(n, 'bit', 8))),
        bytes.subarray(at + 1),
      ]),
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + cut)]),
    () => Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + cut, 0x61), bytes.subarray(at)]),
    () => archive.get(keys[draw(n, 'other', keys.length)] as string),
  ];
  archive.put(key, (kinds[n % kinds.length] as () => Buffer)());
}

/** A byte of a tile, or of a cosigned checkpoint, which is named by its hash. */
function changeBeside(archive: MemoryArchive, n: number): void {
  const keys = archive.keys(n % 2 === 0 ? tilePrefix(ORIGIN) : witnessPrefix(ORIGIN));
  const key = keys[draw(n, 'beside', keys.length)] as string;
  const bytes = archive.get(key);
  bytes[draw(n, 'beside at', bytes.length)] = draw(n, 'beside byte', 256);
  archive.remove(key);
  archive.put(n % 2 === 0 ? key : key.replace(/[^-]{16}$/, sha256Hex(bytes).slice(0, 16)), bytes);
}

/** A member of a record changed with all keys in hand. Which stream and number it has is left: what follows from another is a wreck. */
function changeRecord(draft: Draft, n: number): void {
  const records = draft.segments.flatMap(({ batches }) => batches.flatMap((batch) => batch.records));
  const chosen = records[draw(n, 'record', records.length)] as DraftRecord;
  const members = Object.keys(chosen.record).filter((name) => !['t', 'v', 'prev', 'stream', 'seq'].includes(name));
  const name = members[draw(n, 'member', members.length)] as string;
  const value = (chosen.record as unknown as Record<string, unknown>)[name];
  const digit = draw(n, 'digit', 10);
  const other =
    typeof value === 'number'
      ? value + 1 + digit
      : typeof value === 'string'
        ? `${value.slice(0, -1)}${value.endsWith(String(digit)) ? (digit + 1) % 10 : digit}`
        : value;
  chosen.record = { ...chosen.record, [name]: other } as DraftRecord['record'];
}

/** False for a draft of which no log can be written: heads cannot tell of a stream whose first record is none. */
function isWritten(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

describe('changes at random', { timeout: TIMEOUT_MS }, () => {
  let clean: MemoryArchive;
  let second: SecondVerifier;
  beforeAll(async () => {
    clean = await smallArchive();
    clean.abilities = { versions: false, locks: false };
    second = new SecondVerifier();
  });
  afterAll(() => second[Symbol.dispose]());

  async function differences(
    change: (archive: MemoryArchive, n: number) => void,
    from = clean,
    policy?: string,
    rounds = ROUNDS,
  ): Promise<object[]> {
    await using folder = await temporaryFolder();
    const found: object[] = [];
    let written = 0;
    for (let n = 0; n < rounds; n += 1) {
      const archive = from.clone();
      if (!isWritten(() => change(archive, n))) continue;
      written += 1;
      const report = await verify(archive, policy === undefined ? {} : { policy: parsePolicy(policy) });
      const other = await second.verify(await argumentsFor(archive, join(folder.path, String(n)), { policy }));
      const ours = [report.exitCode, ...codesOf(report).toSorted()];
      const theirs = [other.exitCode, ...[...other.findings, ...other.unchecked].map(({ code }) => code).toSorted()];
      if (ours.join() !== theirs.join()) found.push({ n, ours, theirs });
    }
    expect(written).toBeGreaterThan(rounds / 2);
    return found;
  }

  test('of bytes are judged alike by both verifiers', async () => {
    expect(await differences(changeBytes)).toEqual([]);
  });

  test('of records, signed again by an insider, are judged alike by both', async () => {
    expect(await differences((archive, n) => relog(archive, (draft) => changeRecord(draft, n)))).toEqual([]);
  });

  test('of tiles, and of cosigned checkpoints under the name that fits, are judged alike by both', async () => {
    await using notary = new Notary();
    const attested = await attestedArchive(notary);
    expect(await differences(changeBeside, attested, POLICY, ROUNDS / 2)).toEqual([]);
  });
});
