// SPDX-License-Identifier: Apache-2.0
import type { BeatEntry } from '../record/entry-types.ts';
import type { ClaimBook } from './claims.ts';
import type { CoverageBook } from './coverage.ts';
import type { Findings } from './findings.ts';
import type { KeyBook } from './keys.ts';
import type { TakenOver } from './line.ts';
import type { StreamBook, StreamInfo } from './streams.ts';

/** A beat an hour; two missed in a row are silence. */
export const SILENCE_MS = 2 * 3_600_000;

interface Assembly {
  readonly of: number;
  have: number;
  lastStream: string;
  readonly at: string;
  readonly streams: string[];
}

interface Process {
  beats: number;
  assembly: Assembly | null;
  lastAtMs: number | null;
  /** Accounts that its last whole beat listed. */
  accounts: ReadonlySet<string>;
}

interface Silence {
  readonly info: StreamInfo;
  readonly fromMs: number;
  readonly toMs: number;
  readonly accounts: ReadonlySet<string>;
  readonly leaf: number;
}

interface Parts {
  readonly findings: Findings;
  readonly keys: KeyBook;
  readonly streams: StreamBook;
  readonly claims: ClaimBook;
  readonly coverage: CoverageBook;
}

/** Beats tell silence from loss: every process says hourly where its streams stand, and every open stream is in some beat. */
export class BeatBook {
  readonly #parts: Parts;
  readonly #processes = new Map<string, Process>();
  /** When each stream was first and last listed. */
  readonly #listings = new Map<string, { firstMs: number; lastMs: number }>();
  readonly #silences: Silence[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  beatsOf(process: string): number {
    return this.#processes.get(process)?.beats ?? 0;
  }

  apply(info: StreamInfo, beat: BeatEntry, leaf: number): void {
    const process = this.#of(info.stream);
    const [part, of] = beat.part;
    if (part === 1) {
      if (process.assembly !== null) this.#incomplete(info, process.assembly, leaf);
      process.assembly = { of, have: 0, lastStream: '', at: beat.at, streams: [] };
      process.beats += 1;
    }
    const { assembly } = process;
    // A first part that lies before the place where reading began is no fault.
    if (assembly === null && (info.knownFrom > 0 || this.#parts.streams.hasUnread)) return;
    if (assembly === null || part !== assembly.have + 1 || of !== assembly.of) {
      this.#incomplete(info, assembly, leaf);
      process.assembly = null;
      return;
    }
    this.#takePart(info, beat, assembly, leaf);
    if (assembly.have < assembly.of) return;
    process.assembly = null;
    this.#complete(info, process, assembly, leaf);
  }

  #of(stream: string): Process {
    const process = this.#processes.get(stream) ?? { beats: 0, assembly: null, lastAtMs: null, accounts: new Set() };
    this.#processes.set(stream, process);
    return process;
  }

  #incomplete({ stream }: StreamInfo, assembly: Assembly | null, leaf: number): void {
    const expected = assembly === null ? 'part 1' : `part ${assembly.have + 1} of ${assembly.of}`;
    this.#parts.findings.add('verify/beat-parts', { leaf, stream }, expected, 'another part');
  }

  #takePart({ stream: process }: StreamInfo, beat: BeatEntry, assembly: Assembly, leaf: number): void {
    const where = { leaf, stream: process, seq: beat.seq };
    for (const [stream, seq, id] of beat.heads) {
      if (stream <= assembly.lastStream) {
        this.#parts.findings.add('verify/beat-parts', where, 'streams in ascending order', 'another order');
      }
      assembly.lastStream = stream;
      assembly.streams.push(stream);
      this.#parts.claims.make({ stream, seq, id, where, by: { process, beat: this.beatsOf(process) } });
    }
    assembly.have += 1;
  }

  #complete(info: StreamInfo, process: Process, assembly: Assembly, leaf: number): void {
    const atMs = Date.parse(assembly.at);
    this.#silence(info, process.lastAtMs ?? Date.parse(info.openAt), atMs, process.accounts, leaf);
    process.lastAtMs = Math.max(atMs, process.lastAtMs ?? atMs);
    const accounts = new Set<string>();
    for (const stream of assembly.streams) {
      const listed = this.#parts.streams.get(stream);
      if (listed !== undefined) accounts.add(listed.acct);
      if (listed !== undefined && listed.isOpened && listed.key !== info.key) {
        const where = { leaf, stream: info.stream };
        this.#parts.findings.add('verify/beat-foreign-stream', where, `streams of key ${info.key}`, `stream ${stream}`);
      } else {
        this.#list(stream, atMs, leaf);
      }
    }
    process.accounts = accounts;
  }

  #list(stream: string, atMs: number, leaf: number): void {
    const listing = this.#listings.get(stream);
    if (listing === undefined) {
      this.#listings.set(stream, { firstMs: atMs, lastMs: atMs });
      return;
    }
    const info = this.#parts.streams.get(stream);
    if (info !== undefined) this.#silence(info, listing.lastMs, atMs, new Set(), leaf);
    listing.lastMs = Math.max(listing.lastMs, atMs);
    listing.firstMs = Math.min(listing.firstMs, atMs);
  }

  #silence(info: StreamInfo, fromMs: number, toMs: number, accounts: ReadonlySet<string>, leaf: number): void {
    if (toMs - fromMs > SILENCE_MS) this.#silences.push({ info, fromMs, toMs, accounts, leaf });
  }

  /** At the end of the log, whose newest time is `endAt`: who was silent, and does a gap say why? `takenOver`: the log that goes on from it. */
  finish(endAt: string, takenOver: ((acct: string) => TakenOver) | null): void {
    for (const info of this.#parts.streams.all()) {
      if (info.isOpened) this.#closeBook(info, Math.max(Date.parse(endAt), takenOver?.(info.acct).untilMs ?? 0));
    }
    for (const { info, fromMs, toMs, accounts, leaf } of this.#silences) {
      const concerned = new Set([info.acct, ...accounts]);
      const others = [...concerned].flatMap((acct) => takenOver?.(acct).covered ?? []);
      if (this.#parts.coverage.uncovered(concerned, fromMs, toMs, others) <= SILENCE_MS) continue;
      const code = info.role === 'process' ? 'verify/silence-process' : 'verify/silence-stream';
      const hours = ((toMs - fromMs) / 3_600_000).toFixed(1);
      const got = `none from ${shown(fromMs)} to ${shown(toMs)}, ${hours} h`;
      this.#parts.findings.add(code, { leaf, stream: info.stream }, 'a beat an hour', got);
    }
  }

  /** From the stream's beginning to its first beat, and from its last beat to its end. */
  #closeBook(info: StreamInfo, endMs: number): void {
    const ends = [info.closedAt, info.supersededAt].filter((end) => end !== null);
    const untilMs = Math.min(endMs, ...ends.map((end) => Date.parse(end)));
    const openMs = Date.parse(info.openAt);
    if (info.role === 'process') {
      // A reader's process holds no capture, so its silence loses nothing.
      if (this.#parts.keys.isReader(info.key)) return;
      const process = this.#of(info.stream);
      this.#silence(info, process.lastAtMs ?? openMs, untilMs, process.accounts, info.leaf);
    } else if (info.app !== 'holdfast') {
      const listing = this.#listings.get(info.stream);
      this.#silence(info, openMs, Math.min(listing?.firstMs ?? untilMs, untilMs), new Set(), info.leaf);
      if (listing !== undefined) this.#silence(info, listing.lastMs, untilMs, new Set(), info.leaf);
    }
  }
}

function shown(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}
