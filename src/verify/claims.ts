// SPDX-License-Identifier: Apache-2.0
import type { Findings, Where } from './findings.ts';
import { idIn, type IdWindow } from './id-window.ts';
import type { StreamBook, StreamInfo } from './streams.ts';
import type { SegmentSummary } from './summary.ts';
import { bufferOf } from './tasks.ts';

/** What one record says of another: "record `seq` of `stream` has this id". */
export interface Claim {
  readonly stream: string;
  readonly seq: number;
  readonly id: string;
  readonly where: Where;
  /** Who says so: a process's beat, by its number among that process's beats, or a stream that follows an earlier one. */
  readonly by: { readonly process: string; readonly beat: number } | { readonly acct: string };
}

/**
 * Claims about records, held against the log: at once where the record has come, later where it has not, and at the end
 * where it never came. Those about records too old for the window are kept for a second reading.
 */
export class ClaimBook {
  readonly #findings: Findings;
  readonly #streams: StreamBook;
  readonly #window: IdWindow;
  readonly #waiting = new Map<string, Claim[]>();
  #late: Claim[] = [];

  constructor(findings: Findings, streams: StreamBook, window: IdWindow) {
    this.#findings = findings;
    this.#streams = streams;
    this.#window = window;
  }

  make(claim: Claim): void {
    const info = this.#streams.get(claim.stream);
    if (info === undefined || info.seq < claim.seq) {
      const waiting = this.#waiting.get(claim.stream) ?? [];
      waiting.push(claim);
      this.#waiting.set(claim.stream, waiting);
    } else {
      this.#judge(claim, info);
    }
  }

  /** Judges what waited for records that have come now. */
  onRecords(streams: Iterable<string>): void {
    for (const stream of streams) {
      const waiting = this.#waiting.get(stream);
      const info = this.#streams.get(stream);
      if (waiting === undefined || info === undefined) continue;
      const due = waiting.filter(({ seq }) => seq <= info.seq);
      const rest = waiting.filter(({ seq }) => seq > info.seq);
      if (rest.length > 0) this.#waiting.set(stream, rest);
      else this.#waiting.delete(stream);
      for (const claim of due) this.#judge(claim, info);
    }
  }

  #judge(claim: Claim, info: StreamInfo): void {
    if ('acct' in claim.by && info.acct !== claim.by.acct && info.isOpened) {
      this.#findings.add(
        'verify/stream-last-account',
        claim.where,
        'a stream of the same account',
        'another account’s',
      );
      return;
    }
    // Before the place where reading began, and inside of a hole, there is nothing to compare with.
    if (claim.seq < info.knownFrom) return this.#uncompared(claim);
    const found = claim.seq === info.seq ? { id: info.id } : this.#window.find(claim.stream, claim.seq);
    if (found === 'dropped') this.#late.push(claim);
    else if (found === 'none') this.#uncompared(claim);
    else this.#compare(claim, found.id);
  }

  #compare({ id, where, by }: Claim, found: string): void {
    if (found === id) return;
    this.#findings.add('acct' in by ? 'verify/stream-tail-other' : 'verify/beat-head-other', where, id, found);
  }

  /** A hole admits that its records are lost; leaves that could not be read are a finding of their own. */
  #uncompared({ where, stream, seq }: Claim): void {
    if (this.#streams.hasUnread) {
      this.#findings.add(
        'verify/claim-uncompared',
        where,
        `record ${seq} of stream ${stream}`,
        'leaves that could not be read',
      );
    }
  }

  /** Claims that need a second reading of the log. */
  get late(): readonly Claim[] {
    return this.#late;
  }

  /** Holds late claims against a segment read again. */
  onReread({ runs, ids }: Pick<SegmentSummary, 'runs' | 'ids'>): void {
    const bytes = bufferOf(ids);
    const pieces = new Map(runs.map((run) => [run.stream, run.pieces]));
    this.#late = this.#late.filter((claim) => {
      const found = idIn(pieces.get(claim.stream) ?? [], bytes, claim.seq);
      if (found !== null) this.#compare(claim, found);
      return found === null;
    });
  }

  /** What records say of an account's streams in a log before this one. */
  foreign(): Claim[] {
    return [...this.#waiting.values()].flat().filter((claim) => this.#isForeign(claim));
  }

  #isForeign({ by, stream }: Claim): boolean {
    return 'acct' in by && this.#streams.get(stream) === undefined;
  }

  /**
   * At the end of the log: what was claimed and never came. `beatsOf` counts a process's beats. `isFollowed`: there is a log before this one,
   * where streams that this one does not have are looked for.
   */
  finish(beatsOf: (process: string) => number, isFollowed: boolean): void {
    for (const claim of [...this.#waiting.values()].flat()) {
      if (isFollowed && this.#isForeign(claim)) continue;
      const { where, stream, seq, by } = claim;
      const have = this.#streams.get(stream)?.seq;
      const expected = `record ${seq} of stream ${stream}`;
      const got = have === undefined ? 'no such stream' : `its records up to ${have}`;
      if (this.#streams.hasUnread) this.#uncompared(claim);
      else if ('acct' in by) this.#findings.add('verify/stream-tail-missing', where, expected, got);
      else if (beatsOf(by.process) > by.beat) this.#findings.add('verify/beat-records-missing', where, expected, got);
      else this.#findings.add('verify/beat-ahead', where, expected, got);
    }
  }
}
