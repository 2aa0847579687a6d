// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf } from '../../src/base/failure.ts';
import { trustText } from '../../src/export/proof/proof-files.ts';
import { stampFolder, type StampPlace } from '../../src/main/stamp.ts';
import { digestOf, exported, indexed } from '../export/kit.ts';
import { makeStory } from '../export/story.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { Authority } from '../timestamp/authority.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-main-stamp-'));
const out = join(root, 'whole');
let authority: Authority;
let place: StampPlace;
beforeAll(async () => {
  authority = new Authority();
  const [archive, index] = [await makeStory(join(root, 'story')), join(root, 'index')];
  await indexed(archive, index);
  await exported({ archive, index, formats: ['jsonl'], out });
  const [trust, ca] = [join(root, 'trust.json'), join(root, 'ca.pem')];
  writeFileSync(trust, trustText(TRUST));
  writeFileSync(ca, authority.root);
  const timeStamps = [{ url: await authority.listen(), ca, crls: [] }];
  place = { timeStamps, archive: pathToFileURL(archive).href, s3: null, trust };
}, 120_000);
afterAll(async () => {
  await authority[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

describe('what is laid beside an export that is whole', () => {
  it('says by code what could not be done, does the rest, and changes nothing that was there', async () => {
    const before = digestOf(out);
    const [own] = place.timeStamps;
    const unusable = { url: own?.url ?? '', ca: join(root, 'gone.pem'), crls: [] };
    const wrong = { ...place, timeStamps: [unusable], archive: 'file:///nowhere' };
    expect(await stampFolder(out, wrong)).toEqual({
      stamped: [],
      failed: ['config/key-unusable', 'store/not-found'],
      witnessed: null,
    });
    expect(digestOf(out)).toBe(before);
    const trust = join(root, 'broken.json');
    writeFileSync(trust, '{}');
    expect(await stampFolder(out, { ...place, timeStamps: [unusable, ...place.timeStamps], trust })).toEqual({
      stamped: [expect.stringMatching(/^stamps\/[0-9a-f]{16}\.token$/)],
      failed: ['config/key-unusable', 'format/trust'],
      witnessed: null,
    });
  });

  it('is nothing where there is no export', async () => {
    expect(await stampFolder(root, place).then(() => 'none', codeOf)).toBe('export/not-an-export');
  });
});
