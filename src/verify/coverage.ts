// SPDX-License-Identifier: Apache-2.0
import type { GapEntry, HoleEntry } from '../record/entry-types.ts';
import type { App, GapCause, GapScope, GapState, StreamRole } from '../record/vocabulary.ts';
import type { Findings } from './findings.ts';
import type { StreamInfo } from './streams.ts';
import type { StreamRun } from './summary.ts';

/** A gap that concerns a whole account or chat, as the record states it. */
export interface ListedGap {
  readonly leaf: number;
  readonly cause: GapCause;
  readonly scope: GapScope;
  readonly state: GapState;
  readonly at: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** What the archive has of one account, and what it says is missing. */
export interface AccountCoverage {
  readonly acct: string;
  readonly app: App;
  readonly role: StreamRole;
  readonly streams: number;
  readonly records: number;
  /** Times of the first and last record. */
  readonly firstAt: string;
  readonly lastAt: string;
  /** Records that holes stand for. */
  readonly lost: number;
  /** Gap records by `cause scope state`. */
  readonly gaps: Readonly<Record<string, number>>;
  /** Gaps that nothing has closed or ended. */
  readonly openGaps: number;
  /** The first of the gaps over an account or a chat, in full. */
  readonly listed: readonly ListedGap[];
}

interface Account {
  app: App;
  role: StreamRole;
  streams: number;
  records: number;
  firstAt: string;
  lastAt: string;
  lost: number;
  readonly gaps: Record<string, number>;
  readonly open: Map<string, number | null>;
  readonly listed: ListedGap[];
  /** Times that gaps over the whole account cover, ms since 1970. */
  readonly covered: [number, number][];
}

const MOST_LISTED = 100;

/** What every account has and lacks, by its own records. */
export class CoverageBook {
  readonly #findings: Findings;
  readonly #accounts = new Map<string, Account>();
  /** Gaps that were ended before their beginning was read: another stream's tail may bring it. */
  readonly #early = new Map<string, number>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  apply(info: StreamInfo, run: StreamRun): void {
    const account = this.#of(info);
    if (run.open !== null) account.streams += 1;
    account.records += run.records;
    account.lost += run.lost;
    if (account.firstAt === '' || run.firstAt < account.firstAt) account.firstAt = run.firstAt;
    if (run.newestAt > account.lastAt) account.lastAt = run.newestAt;
  }

  #of({ acct, app, role }: StreamInfo): Account {
    const known = this.#accounts.get(acct);
    if (known !== undefined) return known;
    const counts = { streams: 0, records: 0, firstAt: '', lastAt: '', lost: 0 };
    const account = { app, role, ...counts, gaps: {}, open: new Map(), listed: [], covered: [] };
    this.#accounts.set(acct, account);
    return account;
  }

  applyGap(info: StreamInfo, gap: GapEntry, id: string, leaf: number): void {
    const account = this.#of(info);
    const { cause, scope, state, at, from, to, ref } = gap;
    const name = `${cause} ${scope} ${state}`;
    account.gaps[name] = (account.gaps[name] ?? 0) + 1;
    if ((scope === 'account' || scope === 'chat') && account.listed.length < MOST_LISTED) {
      account.listed.push({ leaf, cause, scope, state, at, from: from ?? null, to: to ?? null });
    }
    const fromMs = from === undefined ? null : Date.parse(from);
    if (state === 'open') {
      if (!this.#early.delete(id)) account.open.set(id, scope === 'account' ? (fromMs ?? Date.parse(at)) : null);
      if (scope === 'account' && fromMs !== null) account.covered.push([fromMs, Date.parse(at)]);
      return;
    }
    const since = ref === undefined ? undefined : account.open.get(ref);
    if (ref !== undefined && !account.open.delete(ref)) this.#early.set(ref, leaf);
    const begin = fromMs ?? since ?? null;
    if (scope === 'account' && begin !== null) account.covered.push([begin, Date.parse(to ?? at)]);
  }

  applyHole({ stream }: StreamInfo, { seq, count }: HoleEntry, leaf: number): void {
    this.#findings.add('verify/stream-hole', { leaf, stream, seq }, 'every record', `${count} lost`);
  }

  /** The part of an interval that no gap over any of these accounts covers: its longest stretch, in ms. */
  uncovered(
    accounts: Iterable<string>,
    fromMs: number,
    toMs: number,
    others: readonly (readonly [number, number])[] = [],
  ): number {
    const ranges = [...[...accounts].flatMap((acct) => this.coveredOf(acct)), ...others];
    let at = fromMs;
    let longest = 0;
    for (const [begin, end] of ranges.toSorted((a, b) => a[0] - b[0])) {
      if (begin > at) longest = Math.max(longest, Math.min(begin, toMs) - at);
      at = Math.max(at, end);
      if (at >= toMs) break;
    }
    return Math.max(longest, toMs - at);
  }

  /** A gap that is still open covers everything from its beginning on. */
  coveredOf(acct: string): [number, number][] {
    const account = this.#accounts.get(acct);
    if (account === undefined) return [];
    const open = [...account.open.values()].filter((begin) => begin !== null);
    return [...account.covered, ...open.map((begin): [number, number] => [begin, Number.POSITIVE_INFINITY])];
  }

  /** `isPartial`: reading did not begin at the first leaf, or not every leaf could be read. */
  finish(isPartial: boolean): void {
    for (const [ref, leaf] of isPartial ? [] : this.#early) {
      this.#findings.add('verify/gap-reference', { leaf }, `an open gap ${ref}`, 'none');
    }
  }

  accounts(): AccountCoverage[] {
    return [...this.#accounts]
      .filter(([acct]) => acct !== '')
      .map(([acct, { open, covered: _covered, ...account }]) => ({ acct, ...account, openGaps: open.size }))
      .toSorted((a, b) => (a.acct < b.acct ? -1 : 1));
  }
}
