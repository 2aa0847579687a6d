// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HoldScope } from '../../src/access/act.ts';
import type { ArchiveStore } from '../../src/archive/store.ts';
import { isFailure } from '../../src/base/failure.ts';
import { approve, approvedLine, type Approval } from '../../src/matters/hold-entry.ts';
import { extensionOf, placeHold, releaseOf } from '../../src/matters/holds.ts';
import { encodeJob, jobId, type ApprovedJob } from '../../src/queue/job.ts';
import { openManifest } from '../../src/record/manifest.ts';
import { Indexer } from '../../src/search/indexer.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import type { AccountSpool } from '../../src/spool/account.ts';
import { HoldKeeper, type HoldReport } from '../../src/steward/hold-keeper.ts';
import { HoldLog } from '../../src/steward/hold-log.ts';
import type { ArchiveReader } from '../../src/verify/reader.ts';
import { ArchiveMaker, LONG_CLASS, MANIFEST, OFFICER, SECOND_OFFICER, TRUST } from '../support/archive-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { ANA, BEN, HARBOUR, message, refTo, viewOf, type TestPerson } from '../search/kit.ts';
import { ORIGIN, READER, READER_SIGNING, ROOT, type SigningPair } from '../vectors/keys.ts';

const MATTER = 'ab'.repeat(16);

/** An archive in some store, its index, and a steward over it. */
export class Held implements AsyncDisposable {
  readonly maker: ArchiveMaker;
  readonly store: ArchiveStore;
  readonly db: SqliteIndex;
  readonly refused: string[] = [];
  #indexer!: Indexer;
  readonly #sinks = new Map<TestPerson, AccountSpool>();
  #count = 0;
  #saidMs = 0;

  private constructor(directory: string, store: ArchiveStore) {
    this.store = store;
    this.maker = new ArchiveMaker(join(directory, 'made'), async () => store);
    this.db = SqliteIndex.openForWriting(join(directory, 'index'));
  }

  static async start(directory: string, store: ArchiveStore): Promise<Held> {
    const held = new Held(directory, store);
    await held.maker.start();
    const manifest = openManifest(MANIFEST, ROOT.key, ORIGIN);
    const { privateKey: key, recipient } = READER;
    const parts = { reader: held.reader, trust: TRUST, manifest, key, kid: recipient.kid, db: held.db };
    held.#indexer = await Indexer.open(parts);
    return held;
  }

  get reader(): ArchiveReader {
    const { store } = this;
    return {
      abilities: { versions: store.abilities.versions, locks: store.abilities.locks },
      listVersions: (prefix, after) => store.listVersions(prefix, after),
      readStream: (key, version) => store.readStream(key, version),
      state: (key, version) => store.state(key, version),
    };
  }

  async say(owner: TestPerson, text: string): Promise<void> {
    const { maker } = this;
    const sink = this.#sinks.get(owner) ?? (await maker.account('signal', owner.number, LONG_CLASS));
    this.#sinks.set(owner, sink);
    this.#count += 1;
    const native = { chat: '', sender: '', id: String(this.#count), kind: 'message', revision: '' };
    this.#saidMs = maker.nowMs;
    const view = viewOf(owner, message(text), { by: owner, chat: HARBOUR, atMs: maker.nowMs });
    await sink.deliver([{ type: 'content', native, via: 'webhook', atMs: maker.nowMs, view, raw: Buffer.from(text) }]);
    // Segments, and so packs, of their own.
    await maker.archive();
    maker.nowMs += 60_000;
    await this.index();
  }

  /** A file that needs an object. */
  async send(owner: TestPerson): Promise<void> {
    const bytes = randomBytes(70_000);
    const atMs = this.#saidMs;
    const attachment = {
      id: 'f',
      contentType: 'image/png',
      fileName: 'f.png',
      size: bytes.length,
      place: 'attachment',
    } as const;
    await (this.#sinks.get(owner) as AccountSpool).deliverMedia({
      native: { chat: '', sender: '', id: 'file', kind: 'attachment', revision: '' },
      via: 'webhook',
      atMs,
      view: (object) =>
        viewOf(
          owner,
          { kind: 'attachment', target: refTo(owner, atMs), attachment, object },
          { by: owner, chat: HARBOUR, atMs },
        ),
      raw: Buffer.alloc(0),
      bytes: (async function* () {
        yield bytes;
      })(),
    });
    await this.maker.archive();
    await this.index();
  }

  /** Until the index has all that the archiver wrote: its checkpoint is published a moment later. */
  async index(): Promise<void> {
    await eventually(async () => {
      try {
        return (await this.#indexer.catchUp())?.position.size;
      } catch (error) {
        if (!isFailure(error, 'retry')) throw error;
        return 0;
      }
    }).toBe(this.maker.archiver.state.size);
  }

  place(scope: HoldScope): { hold: string; approvals: readonly Approval[] } {
    return placeHold(this.db.acts.kept(scope), {
      origin: ORIGIN,
      matter: MATTER,
      scope,
      reference: 'case 7',
      nowMs: this.maker.nowMs,
    });
  }

  /** Through the queue, as a reader's process brings it; resolves when the archiver has judged it. */
  async submit(approvals: readonly Approval[], ...officers: readonly SigningPair[]): Promise<void> {
    await using uplink = this.maker.link.uplink(READER_SIGNING.key.id);
    for (const approval of approvals) {
      const signed = officers.reduce((one, { privateKey }) => approve(one, privateKey), approval);
      const job: ApprovedJob = { kind: 'approved', line: approvedLine(signed), document: signed.document };
      const { size } = this.maker.archiver.state;
      await uplink.send(jobId(job), encodeJob(job));
      await eventually(() => this.maker.archiver.state.size).toBeGreaterThan(size);
    }
    await this.index();
  }

  /** A steward that starts now, as after a crash: it knows nothing but the archive. */
  async round(all = true): Promise<HoldReport> {
    const log = new HoldLog(this.reader, TRUST);
    await log.catchUp();
    return new HoldKeeper(this.store, ORIGIN).round(log.held, all);
  }

  /** Keys of packs and media that the store itself says are held. */
  async heldKeys(): Promise<string[]> {
    const held: string[] = [];
    for (const prefix of [`log/${ORIGIN}/pack/`, 'media/']) {
      for await (const { key } of this.store.listVersions(prefix)) {
        if ((await this.store.state(key, ''))?.legalHold === true) held.push(key);
      }
    }
    return [...new Set(held)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#indexer[Symbol.asyncDispose]();
    await this.db[Symbol.asyncDispose]();
    await this.maker[Symbol.asyncDispose]();
  }
}

/** What holds do in every store that has them. */
export function holdSuite(name: string, openStore: () => Promise<ArchiveStore>, { files }: { files: boolean }): void {
  describe(`holds, ${name}`, () => {
    let directory: string;
    let held: Held;
    beforeEach(async () => {
      directory = mkdtempSync(join(tmpdir(), 'holdfast-holds-'));
      held = await Held.start(directory, await openStore());
      await held.say(ANA, 'the seal is broken');
      await held.say(BEN, 'nothing of note');
      if (files) await held.send(BEN);
    });
    afterEach(async () => {
      await held[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    });

    it('are set on every pack and object that a search covers, and on no other', async () => {
      const { approvals } = held.place({ by: 'search', query: 'seal' });
      await held.submit(approvals, OFFICER);
      const report = await held.round();
      expect([report.set.length, report.missing, report.unlogged]).toEqual([1, [], []]);
      expect(await held.heldKeys()).toEqual(report.set);
      expect(await held.round()).toMatchObject({ wanted: 1, set: [], lifted: [], unlogged: [] });
    });

    it('of a custodian cover what comes later, files included', async () => {
      const placed = held.place({ by: 'custodian', custodian: BEN.number });
      await held.submit(placed.approvals, OFFICER);
      const before = await held.round();
      expect(before.set.length).toBeGreaterThan(0);
      expect(before.set.some((key) => key.startsWith('media/'))).toBe(files);
      const extended = (): readonly Approval[] | null => {
        const [inLog] = held.db.acts.holds().filter(({ hold }) => hold === placed.hold);
        const kept = held.db.acts.kept({ by: 'custodian', custodian: BEN.number });
        return extensionOf(inLog as NonNullable<typeof inLog>, kept, { origin: ORIGIN, nowMs: held.maker.nowMs });
      };
      expect(extended()).toBeNull();
      await held.say(BEN, 'more of it');
      const extension = extended();
      await held.submit(extension ?? [], OFFICER);
      expect((await held.round()).set).toHaveLength(1);
      expect(held.db.acts.holds()).toMatchObject([{ hold: placed.hold, state: 'extended', reference: 'case 7' }]);
    });

    it('are lifted by a release of two officers, save what another hold names as well', async () => {
      const first = held.place({ by: 'search', query: 'seal OR note' });
      const second = held.place({ by: 'search', query: 'seal' });
      await held.submit(first.approvals, OFFICER);
      await held.submit(second.approvals, OFFICER);
      await held.round();
      const both = await held.heldKeys();
      const inLog = held.db.acts.holds().find(({ hold }) => hold === first.hold);
      const release = releaseOf(inLog as NonNullable<typeof inLog>, ORIGIN, held.maker.nowMs);
      await expect(held.submit([release], OFFICER)).rejects.toThrow(/matters\/approval/);
      await held.submit([release], OFFICER, SECOND_OFFICER);
      const report = await held.round();
      expect(report.lifted.length).toBeGreaterThan(0);
      expect((await held.heldKeys()).length + report.lifted.length).toBe(both.length);
      expect((await held.heldKeys()).length).toBe(1);
    });

    it('that somebody lifted are set again; those that no log names are told, and left', async () => {
      const { approvals } = held.place({ by: 'search', query: 'seal' });
      await held.submit(approvals, OFFICER);
      const [key = ''] = (await held.round()).set;
      await held.store.setLegalHold(key, '', false);
      expect((await held.round()).set).toEqual([key]);
      const others: string[] = [];
      for await (const version of held.store.listVersions(`log/${ORIGIN}/pack/`))
        if (version.key !== key) others.push(version.key);
      await held.store.setLegalHold(others[0] ?? '', '', true);
      const report = await held.round();
      expect([report.set, report.lifted, report.unlogged]).toEqual([[], [], [others[0]]]);
      expect(await held.heldKeys()).toHaveLength(2);
    });
  });
}
