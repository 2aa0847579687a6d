// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDirStore } from '../../src/archive/dir-store.ts';
import { approve, approvedLine, holdEntries, parseApproval } from '../../src/matters/hold-entry.ts';
import { ApprovedBox } from '../../src/matters/approved-box.ts';
import { parseEntry } from '../../src/record/entry.ts';
import type { HoldEntry } from '../../src/record/entry-types.ts';
import { encodeHoldDocument, MOST_HELD, parseHoldDocument } from '../../src/record/hold.ts';
import { signersOf, openManifest } from '../../src/record/manifest.ts';
import { HeldObjects } from '../../src/steward/held-objects.ts';
import { ANA } from '../search/kit.ts';
import { MANIFEST, OFFICER, SECOND_OFFICER } from '../support/archive-fixture.ts';
import { StrictBucket } from '../support/strict-bucket.ts';
import { StrictStore } from '../support/strict-store.ts';
import { ARCHIVER, hexOf, ORIGIN, READER_SIGNING, ROOT } from '../vectors/keys.ts';
import { Held, holdSuite } from './holds.ts';

holdSuite('in a store with versions and locks', async () => new StrictStore(new StrictBucket()), { files: false });

const officers = signersOf(openManifest(MANIFEST, ROOT.key, ORIGIN), 'officer');
const HOLD = hexOf('hold', 32);
const NOW = Date.UTC(2026, 10, 22, 9);
const word = (state: HoldEntry['state'], nowMs = NOW) => ({
  origin: ORIGIN,
  hold: HOLD,
  reference: 'case 7',
  state,
  nowMs,
});
const objects = (...words: string[]): { packs: string[]; media: string[] } => ({
  packs: words.map((one) => hexOf(one)).toSorted(),
  media: [],
});

describe('a directory', () => {
  it('has no holds to set: the steward says so, and what the log wants', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-holds-'));
    {
      await using held = await Held.start(directory, await openDirStore(join(directory, 'archive')));
      await held.say(ANA, 'the seal is broken');
      await held.submit(held.place({ by: 'search', query: 'seal' }).approvals, OFFICER);
      expect(await held.round()).toMatchObject({ wanted: 1, set: [], missing: [], unenforced: true });
    }
    rmSync(directory, { recursive: true, force: true });
  });
});

describe('what the steward believes', () => {
  const taken = (entry: HoldEntry, document: string, before: HeldObjects = new HeldObjects(ORIGIN)): HeldObjects => {
    before.take(entry, [document], officers);
    return before;
  };

  it.each([
    ['by nobody named', READER_SIGNING],
    ['by the archiver', ARCHIVER],
  ])('is no entry %s', (_name, pair) => {
    const [made] = holdEntries(word('placed'), objects('a'));
    const { entry, document } = approve(made as NonNullable<typeof made>, pair.privateKey);
    const held = taken(entry, document);
    expect([held.wanted().size, held.ignored]).toEqual([0, 1]);
  });

  it('is no entry twice, none without its document, none behind its release', () => {
    const [made] = holdEntries(word('placed'), objects('a'));
    const { entry, document } = approve(made as NonNullable<typeof made>, OFFICER.privateKey);
    const held = taken(entry, document);
    expect(held.wanted().size).toBe(1);
    taken(entry, document, held);
    taken({ ...entry, objects: { ...entry.objects, h: hexOf('other') } }, document, held);
    const [end] = holdEntries(word('released'), objects());
    const both = [OFFICER, SECOND_OFFICER].reduce(
      (one, { privateKey }) => approve(one, privateKey),
      end as NonNullable<typeof end>,
    );
    taken(both.entry, both.document, held);
    const [late] = holdEntries(word('extended', NOW + 1000), objects('b'));
    const after = approve(late as NonNullable<typeof late>, OFFICER.privateKey);
    taken(after.entry, after.document, held);
    expect([held.wanted().size, held.freed().size, held.ignored]).toEqual([0, 1, 3]);
  });
});

describe('an approved entry', () => {
  it('of more objects than one document holds takes several', () => {
    const packs = Array.from({ length: MOST_HELD + 1 }, (_, at) => hexOf(`pack ${at}`)).toSorted();
    const made = holdEntries(word('placed'), { packs, media: [hexOf('file')] });
    expect(made.map(({ entry }) => entry.state)).toEqual(['placed', 'extended']);
    const all = made.map(({ document }) => parseHoldDocument(document));
    expect(all.flatMap((one) => one.packs)).toEqual(packs);
    expect(all.flatMap((one) => one.media)).toEqual([hexOf('file')]);
  });

  it('becomes a line with its signatures, and a release with two', () => {
    const [made] = holdEntries(word('released'), objects());
    const release = made as NonNullable<typeof made>;
    expect(() => approvedLine(release)).toThrow(/matters\/approval/);
    const once = approve(approve(release, OFFICER.privateKey), OFFICER.privateKey);
    expect(() => approvedLine(once)).toThrow(/matters\/approval/);
    expect(parseEntry(approvedLine(approve(once, SECOND_OFFICER.privateKey))).t).toBe('hold');
  });

  it('goes from hand to hand as a file, and nothing else is taken for one', () => {
    const [made] = holdEntries(word('placed'), objects('a'));
    const text = JSON.stringify(approve(made as NonNullable<typeof made>, OFFICER.privateKey));
    expect(approvedLine(parseApproval(text))).toContain('"t":"hold"');
    expect(approvedLine(approve(parseApproval(JSON.stringify(made)), OFFICER.privateKey))).toContain(
      '"state":"placed"',
    );
    for (const other of [
      '',
      '{}',
      'null',
      text.replace('case 7', 'case \\u00e9'),
      text.replace(/"packs\\":\[\\"./, '"packs\\":[\\"x'),
    ]) {
      expect(() => parseApproval(other)).toThrow(/matters\/approval/);
    }
  });

  it('waits on the disk until the log has it', () => {
    const spool = mkdtempSync(join(tmpdir(), 'holdfast-box-'));
    const box = new ApprovedBox(spool);
    expect(box.waiting()).toEqual([]);
    const [made] = holdEntries(word('placed'), objects('a'));
    expect(() => box.put(made as NonNullable<typeof made>)).toThrow(/matters\/approval/);
    box.put(approve(made as NonNullable<typeof made>, OFFICER.privateKey));
    box.put(approve(made as NonNullable<typeof made>, OFFICER.privateKey));
    expect(new ApprovedBox(spool).waiting()).toHaveLength(1);
    rmSync(spool, { recursive: true, force: true });
  });

  it.each([
    ['{}'],
    ['[]'],
    ['{"ctx":"holdfast hold v1","media":[],"packs":["00"]}'],
    ['{"ctx":"holdfast hold v1","media":[],"more":1,"packs":[]}'],
    [encodeHoldDocument({ packs: [hexOf('a'), hexOf('a')], media: [] })],
    ['{"packs":[],"media":[],"ctx":"holdfast hold v1"}'],
  ])('has no such document: %s', (text) => {
    expect(() => parseHoldDocument(text)).toThrow(/format\//);
  });
});
