// SPDX-License-Identifier: AGPL-3.0-or-later
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkExport, type ExportCheckOptions } from '../../src/export/check/check.ts';
import { readManifest } from '../../src/export/read-manifest.ts';
import { keepWitnesses, WITNESSES_FILE } from '../../src/export/stamps/witnesses.ts';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { cosign, cosignerKey, encodeCosignerKey } from '../../src/record/cosignature.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { checkpointKey, segmentPrefix, witnessKey } from '../../src/record/layout.ts';
import { encodeVerifierKey, parseNote } from '../../src/record/note.ts';
import { parsePolicy } from '../../src/record/policy.ts';
import { parseSegment } from '../../src/record/segment.ts';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import { publishTiles } from '../prove/subject.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { LOG, ORIGIN, signingPair } from '../vectors/keys.ts';
import { digestOf, exported, indexed } from './kit.ts';
import { makeStory } from './story.ts';

const WITNESS = signingPair('witness one');
const policyOf = (pair: typeof WITNESS): ReturnType<typeof parsePolicy> =>
  parsePolicy(
    `log ${encodeVerifierKey(TRUST.log)}\nwitness w ${encodeCosignerKey(cosignerKey('one.example', pair.key))}\nquorum w\n`,
  );

const root = mkdtempSync(join(tmpdir(), 'holdfast-export-witnesses-'));
let archive: string;
let out: string;
let before: string;
let notes: { readonly size: number; readonly note: string }[];

/** An index that has all but the last segment, and an archive that has gone on. */
beforeAll(async () => {
  archive = await makeStory(join(root, 'story'));
  const folder = join(archive, segmentPrefix(ORIGIN));
  const names = readdirSync(folder).toSorted();
  notes = names.map((name) => {
    const { size, root: top } = parseSegment(readFileSync(join(folder, name))).tail;
    return { size, note: signCheckpoint({ origin: ORIGIN, size, root: top }, LOG.privateKey) };
  });
  const early = join(root, 'early');
  cpSync(archive, early, { recursive: true });
  rmSync(join(early, segmentPrefix(ORIGIN), names.at(-1) ?? ''));
  rmSync(join(early, checkpointKey(ORIGIN)));
  writeFileSync(join(early, checkpointKey(ORIGIN)), notes.at(-2)?.note ?? '');
  const index = join(root, 'index');
  await indexed(early, index);
  await publishTiles(archive);
  out = join(root, 'out');
  const { checkpoint } = await exported({ archive, index, out, formats: ['jsonl'] });
  expect(checkpoint.size).toBe(notes.at(-2)?.size);
  before = digestOf(out);
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

function cosigned(at: number): number {
  const { size, note } = notes.at(at) as (typeof notes)[number];
  const text = note + cosign(parseNote(note).text, 'one.example', WITNESS.privateKey, 1_800_000_000);
  const path = join(archive, witnessKey(ORIGIN, size, sha256Hex(text)));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return size;
}

async function kept(): Promise<number | null> {
  const { manifest } = await readManifest(out);
  return await keepWitnesses(out, manifest, { reader: await openDirReader(archive), trust: TRUST, policy: null });
}

const codes = async (policy: ReturnType<typeof parsePolicy>): Promise<string[]> =>
  (await checkExport(out, { trust: TRUST, policy })).findings.map(({ code }) => code);

describe('what witnesses cosigned of an export', () => {
  it('is nothing at first, which only a policy takes for a finding', async () => {
    expect([await kept(), digestOf(out)]).toEqual([null, before]);
    expect(await checkExport(out)).toMatchObject({ findings: [], witnessed: null });
    expect(await codes(policyOf(WITNESS))).toEqual(['exported/witnesses']);
  });

  it('is a later checkpoint that goes on from its own, then its own', async () => {
    const later = cosigned(-1);
    expect(await kept()).toBe(later);
    const report = await checkExport(out, { trust: TRUST, policy: policyOf(WITNESS) });
    expect(report).toMatchObject({ findings: [], witnessed: { size: later, cosignatures: 1 } });
    expect(await codes(policyOf(signingPair('stranger')))).toEqual(['exported/witnesses']);
    const own = cosigned(-2);
    expect([await kept(), await codes(policyOf(WITNESS))]).toEqual([own, []]);
  });

  it('does not hold for another log, or where the proof or a signature is another', async () => {
    cosigned(-1);
    rmSync(join(archive, 'log', ORIGIN, 'witness'), { recursive: true });
    cosigned(-1);
    await kept();
    const path = join(out, WITNESSES_FILE);
    const good = readFileSync(path, 'utf8');
    const changes: readonly ((text: string) => string)[] = [
      (text) => text.replace(/"consistency":\["../, '"consistency":["AA'),
      (text) => text.replace(/"consistency":\[[^\]]*\]/, '"consistency":[]'),
      (text) => text.replace(/one\.example .{10}/, 'one.example AAAAAAAAAA'),
      (text) => text.replace(/\\n\d+\\n/, '\\n9999\\n'),
      () => 'nothing',
      () => '{}\n',
    ];
    for (const [index, change] of changes.entries()) {
      writeFileSync(path, change(good));
      expect([index, await codes(policyOf(WITNESS))]).toEqual([index, ['exported/witnesses']]);
    }
    writeFileSync(path, good);
    expect(await codes(policyOf(WITNESS))).toEqual([]);
  });
});

/** An export of which somebody took the proof, said something else, and made the manifest anew. */
function stripped(): string {
  const copy = join(root, 'stripped');
  cpSync(out, copy, { recursive: true });
  rmSync(join(copy, 'proof'), { recursive: true });
  rmSync(join(copy, WITNESSES_FILE), { force: true });
  const lines = join(copy, 'messages.jsonl');
  const said = readFileSync(lines, 'utf8').replaceAll(/\bthe\b/g, 'tho');
  expect(said).not.toBe(readFileSync(lines, 'utf8'));
  writeFileSync(lines, said);
  const path = join(copy, 'manifest.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as { files: { name: string }[] };
  const files = manifest.files
    .filter(({ name }) => !name.startsWith('proof/'))
    .map((file) => (file.name === 'messages.jsonl' ? { ...file, sha256: sha256Hex(said) } : file));
  writeFileSync(path, JSON.stringify({ ...manifest, proofs: 'none', files }));
  return copy;
}

it('an export without its proof does not hold for who has trust, or a policy that asks for witnesses', async () => {
  const copy = stripped();
  const found = async (options: ExportCheckOptions): Promise<string[]> =>
    (await checkExport(copy, options)).findings.map(({ code }) => code);
  expect(await found({})).toEqual([]);
  expect(await found({ trust: TRUST })).toEqual(['exported/proof']);
  expect(await found({ policy: { ...policyOf(WITNESS), quorum: null } })).toEqual([]);
  expect(await found({ policy: policyOf(WITNESS) })).toEqual(['exported/witnesses']);
});
