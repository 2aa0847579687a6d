// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { ArchiverKit, CLASS, MANIFEST, nextManifest, OTHER_CLASS, type Changes } from '../support/archiver-kit.ts';
import type { Plan } from '../support/batch-sender.ts';
import { auditorsFindings, checkAll } from '../support/check-log.ts';
import type { Called, StoreFault } from '../support/strict-store.ts';

const DAY_MS = 86_400_000;

type FaultAt = (called: Called) => StoreFault | undefined;

/** One process from its start to its end, whatever ends it. */
async function live(kit: ArchiverKit, fault: FaultAt, changes: Changes = {}): Promise<void> {
  const running = await kit.start(changes, kit.store({ fault })).catch(() => null);
  if (running === null) return;
  for (const sender of kit.senders) {
    sender.restart();
    await sender.sendAll();
  }
  await running.archiver.readBack();
  await running.archiver.flush().catch(() => undefined);
  kit.link.cut();
  await running.archiver[Symbol.asyncDispose]();
}

const atCreate =
  (folder: string, fault: StoreFault): FaultAt =>
  ({ call, key }) =>
    call === 'create' && key.includes(`/${folder}/`) ? fault : undefined;

describe('an archiver that dies between a pack and its segment', () => {
  it.each(['lost', 'persisted', 'crash'] as const)(
    'leaves an orphan at most, when the segment is %s',
    async (fault) => {
      const kit = new ArchiverKit();
      const stream = kit.first.open();
      kit.first.messages(stream, 3);
      await live(kit, atCreate('segment', 'lost'));
      await live(kit, () => undefined);
      kit.first.messages(stream, 4);
      await live(kit, atCreate('segment', fault));
      kit.first.messages(stream, 2);
      kit.second.messages(kit.second.open(), 1, OTHER_CLASS);
      const { archiver } = await kit.drain();
      const log = checkAll(kit);
      expect(log.orphans.length).toBe(fault === 'lost' ? 1 : 0);
      expect(await auditorsFindings(kit.bucket)).toEqual([]);
      await archiver[Symbol.asyncDispose]();
    },
  );

  it('goes on when it dies there again and again', async () => {
    const kit = new ArchiverKit();
    const stream = kit.first.open();
    await live(kit, () => undefined);
    for (let round = 0; round < 5; round += 1) {
      kit.first.messages(stream, 1);
      await live(kit, atCreate('segment', 'lost'));
    }
    const { archiver } = await kit.drain();
    // What the last of them wrote is what is written now.
    expect(checkAll(kit).orphans.length).toBe(4);
    await archiver[Symbol.asyncDispose]();
  });

  it('writes the same heads again, also when the config has changed meanwhile', async () => {
    const kit = new ArchiverKit();
    const stream = kit.first.open();
    await live(kit, () => undefined);
    kit.pass(DAY_MS);
    kit.first.messages(stream, 1);
    await live(kit, atCreate('segment', 'lost'));
    const heads = kit.bucket.keys('log/agency.example/test/heads/');
    expect(heads.length).toBe(2);
    const { archiver } = await kit.drain({ manifest: nextManifest(MANIFEST, {}) });
    const log = checkAll(kit);
    expect(kit.bucket.keys('log/agency.example/test/heads/')).toEqual(heads);
    expect(log.entries.filter(({ t }) => t === 'heads').length).toBe(2);
    expect(log.entries.filter(({ t }) => t === 'key').length).toBe(2);
    await archiver[Symbol.asyncDispose]();
  });

  it('does without heads whose name somebody took', async () => {
    const kit = new ArchiverKit();
    const stream = kit.first.open();
    await live(kit, () => undefined);
    const [segment] = checkAll(kit).segments.slice(-1);
    const leaves = String(segment?.tail.size).padStart(16, '0');
    kit.bucket.add(`log/agency.example/test/heads/${leaves}`, Buffer.from('no heads'), {
      mode: 'COMPLIANCE',
      until: '2040-01-01T00:00:00Z',
    });
    kit.pass(DAY_MS);
    kit.first.messages(stream, 1);
    await live(kit, () => undefined);
    kit.first.messages(stream, 1);
    const { archiver } = await kit.drain();
    expect(kit.bucket.keys('log/agency.example/test/heads/').length).toBe(3);
    expect(checkAll(kit).entries.filter(({ t }) => t === 'heads').length).toBe(2);
    await archiver[Symbol.asyncDispose]();
  });
});

const PLANS: readonly Plan[] = [
  { t: 'content', ret: CLASS },
  { t: 'content', ret: OTHER_CLASS },
  { t: 'content', ret: 'unscheduled' },
  { t: 'beat' },
  { t: 'hole', count: 2 },
];

describe('many short lives, each ended somewhere', () => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))('archive everything once, seed %d', async (seed) => {
    const kit = new ArchiverKit(seed);
    const { random } = kit;
    const owned = kit.senders.map((sender) => ({ sender, stream: sender.open() }));
    for (let life = 0; life < 12; life += 1) {
      const { sender, stream } = random.pick(owned);
      const plans = Array.from({ length: 1 + random.below(4) }, () => random.pick(PLANS));
      const hole = plans.findIndex(({ t }) => t === 'hole');
      sender.add(stream, hole < 0 ? plans : plans.slice(0, hole + 1));
      if (random.below(3) === 0) kit.pass(DAY_MS);
      const [at, fault] = [random.below(45), random.pick(['lost', 'persisted', 'crash'] as const)];
      await live(kit, ({ index }) => (index === at ? fault : undefined));
    }
    const { archiver } = await kit.drain();
    checkAll(kit);
    expect(await auditorsFindings(kit.bucket)).toEqual([]);
    await archiver[Symbol.asyncDispose]();
  });
});
