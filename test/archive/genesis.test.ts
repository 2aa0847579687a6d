// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterEach, describe, expect, it } from 'vitest';
import { codeOf } from '../../src/base/failure.ts';
import { openManifest, signManifest } from '../../src/record/manifest.ts';
import {
  ArchiverKit,
  CLASS,
  MANIFEST,
  nextManifest,
  ORIGIN,
  OTHER_CLASS,
  SCHEDULES,
  type Changes,
  type Running,
} from '../support/archiver-kit.ts';
import { checkAll, checkLog } from '../support/check-log.ts';
import { StrictStore, type StrictOptions } from '../support/strict-store.ts';
import { ROOT, signingPair } from '../vectors/keys.ts';

let running: Running | null = null;
afterEach(async () => {
  await running?.archiver[Symbol.asyncDispose]();
  running = null;
});

async function started(kit: ArchiverKit, changes: Changes = {}, options: StrictOptions = {}): Promise<Running> {
  await running?.archiver[Symbol.asyncDispose]();
  running = await kit.start(changes, kit.store(options));
  return running;
}

async function refusalOf(kit: ArchiverKit, changes: Changes, store: StrictStore = kit.store()): Promise<string> {
  return kit.start(changes, store).then(() => 'none', codeOf);
}

const own = (kit: ArchiverKit): string[] => checkLog(kit.bucket).entries.map(({ t }) => t);

describe('a log', () => {
  it('begins with the manifest, the store and the schedules', async () => {
    const kit = new ArchiverKit();
    await started(kit);
    const { entries } = checkLog(kit.bucket);
    expect(entries.map(({ t }) => t)).toEqual(['key', 'store', 'retention', 'retention']);
    expect(entries[1]).toMatchObject({ kind: 's3', create: 'if-none-match', locks: true, hold: true });
    expect(entries.slice(2)).toMatchObject([
      { class: CLASS, period: 'P7Y' },
      { class: OTHER_CLASS, period: 'P15Y' },
    ]);
  });

  it('says every change once', async () => {
    const kit = new ArchiverKit();
    const next = nextManifest(MANIFEST, { at: '2027-01-01T00:00:00Z' });
    const schedules = [{ ...SCHEDULES[0], period: 'P8Y' } as (typeof SCHEDULES)[number], ...SCHEDULES.slice(1)];
    await started(kit);
    for (let round = 0; round < 3; round += 1)
      await started(kit, { manifest: next, schedules }, { create: 'first-listed' });
    expect(own(kit).slice(4)).toEqual(['key', 'store', 'retention']);
    expect(running?.archiver.state.manifest?.at).toBe('2027-01-01T00:00:00Z');
  });

  it('keeps the schedule of a class that the config no longer has', async () => {
    const kit = new ArchiverKit();
    await started(kit);
    const { archiver, told } = await started(kit, { schedules: SCHEDULES.slice(0, 1) });
    kit.first.messages(kit.first.open(), 1, OTHER_CLASS);
    await kit.first.sendAll();
    await archiver.flush();
    expect(told.unscheduled).toBe(0);
    expect(checkAll(kit).entries.findLast(({ t }) => t === 'pack')).toMatchObject({
      ret: OTHER_CLASS,
      until: '2041-11-22T15:02:04Z',
    });
  });

  it('keeps a class that nobody scheduled provisionally, and tells', async () => {
    const kit = new ArchiverKit();
    const { archiver, told } = await started(kit);
    kit.first.messages(kit.first.open(), 3, 'unheard.of');
    await kit.first.sendAll();
    await archiver.flush();
    expect(told.unscheduled).toBe(3);
    expect(checkAll(kit).entries.findLast(({ t }) => t === 'pack')).toMatchObject({
      ret: 'unheard.of',
      until: '2027-02-20T15:02:04Z',
    });
  });
});

describe('a start is refused', () => {
  const third = nextManifest(nextManifest(MANIFEST, {}), {});
  const other = signManifest(
    { ...openManifest(MANIFEST, ROOT.key, ORIGIN), at: '2020-01-01T00:00:00Z' },
    ROOT.privateKey,
  );
  const foreign = signManifest(openManifest(MANIFEST, ROOT.key, ORIGIN), signingPair('stranger').privateKey);
  const change = (schedule: Partial<(typeof SCHEDULES)[number]>): Changes => ({
    schedules: [{ ...(SCHEDULES[0] as (typeof SCHEDULES)[number]), ...schedule }],
  });

  it.each([
    ['a manifest that leaves one out', { manifest: third }, 'archive/manifest-order'],
    ['another manifest of the same number', { manifest: other }, 'archive/manifest-order'],
    ['a manifest by another root', { manifest: foreign }, 'FormatError'],
    ['a shorter schedule', change({ period: 'P6Y' }), 'archive/retention-shortened'],
    ['a weaker schedule', change({ mode: 'GOVERNANCE' }), 'archive/retention-shortened'],
    ['a cap below the period', change({ max: 'P6Y' }), 'archive/retention-cap'],
  ])('for %s, and writes nothing', async (_what, changes, code) => {
    const kit = new ArchiverKit();
    await started(kit);
    const before = kit.bucket.keys();
    expect(await refusalOf(kit, changes)).toBe(code);
    expect(kit.bucket.keys()).toEqual(before);
  });

  it('for new locks of years that nobody confirmed, and asks for each schedule once', async () => {
    const unconfirmed = { confirmedRetention: false };
    const kit = new ArchiverKit();
    expect(await refusalOf(kit, unconfirmed)).toBe('config/retention-unconfirmed');
    expect(kit.bucket.keys()).toEqual([]);
    await started(kit);
    expect(await refusalOf(kit, unconfirmed)).toBe('none');
    expect(await refusalOf(kit, { ...unconfirmed, ...change({ period: 'P8Y' }) })).toBe('config/retention-unconfirmed');
    const revocable = { ...unconfirmed, ...change({ mode: 'GOVERNANCE' }) };
    expect(await refusalOf(new ArchiverKit(), revocable)).toBe('none');
    expect(await refusalOf(new ArchiverKit(), { ...unconfirmed, ...change({ period: 'P30D' }) })).toBe('none');
  });

  it('for an older manifest than the log’s', async () => {
    const kit = new ArchiverKit();
    const next = nextManifest(MANIFEST, {});
    await started(kit);
    await started(kit, { manifest: next });
    expect(await refusalOf(kit, { manifest: MANIFEST })).toBe('archive/manifest-order');
  });

  it('on another kind of store, and on one that lost its locks', async () => {
    const kit = new ArchiverKit();
    await started(kit);
    const directory = kit.store();
    Object.assign(directory, { abilities: { ...directory.abilities, kind: 'directory' } });
    expect(await refusalOf(kit, {}, directory)).toBe('archive/other-store');
    expect(await refusalOf(kit, {}, kit.store({ locks: false }))).toBe('archive/other-store');
  });

  it('before anything is written, when the first lock would go beyond the store’s cap', async () => {
    const kit = new ArchiverKit();
    kit.bucket.maxRetainDays = 365;
    await expect(kit.start()).rejects.toMatchObject({
      code: 'archive/flush-refused',
      detail: { got: 'store/lock-over-cap' },
    });
    expect(kit.bucket.keys()).toEqual([]);
  });
});
