// SPDX-License-Identifier: Apache-2.0
import { parseStatement, verifyStatement } from '../record/batch.ts';
import { maySign, mostGenerationOf } from '../record/enforcement.ts';
import type { OpenEntry, StreamHead } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import type { Heads, StreamState } from '../record/heads.ts';
import type { App, StreamRole } from '../record/vocabulary.ts';
import type { Findings } from './findings.ts';
import type { KeyBook } from './keys.ts';
import { judgeClock, judgeIndexOrder } from './stream-runs.ts';
import type { EpochIndex, RunSigner, StreamRun } from './summary.ts';

/** Where a stream stands in the log as far as it has been read. */
export interface StreamInfo {
  readonly stream: string;
  readonly acct: string;
  readonly app: App;
  readonly role: StreamRole;
  readonly gen: number;
  readonly key: string;
  /** False for a stream whose `open` lies in leaves that could not be read: its account is not known then. */
  readonly isOpened: boolean;
  readonly openAt: string;
  /** Records from this number on have been read. */
  readonly knownFrom: number;
  readonly openLeaf: number;
  seq: number;
  id: string;
  leaf: number;
  at: string;
  closedAt: string | null;
  /** When the account's next stream was opened. */
  supersededAt: string | null;
  lastUse: EpochIndex | null;
  /** True where the next record need not follow: leaves between could not be read. */
  isUnsure: boolean;
  isParallel: boolean;
}

/** Clocks of two hosts may differ by this much. */
const MOST_SKEW_MS = 5 * 60_000;

/** All streams: opened once, in ascending generation, chained without a gap, each under its one key. */
export class StreamBook {
  readonly #findings: Findings;
  readonly #keys: KeyBook;
  readonly #streams = new Map<string, StreamInfo>();
  /** Newest stream of every account. */
  readonly #newest = new Map<string, StreamInfo>();
  /** True once leaves were passed that could not be read, or entries in them: what depends on them is then not held against the log twice. */
  hasUnread = false;

  constructor(findings: Findings, keys: KeyBook) {
    this.#findings = findings;
    this.#keys = keys;
  }

  get(stream: string): StreamInfo | undefined {
    return this.#streams.get(stream);
  }

  get count(): number {
    return this.#streams.size;
  }

  all(): Iterable<StreamInfo> {
    return this.#streams.values();
  }

  /** What a heads object must say, in its order. */
  states(): StreamState[] {
    return [...this.#streams.values()]
      .map(({ stream, acct, app, role, gen, key, seq, id, leaf, at, closedAt }) => {
        return { stream, acct, app, role, gen, key, seq, id, leaf, at, closed: closedAt !== null };
      })
      .toSorted((a, b) => (a.stream < b.stream ? -1 : 1));
  }

  restore({ streams }: Heads, at: string): void {
    for (const { closed, ...state } of streams.toSorted((a, b) => a.gen - b.gen)) {
      const info: StreamInfo = {
        ...state,
        isOpened: true,
        openAt: at,
        knownFrom: state.seq,
        openLeaf: state.leaf,
        closedAt: closed ? state.at : null,
        supersededAt: null,
        lastUse: null,
        isUnsure: false,
        isParallel: false,
      };
      this.#add(info);
    }
  }

  /** Leaves were passed over: every stream may have gone on in them. */
  skipLeaves(): void {
    this.hasUnread = true;
    for (const info of this.#streams.values()) info.isUnsure = true;
  }

  /** Takes in one stream's records of a segment. Returns the heads it names as earlier ones: with its `open`, at most one. */
  apply(run: StreamRun): { readonly last: StreamHead; readonly acct: string } | null {
    const known = this.#streams.get(run.stream);
    const info = known ?? this.#begin(run);
    if (known !== undefined) this.#continue(known, run);
    for (const signer of run.signers) this.#judgeSigner(info, run, signer);
    judgeIndexOrderAcross(this.#findings, info, run);
    if (run.ends !== null) Object.assign(info, { seq: run.ends.seq, id: run.ends.id });
    info.isUnsure = run.ends === null;
    if (run.records > 0) Object.assign(info, { leaf: run.lastLeaf, at: run.lastAt });
    info.closedAt ??= run.closedAt;
    info.lastUse = run.lastUse ?? info.lastUse;
    return known === undefined && run.open?.last !== undefined ? { last: run.open.last, acct: info.acct } : null;
  }

  #begin(run: StreamRun): StreamInfo {
    const { open, stream, firstLeaf: leaf } = run;
    const seq = run.begins?.seq ?? 0;
    const where = { leaf, stream, seq };
    if (open === null && !this.hasUnread && run.begins !== null) {
      this.#findings.add('verify/stream-unopened', where, 'an open record', 'none so far');
    }
    if (open !== null) this.#judgeGeneration(open, leaf);
    const [signer] = run.signers;
    const { acct, app, role, gen, key } = open ?? {
      acct: '',
      app: 'holdfast' as const,
      role: 'account' as const,
      gen: signer?.gen ?? 0,
      key: signer?.key ?? '',
    };
    const place = { openAt: run.firstAt, knownFrom: seq, openLeaf: leaf, isOpened: open !== null };
    const head = { seq: -1, id: '', leaf, at: run.firstAt, closedAt: null, supersededAt: null };
    const info = {
      stream,
      acct,
      app,
      role,
      gen,
      key,
      ...place,
      ...head,
      lastUse: null,
      isUnsure: false,
      isParallel: false,
    };
    this.#add(info);
    return info;
  }

  #add(info: StreamInfo): void {
    this.#streams.set(info.stream, info);
    const newest = this.#newest.get(info.acct);
    if (!info.isOpened || (newest !== undefined && newest.gen >= info.gen)) return;
    if (newest !== undefined) newest.supersededAt = info.openAt;
    this.#newest.set(info.acct, info);
  }

  #judgeGeneration(open: OpenEntry, leaf: number): void {
    const { acct, gen, last, stream } = open;
    const newest = this.#newest.get(acct);
    const where = { leaf, stream, seq: 0 };
    const most = mostGenerationOf(open, newest?.gen ?? -1);
    // An earlier stream that could not be read may have had the generation before.
    if (!(gen <= most) && !this.hasUnread)
      this.#findings.add('verify/stream-generation-far', where, `at most ${most}`, `${gen}`);
    if (newest === undefined) return;
    if (gen <= newest.gen) this.#findings.add('verify/stream-generation', where, `above ${newest.gen}`, `${gen}`);
    if (last === undefined) {
      this.#findings.add('verify/stream-no-last', where, 'where the earlier stream ended', 'nothing');
    }
  }

  #continue(info: StreamInfo, { begins, firstLeaf: leaf, stream, firstAt }: StreamRun): void {
    if (begins === null || info.isUnsure) return;
    const where = { leaf, stream, seq: begins.seq };
    if (begins.seq !== info.seq + 1) {
      this.#findings.add('verify/stream-sequence', where, `${info.seq + 1}`, `${begins.seq}`);
    } else if (begins.prev !== info.id) {
      this.#findings.add('verify/stream-chain', where, info.id, begins.prev);
    }
    if (info.closedAt !== null) this.#findings.add('verify/stream-closed', where, 'nothing after close', 'records');
    judgeClock(this.#findings, where, info.at, firstAt);
  }

  #judgeSigner(info: StreamInfo, { stream }: StreamRun, signer: RunSigner): void {
    const where = { leaf: signer.leaf, stream };
    const key = this.#keys.batchKey(signer.key);
    if (key === undefined) {
      if (this.#keys.manifest === null && this.hasUnread) return;
      const code = this.#keys.manifest === null ? 'verify/manifest-none' : 'verify/batch-signer';
      this.#findings.add(code, where, 'a connector or reader of a manifest', `key ${signer.key}`);
    } else {
      this.#judgeRole(signer, stream);
      for (const text of signer.statements) this.#verify(text, where);
    }
    if (signer.key !== info.key)
      this.#findings.add('verify/batch-stream-key', where, `key ${info.key}`, `key ${signer.key}`);
    if (signer.gen !== info.gen) this.#findings.add('verify/batch-generation', where, `${info.gen}`, `${signer.gen}`);
  }

  /** Held against the manifest in force before this segment: its key entries stand behind its records. */
  #judgeRole({ key, leaf, types }: RunSigner, stream: string): void {
    const role = this.#keys.batchRole(key);
    if (role === undefined) {
      this.#findings.add(
        'verify/batch-retired-signer',
        { leaf, stream },
        'a key of the manifest in force',
        `key ${key}`,
      );
      return;
    }
    for (const [type, at] of types) {
      if (maySign(role, type)) continue;
      this.#findings.add('verify/batch-role', { leaf: at, stream }, `what a ${role} may sign`, `a ${type} record`);
    }
  }

  /** For statements that came before their thread knew the key. */
  #verify(text: string, where: { leaf: number; stream: string }): void {
    const statement = parseStatement(text);
    const key = this.#keys.batchKey(statement.key);
    try {
      if (key !== undefined) verifyStatement(statement, key);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#findings.add('verify/batch-signature', { ...where, seq: statement.first }, error.expected, error.got);
    }
  }

  /**
   * A late tail of the old device and its `close` are no finding; records made after the new one began are. For runs of a segment of which all were
   * applied, so that it does not matter in which batch of it the new stream was opened.
   */
  judgeParallel({ stream, peaks }: StreamRun): void {
    const info = this.#streams.get(stream);
    const newest = info === undefined ? undefined : this.#newest.get(info.acct);
    if (info === undefined || newest === undefined || newest.key === info.key || newest.gen <= info.gen) return;
    if (info.isParallel) return;
    const latest = peaks.find(({ leaf }) => leaf > newest.openLeaf);
    if (latest === undefined || Date.parse(latest.at) <= Date.parse(newest.openAt) + MOST_SKEW_MS) return;
    info.isParallel = true;
    const where = { leaf: latest.leaf, stream };
    this.#findings.add('verify/stream-parallel', where, `nothing after ${newest.openAt}`, `a record of ${latest.at}`);
  }
}

function judgeIndexOrderAcross(findings: Findings, info: StreamInfo, { firstUse, firstLeaf, stream }: StreamRun): void {
  if (firstUse !== null) judgeIndexOrder(findings, { leaf: firstLeaf, stream }, info.lastUse, firstUse);
}
