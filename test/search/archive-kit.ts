// SPDX-License-Identifier: AGPL-3.0-or-later
import { join } from 'node:path';
import type { Capture } from '../../src/connectors/connector.ts';
import type { View } from '../../src/record/message.ts';
import type { Trust } from '../../src/record/trust.ts';
import { openManifest } from '../../src/record/manifest.ts';
import type { IndexDb } from '../../src/search/index-db.ts';
import { Indexer } from '../../src/search/indexer.ts';
import type { AccountSpool } from '../../src/spool/account.ts';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import { ArchiveMaker, LONG_CLASS, MANIFEST, TRUST } from '../support/archive-fixture.ts';
import { READER, ROOT, type RecipientPair } from '../vectors/keys.ts';
import { viewOf, type Happening, type TestPerson } from './kit.ts';

/** An archive as the real spool, queue and archiver write it, with messages in it. */
export class TalkingArchive implements AsyncDisposable {
  readonly maker: ArchiveMaker;
  readonly directory: string;
  readonly #sinks = new Map<TestPerson, AccountSpool>();
  #count = 0;

  private constructor(directory: string) {
    this.directory = join(directory, 'archive');
    this.maker = new ArchiveMaker(directory);
  }

  static async start(directory: string): Promise<TalkingArchive> {
    const archive = new TalkingArchive(directory);
    await archive.maker.start();
    return archive;
  }

  async capture(owner: TestPerson, body: Parameters<typeof viewOf>[1], happening: Happening = {}): Promise<void> {
    await this.deliver(owner, viewOf(owner, body, { atMs: this.maker.nowMs, ...happening }));
  }

  async deliver(owner: TestPerson, view: View): Promise<void> {
    this.#count += 1;
    const native = { chat: '', sender: '', id: String(this.#count), kind: view.kind, revision: '' };
    const capture: Capture = {
      type: 'content',
      native,
      via: 'webhook',
      atMs: this.maker.nowMs,
      view,
      raw: Buffer.from(`raw ${this.#count}`),
    };
    await (await this.sink(owner)).deliver([capture]);
  }

  async sink(owner: TestPerson): Promise<AccountSpool> {
    const known = this.#sinks.get(owner) ?? (await this.maker.account('signal', owner.number, LONG_CLASS));
    this.#sinks.set(owner, known);
    return known;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.maker[Symbol.asyncDispose]();
  }
}

export interface ReadingParts {
  readonly pair?: RecipientPair;
  readonly trust?: Trust;
}

/** An indexer on an archive in a directory, with the reader key of the fixtures. */
export async function indexerOn(
  directory: string,
  db: IndexDb,
  { pair = READER, trust = TRUST }: ReadingParts = {},
): Promise<Indexer> {
  const manifest = openManifest(MANIFEST, ROOT.key, TRUST.origin);
  const reader = await openDirReader(directory);
  return Indexer.open({ reader, trust, manifest, key: pair.privateKey, kid: pair.recipient.kid, db });
}
