// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ArchiveStore } from '../archive/store.ts';
import { MEDIA_PREFIX, packPrefix } from '../record/layout.ts';
import type { HeldObjects } from './held-objects.ts';

/** What a round found and did. Keys are hashes; nothing here tells what is in the objects. */
export interface HoldReport {
  /** Objects that holds in force name. */
  readonly wanted: number;
  readonly set: readonly string[];
  readonly lifted: readonly string[];
  /** Named by a hold, and not in the store. */
  readonly missing: readonly string[];
  /** Held in the store, and no hold of this log ever named it: somebody else's, or somebody's hand. Left as it is. */
  readonly unlogged: readonly string[];
  /** The store has no legal holds: the log is all there is. */
  readonly unenforced: boolean;
}

type Store = Pick<ArchiveStore, 'abilities' | 'state' | 'setLegalHold' | 'listVersions'>;

/**
 * Makes the store's legal holds what the log says. Each object is read back after it is set (the store's own contract), and a round may be
 * repeated or broken off anywhere: the next one finds what is left.
 */
export class HoldKeeper {
  readonly #store: Store;
  readonly #origin: string;

  constructor(store: Store, origin: string) {
    this.#store = store;
    this.#origin = origin;
  }

  /** Looks at what the log names; with `all`, at every object of the store as well. Throws the store's failures. */
  async round(held: HeldObjects, all: boolean): Promise<HoldReport> {
    const [wanted, freed] = [held.wanted(), held.freed()];
    const report = {
      wanted: wanted.size,
      set: [] as string[],
      lifted: [] as string[],
      missing: [] as string[],
      unlogged: [] as string[],
      unenforced: !this.#store.abilities.legalHold,
    };
    for (const key of wanted) {
      const state = await this.#store.state(key, '');
      if (state === null) report.missing.push(key);
      else if (!state.legalHold && !report.unenforced) {
        await this.#store.setLegalHold(key, state.version, true);
        report.set.push(key);
      }
    }
    if (report.unenforced) return report;
    for (const key of freed) {
      const state = await this.#store.state(key, '');
      if (state?.legalHold !== true) continue;
      await this.#store.setLegalHold(key, state.version, false);
      report.lifted.push(key);
    }
    if (all) await this.#findUnlogged(wanted, report.unlogged);
    return report;
  }

  /** What is held and was never named is not lifted: a hold may be another court's. */
  async #findUnlogged(wanted: ReadonlySet<string>, unlogged: string[]): Promise<void> {
    for (const prefix of [packPrefix(this.#origin), MEDIA_PREFIX]) {
      let before = '';
      for await (const { key, deleteMarker } of this.#store.listVersions(prefix)) {
        if (deleteMarker || key === before || wanted.has(key)) continue;
        before = key;
        if ((await this.#store.state(key, ''))?.legalHold === true) unlogged.push(key);
      }
    }
  }
}
