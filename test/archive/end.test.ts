// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterEach, describe, expect, it } from 'vitest';
import { endLog } from '../../src/archive/end.ts';
import type { ArchiverOptions } from '../../src/archive/archiver.ts';
import { codeOf } from '../../src/base/failure.ts';
import { openCheckpoint } from '../../src/record/checkpoint.ts';
import { completeLink, encodePredecessor, orderLink, type LogLink } from '../../src/record/link.ts';
import { openManifest, signManifest } from '../../src/record/manifest.ts';
import { noteKey } from '../../src/record/note.ts';
import { verifyArchive } from '../../src/verify/verify.ts';
import {
  archiverOptions,
  ArchiverKit,
  LOG_KEY,
  MANIFEST,
  ORIGIN,
  Told,
  type Changes,
  type Running,
} from '../support/archiver-kit.ts';
import { StrictStore, type StoreFault } from '../support/strict-store.ts';
import { AT, CONNECTOR, LOG, ROOT, signingPair } from '../vectors/keys.ts';

const NEXT_ORIGIN = 'agency.example/next';
const NEXT = signingPair('next log');
const NEXT_KEY = noteKey(NEXT_ORIGIN, NEXT.key);
const LINK: LogLink = { at: AT, cause: 'exchanged', n: 1, from: LOG_KEY, to: NEXT_KEY, end: null };
const linked = (change: Partial<LogLink> = {}): string =>
  completeLink(orderLink({ ...LINK, ...change }, ROOT.privateKey), ROOT.key, {
    old: LOG.privateKey,
    new: NEXT.privateKey,
  });
const FIRST = signManifest({ ...openManifest(MANIFEST, ROOT.key, ORIGIN), origin: NEXT_ORIGIN }, ROOT.privateKey);

let running: Running | null = null;
afterEach(async () => {
  await running?.archiver[Symbol.asyncDispose]();
  running = null;
});

function options(kit: ArchiverKit, store: StrictStore = kit.store()): ArchiverOptions {
  const own = archiverOptions({ store, clock: () => kit.bucket.nowMs });
  return { ...own, downlink: kit.link.downlink(), events: new Told(), onFatal: () => undefined };
}

/** A log with records, and an archiver that has stopped. */
async function written(): Promise<ArchiverKit> {
  const kit = new ArchiverKit();
  const started = await kit.start();
  await kit.ship(started, kit.first.open());
  await started.archiver[Symbol.asyncDispose]();
  return kit;
}

/** What an archiver of the log that follows is started with. */
const inNext = (predecessor: string | null, before: Changes = { before: LOG_KEY }): Changes => ({
  ...before,
  origin: NEXT_ORIGIN,
  logKey: NEXT_KEY,
  manifest: FIRST,
  keys: { ...archiverOptions({ store: new ArchiverKit().store(), clock: Date.now }).keys, log: NEXT.privateKey },
  ...(predecessor === null ? {} : { predecessor }),
});

describe('a log that is ended', () => {
  it('has the link in its last segment, and no archiver goes on with it', async () => {
    const kit = await written();
    const checkpoint = await endLog(options(kit), linked());
    expect(await endLog(options(kit), linked())).toBe(checkpoint);
    expect(await kit.start().then(() => 'none', codeOf)).toBe('archive/log-ended');
    const trust = { origin: ORIGIN, root: ROOT.key, log: LOG_KEY };
    const report = await verifyArchive(kit.store(), trust, { workers: 0 });
    expect([report.verdict, report.line.after, report.size]).toEqual([
      'verified',
      NEXT_ORIGIN,
      openCheckpoint(checkpoint, LOG_KEY).size,
    ]);
  });

  it('ends with no other link than one of its own, of the next number', async () => {
    const kit = await written();
    const before = kit.bucket.keys('');
    for (const change of [{ n: 2 }, { from: noteKey('agency.example/other', LOG.key) }])
      expect(await endLog(options(kit), linked(change)).then(() => 'none', codeOf)).toBe('archive/other-link');
    expect(kit.bucket.keys('')).toEqual(before);
    await endLog(options(kit), linked());
    const elsewhere = linked({ to: noteKey('agency.example/elsewhere', NEXT.key) });
    expect(await endLog(options(kit), elsewhere).then(() => 'none', codeOf)).toBe('archive/log-ended');
  });

  it.each([
    ['is gone', (kit: ArchiverKit, key: string) => kit.bucket.lose(key)],
    ['rotted', (kit: ArchiverKit, key: string) => kit.bucket.damage(key, (bytes) => bytes.subarray(1))],
  ])('does not end as long as a pack of it %s', async (_how, harm) => {
    const kit = await written();
    const before = kit.bucket.keys('');
    const pack = before.find((key) => key.includes('/pack/')) ?? 'none';
    harm(kit, pack);
    expect(await endLog(options(kit), linked()).then(() => 'none', codeOf)).toBe('store/readback');
    const now = kit.bucket.keys('').filter((key) => key !== pack);
    expect(now).toEqual(before.filter((key) => key !== pack));
    // An archiver still goes on with it.
    running = await kit.start();
  });

  it('is ended by a second try wherever the first one broke off, before a write or behind it', async () => {
    let failed = 0;
    for (const kind of ['lost', 'persisted', 'crash'] as const) {
      for (let at = 0; at < 40; at += 1) {
        const kit = await written();
        let calls = 0;
        const fault = (): StoreFault | undefined => ((calls += 1) === at + 1 ? kind : undefined);
        const broken = await endLog(options(kit, kit.store({ fault })), linked()).then(() => 'none', codeOf);
        const checkpoint = await endLog(options(kit), linked());
        const report = await verifyArchive(
          kit.store(),
          { origin: ORIGIN, root: ROOT.key, log: LOG_KEY },
          { workers: 0 },
        );
        expect([kind, at, report.verdict, report.line.after]).toEqual([kind, at, 'verified', NEXT_ORIGIN]);
        expect(openCheckpoint(checkpoint, LOG_KEY).size).toBe(report.size);
        if (broken !== 'none') failed += 1;
        else if (calls <= at) break;
      }
    }
    expect(failed).toBeGreaterThan(10);
  });
});

describe('a log that goes on from another', () => {
  it('begins with what names that, says it in its heads, and verifies with it', async () => {
    const kit = await written();
    const predecessor = encodePredecessor(linked(), await endLog(options(kit), linked()));
    running = await kit.start(inNext(predecessor));
    expect(running.archiver.state.predecessor).toBe(predecessor);
    expect(running.archiver.state.heads().docs).toEqual([FIRST, predecessor]);
    await running.archiver[Symbol.asyncDispose]();
    // A later start need not be told again; another predecessor is none.
    running = await kit.start(inNext(null));
    const trust = { origin: NEXT_ORIGIN, root: ROOT.key, log: NEXT_KEY, before: LOG_KEY, number: 1 };
    const report = await verifyArchive(kit.store(), trust, { workers: 0 });
    expect([report.verdict, report.line.before?.report?.verdict]).toEqual(['verified', 'verified']);
  });

  it('does not begin without it, with another one, or where the trust file names none', async () => {
    const kit = await written();
    const own = encodePredecessor(linked(), await endLog(options(kit), linked()));
    const stranger = noteKey(ORIGIN, CONNECTOR.key);
    const refused = (changes: Changes): Promise<string> => kit.start(changes).then(() => 'none', codeOf);
    for (const changes of [
      inNext(null),
      inNext('{}'),
      inNext(own, { before: stranger }),
      inNext(own, {}),
      { ...inNext(own), logKey: noteKey(NEXT_ORIGIN, CONNECTOR.key) },
    ])
      expect(await refused(changes)).toBe('archive/predecessor');
    expect(kit.bucket.keys(`log/${NEXT_ORIGIN}/`)).toEqual([]);
  });
});
