// SPDX-License-Identifier: AGPL-3.0-or-later
import { Pace } from '../../src/scrub/pace.ts';
import { RoundFile, type RoundFinding, type RoundState } from '../../src/scrub/round-file.ts';
import { scrub, type ScrubParts } from '../../src/scrub/scrub.ts';
import type { ArchiveReader } from '../../src/verify/reader.ts';
import { TRUST } from '../support/archive-fixture.ts';

export const NOW = '2026-11-23T08:00:00Z';
const UNBOUND = { bytesPerSecond: 1e12, requestsPerSecond: 1e9 };

export interface Scrubbed {
  readonly complete: boolean;
  readonly codes: readonly string[];
  readonly told: readonly RoundFinding[];
  readonly state: RoundState;
}

/** One start of a scrub over a state directory. */
export async function scrubbed(
  reader: ArchiveReader,
  directory: string,
  { trust = TRUST, onEnd = () => undefined }: Partial<Pick<ScrubParts, 'trust' | 'onEnd'>> = {},
): Promise<Scrubbed> {
  using round = RoundFile.open(directory, 'an archive', () => NOW);
  const told: RoundFinding[] = [];
  const complete = await scrub({
    reader,
    trust,
    round,
    pace: new Pace(UNBOUND, { now: () => performance.now(), sleep: async () => undefined }),
    now: () => NOW,
    onFinding: (finding) => told.push(finding),
    onLog: () => undefined,
    onProgress: () => undefined,
    onEnd,
  });
  const codes = [...new Set(round.findings().map(({ code }) => code))].toSorted();
  return { complete, codes, told, state: round.state };
}

/** The same archive; what is read of it is written down. */
export class WatchedReader implements ArchiveReader {
  readonly abilities: ArchiveReader['abilities'];
  readonly #reader: ArchiveReader;
  readonly reads: string[] = [];
  /** Called before each object is read. */
  beforeRead: (key: string) => void = () => undefined;

  constructor(reader: ArchiveReader) {
    this.#reader = reader;
    this.abilities = reader.abilities;
  }

  listVersions(prefix: string, after?: string): ReturnType<ArchiveReader['listVersions']> {
    return this.#reader.listVersions(prefix, after);
  }

  state(key: string, version: string): ReturnType<ArchiveReader['state']> {
    return this.#reader.state(key, version);
  }

  async readStream(key: string, version: string): Promise<AsyncIterable<Uint8Array>> {
    this.beforeRead(key);
    this.reads.push(key);
    return await this.#reader.readStream(key, version);
  }

  get payloads(): string[] {
    return this.reads.filter((key) => key.includes('/pack/') || key.startsWith('media/'));
  }
}
