// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkBundle } from '../../src/prove/check.ts';
import { collect } from '../../src/prove/collect.ts';
import { derive } from '../../src/prove/derive.ts';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { cosign, cosignerKey, encodeCosignerKey } from '../../src/record/cosignature.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { segmentPrefix, witnessKey } from '../../src/record/layout.ts';
import { encodeVerifierKey, parseNote } from '../../src/record/note.ts';
import { parsePolicy } from '../../src/record/policy.ts';
import { parseSegment } from '../../src/record/segment.ts';
import { temporaryFolder, TRUST } from '../support/archive-fixture.ts';
import { LOG, ORIGIN, signingPair } from '../vectors/keys.ts';
import { madeArchive, middleLeaf, publishTiles, sourceOf } from './subject.ts';

const [ONE, TWO] = [signingPair('witness one'), signingPair('witness two')];
const NAMES = new Map([
  [ONE, 'one.example'],
  [TWO, 'two.example'],
]);
const vkey = (pair: typeof ONE): string => encodeCosignerKey(cosignerKey(NAMES.get(pair) ?? '', pair.key));
const POLICY = `log ${encodeVerifierKey(TRUST.log)}\nwitness a ${vkey(ONE)}\nwitness b ${vkey(TWO)}\ngroup both all a b\nquorum both\n`;

describe('a bundle of a log that witnesses cosign', () => {
  let folder: { path: string } & AsyncDisposable;
  let archive: string;
  let leaf: number;
  /** Signed checkpoints after each segment. */
  let notes: { size: number; note: string }[];

  beforeEach(async () => {
    folder = await temporaryFolder();
    archive = await madeArchive(folder.path);
    await publishTiles(archive);
    leaf = await middleLeaf(archive);
    const source = await sourceOf(archive);
    const names = await readdir(join(archive, segmentPrefix(ORIGIN)));
    notes = [];
    for (const name of names.toSorted()) {
      const bytes = await source.read(segmentPrefix(ORIGIN) + name);
      const { tail } = parseSegment(bytes ?? Buffer.alloc(0));
      const note = signCheckpoint({ origin: ORIGIN, size: tail.size, root: tail.root }, LOG.privateKey);
      notes.push({ size: tail.size, note });
    }
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  async function keep(n: number, ...witnesses: readonly (typeof ONE)[]): Promise<number> {
    const { size, note } = notes.filter((each) => each.size > leaf)[n] as (typeof notes)[number];
    const lines = witnesses.map((pair) =>
      cosign(parseNote(note).text, NAMES.get(pair) ?? '', pair.privateKey, 1_800_000_000),
    );
    const text = note + lines.join('');
    const path = join(archive, witnessKey(ORIGIN, size, sha256Hex(text)));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    return size;
  }

  async function made(): Promise<ReturnType<typeof checkBundle>> {
    const core = await collect(await sourceOf(archive, POLICY), leaf, { policy: POLICY });
    return checkBundle(new Map([...core, ...derive(core)]), { trust: TRUST, policy: parsePolicy(POLICY) });
  }

  test('leads to the earliest checkpoint behind the record that meets the policy', async () => {
    await keep(0, ONE);
    const size = await keep(1, ONE, TWO);
    await keep(2, ONE, TWO);
    expect(await made()).toMatchObject({ findings: [], proven: { leaf, size, cosignatures: 2 } });
  });

  test('puts together what several witnesses signed one by one', async () => {
    const size = await keep(0, ONE);
    await keep(0, TWO);
    expect(await made()).toMatchObject({ findings: [], proven: { size, cosignatures: 2 } });
  });

  test('says that the policy is not met where too few signed', async () => {
    await keep(0, ONE);
    const { findings, proven } = await made();
    expect(proven).toBeNull();
    expect(findings[0]).toMatchObject({ code: 'proof/record-proof', got: expect.stringContaining('1 cosignature') });
  });

  test('passes over what is no checkpoint of the log, and needs tiles of no size in particular', async () => {
    const size = await keep(1, ONE, TWO);
    const noise = join(archive, witnessKey(ORIGIN, (notes.at(-1)?.size ?? 0) - 1, 'f'.repeat(64)));
    await writeFile(noise, 'no note');
    expect(await made()).toMatchObject({ findings: [], proven: { size } });
    await rm(noise);
  });
});
