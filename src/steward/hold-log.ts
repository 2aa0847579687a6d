// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyId, SigningKey } from '../record/key.ts';
import type { Trust } from '../record/trust.ts';
import { signersOf } from '../record/manifest.ts';
import { follow, survey } from '../search/follow.ts';
import { LogCursor, startOf } from '../search/log-cursor.ts';
import type { ArchiveReader } from '../verify/reader.ts';
import { HeldObjects } from './held-objects.ts';

/** Follows the log without opening anything: which holds there are. Every segment is checked as a reader checks it. */
export class HoldLog {
  readonly #reader: ArchiveReader;
  readonly #trust: Trust;
  readonly #cursor: LogCursor;
  readonly held: HeldObjects;
  #manifests = 0;

  constructor(reader: ArchiveReader, trust: Trust) {
    this.#reader = reader;
    this.#trust = trust;
    this.#cursor = new LogCursor(trust, startOf(trust.origin));
    this.held = new HeldObjects(trust.origin);
  }

  /** Size of the log up to which the holds are known. */
  get size(): number {
    return this.#cursor.position.size;
  }

  /** Takes in what came since. Throws `search/foreign-archive`, `search/log-broken`, `search/archive-unread`. */
  async catchUp(): Promise<void> {
    const found = await survey(this.#reader, this.#trust, this.#cursor);
    const packs = { packs: false };
    for await (const { verified } of follow(this.#reader, this.#trust, this.#cursor, found, packs)) {
      for (const { entry } of verified.entries) {
        if (entry.t === 'key' && entry.kind === 'manifest') this.#manifests += 1;
        if (entry.t === 'hold') this.held.take(entry, verified.docs, this.#officers());
      }
    }
  }

  /** Of the manifest in force where the log has been read to. */
  #officers(): ReadonlyMap<KeyId, SigningKey> {
    const manifest = this.#cursor.manifests()[this.#manifests - 1];
    return manifest === undefined ? new Map() : signersOf(manifest, 'officer');
  }
}
