// SPDX-License-Identifier: Apache-2.0
import { genesisOf } from '../record/entry.ts';
import type { OpenEntry, Sealed, StreamRecord } from '../record/entry-types.ts';
import type { Findings } from './findings.ts';
import type { EpochIndex, RunSigner, StreamRun } from './summary.ts';

/** One stream's records within a segment, chained as they come. */
class Run {
  readonly stream: string;
  readonly firstLeaf: number;
  begins: StreamRun['begins'] = null;
  open: OpenEntry | null = null;
  /** What the next record must follow; null behind a line that could not be read. */
  tip: { seq: number; id: string; leafId: string } | null = null;
  lastLeaf: number;
  firstAt = '';
  lastAt = '';
  newestAt = '';
  readonly peaks: StreamRun['peaks'][number][] = [];
  records = 0;
  lost = 0;
  closedAt: string | null = null;
  readonly pieces: number[] = [];
  firstUse: EpochIndex | null = null;
  lastUse: EpochIndex | null = null;
  isFresh = true;

  constructor(stream: string, leaf: number) {
    this.stream = stream;
    this.firstLeaf = leaf;
    this.lastLeaf = leaf;
  }
}

export class StreamRuns {
  readonly #origin: string;
  readonly #findings: Findings;
  readonly #runs = new Map<string, Run>();
  #last: Run | null = null;

  constructor(origin: string, findings: Findings) {
    this.#origin = origin;
    this.#findings = findings;
  }

  #of(stream: string, leaf: number): Run {
    if (this.#last?.stream === stream) return this.#last;
    const run = this.#runs.get(stream) ?? new Run(stream, leaf);
    this.#runs.set(stream, run);
    this.#last = run;
    return run;
  }

  /** A line of this stream that could not be read: its continuity begins anew behind it. */
  breakAt(stream: string, leaf: number): void {
    const run = this.#of(stream, leaf);
    run.isFresh = false;
    run.tip = null;
  }

  take(record: StreamRecord, id: string, leaf: number, index: number): void {
    const { stream, seq, prev, at } = record;
    const run = this.#of(stream, leaf);
    this.#judge(run, record, leaf);
    if (run.isFresh) run.begins = { seq, prev, at };
    run.isFresh = false;
    if (record.t === 'open') run.open ??= record;
    if (record.t === 'close') run.closedAt = at;
    if (record.t === 'hole') {
      run.lost += record.count;
      run.tip = { seq: seq + record.count - 1, id: record.last, leafId: id };
    } else {
      run.tip = { seq, id, leafId: id };
      extendPieces(run.pieces, seq, index);
    }
    run.records += 1;
    run.lastLeaf = leaf;
    if (run.firstAt === '') run.firstAt = at;
    run.lastAt = at;
    if (at > run.newestAt) run.newestAt = at;
    if (record.t !== 'close') raisePeak(run.peaks, leaf, at);
  }

  #judge(run: Run, { stream, seq, prev, at, t }: StreamRecord, leaf: number): void {
    const where = { leaf, stream, seq };
    const { tip } = run;
    if (tip !== null && seq !== tip.seq + 1) {
      this.#findings.add('verify/stream-sequence', where, `${tip.seq + 1}`, `${seq}`);
    } else if (tip !== null && prev !== tip.id) {
      this.#findings.add('verify/stream-chain', where, tip.id, prev);
    } else if (seq === 0 && prev !== genesisOf(this.#origin, stream)) {
      this.#findings.add('verify/stream-chain', where, 'the beginning of this stream', prev);
    }
    if (run.closedAt !== null)
      this.#findings.add('verify/stream-closed', where, 'nothing after close', `a ${t} record`);
    judgeClock(this.#findings, where, run.lastAt, at);
  }

  /** Holds the index of a sealed record against the one before it in its stream. */
  seal(record: StreamRecord & Sealed, leaf: number): void {
    const { stream, seq, epoch, i } = record;
    const run = this.#of(stream, leaf);
    judgeIndexOrder(this.#findings, { leaf, stream, seq }, run.lastUse, { epoch, i });
    run.lastUse = { epoch, i };
    run.firstUse ??= run.lastUse;
  }

  finish(signersOf: (stream: string) => readonly RunSigner[]): StreamRun[] {
    return [...this.#runs.values()].map((run) => {
      const { isFresh: _isFresh, tip, ...rest } = run;
      return { ...rest, ends: tip, signers: signersOf(run.stream) };
    });
  }
}

function extendPieces(pieces: number[], seq: number, index: number): void {
  const [first, count, from] = pieces.slice(-3) as [number, number, number];
  if (pieces.length > 0 && first + count === seq && from + count === index) pieces[pieces.length - 2] = count + 1;
  else pieces.push(seq, 1, index);
}

/** What comes no later than the record at hand is no peak any more. */
function raisePeak(peaks: StreamRun['peaks'][number][], leaf: number, at: string): void {
  while ((peaks.at(-1)?.at ?? '~') <= at) peaks.pop();
  peaks.push({ leaf, at });
}

export function judgeClock(findings: Findings, where: object, before: string, at: string): void {
  if (at >= before) return;
  const seconds = Math.round((Date.parse(before) - Date.parse(at)) / 1000);
  findings.add('verify/clock-back', where, `${before} or later`, `${at}, ${seconds} s back`);
}

export function judgeIndexOrder(
  findings: Findings,
  where: object,
  before: EpochIndex | null,
  { epoch, i }: EpochIndex,
): void {
  if (before?.epoch !== epoch || i >= before.i) return;
  findings.add('verify/epoch-index-order', where, `an index above ${before.i}`, `${i}`);
}
