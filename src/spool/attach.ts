// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, Failure } from '../base/failure.ts';
import type { GapCapture } from '../connectors/connector.ts';
import type { AccountHead } from '../queue/reply.ts';
import type { Hex128, StreamHead } from '../record/entry-types.ts';
import type { App, GapCause } from '../record/vocabulary.ts';
import type { AccountSpool } from './account.ts';
import { adoptRemains, adoptSetAside, adoptStopped } from './adopt.ts';
import { ownView } from './orphans.ts';
import type { Shipper } from './shipper.ts';
import type { Spool } from './spool.ts';
import { headOf, isOpenedBy, type SpoolStream } from './streams.ts';

export interface AttachedAccount {
  readonly app: App;
  /** Operators' label. */
  readonly name: string;
  readonly sink: AccountSpool;
}

export interface AttachEvents {
  streamOpened(account: string, stream: Hex128, cause: string): void;
}

export interface AttachTimes {
  /** Answers about the log's heads are waited for this long; capture does not wait longer. */
  readonly headsTimeoutMs: number;
  /** An account opens no second new stream for doubt within this time, whatever it is told. */
  readonly doubtPauseMs: number;
}

export const ATTACH_TIMES: AttachTimes = { headsTimeoutMs: 10_000, doubtPauseMs: 60_000 };

interface Opening {
  readonly cause: 'first' | 'key-changed' | 'log-changed' | GapCause;
  readonly last: StreamHead | null;
  readonly lastGen: number;
}

/**
 * Gives every account of this process a stream to write to. A sound spool goes on with its stream; any doubt opens a new one that says
 * where the earlier ended: a lost or damaged spool, rows that could not be read, a log that knows more than this spool.
 */
export class Attachments {
  readonly #spool: Spool;
  readonly #shipper: Shipper;
  readonly #accounts: readonly AttachedAccount[];
  readonly #clock: () => number;
  readonly #events: AttachEvents;
  readonly #times: AttachTimes;
  /** Last doubt of an account, on the monotonic clock. */
  readonly #doubted = new Map<Hex128, number>();
  #background: Promise<unknown> = Promise.resolve();
  /** One account is given another stream at a time: what tells of doubt comes from several sides. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    spool: Spool,
    shipper: Shipper,
    accounts: readonly AttachedAccount[],
    clock: () => number,
    events: AttachEvents,
    times: AttachTimes = ATTACH_TIMES,
  ) {
    this.#spool = spool;
    this.#shipper = shipper;
    this.#accounts = accounts;
    this.#clock = clock;
    this.#events = events;
    this.#times = times;
  }

  /**
   * Throws `spool/fenced` if another spool has taken an account over: two holders must not go on. What earlier streams and
   * damaged databases still hold is recorded again behind this call.
   */
  async attach(): Promise<void> {
    const heads = await this.#askHeads(this.#accounts, this.#times.headsTimeoutMs);
    for (const account of this.#accounts) await this.#attachOne(account, heads.get(account.sink.acct));
    const unanswered = this.#accounts.filter(({ sink }) => !heads.has(sink.acct));
    this.#behind(() => this.#adoptAll());
    if (unanswered.length > 0) this.#behind(() => this.#askLater(unanswered));
  }

  /** Resolves when nothing started by this class is under way. */
  async settled(): Promise<void> {
    await this.#background;
  }

  #behind(work: () => Promise<void>): void {
    const run = work().catch((error: unknown) => {
      if (error instanceof Failure && error.kind === 'fatal') this.#spool.fail(error);
      else this.#shipper.trouble('attach', codeOf(error));
    });
    this.#background = Promise.all([this.#background, run]);
  }

  #askHeads(accounts: readonly AttachedAccount[], timeoutMs: number): Promise<ReadonlyMap<Hex128, AccountHead>> {
    return this.#shipper.askHeads(
      accounts.map(({ sink }) => sink.acct),
      timeoutMs,
    );
  }

  #attachOne(account: AttachedAccount, known: AccountHead | undefined): Promise<void> {
    const { acct } = account.sink;
    return this.#inTurn(async () => {
      if (this.#spool.currentStream(acct) !== undefined) await this.#checkOne(account, known);
      else await this.#open(account, openingFor(this.#spool, acct, known), null, known === undefined);
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Holds a stream against what the log says of its account. */
  async #checkOne(account: AttachedAccount, known: AccountHead | undefined): Promise<void> {
    const current = this.#spool.currentStream(account.sink.acct);
    if (current === undefined) return;
    const isUnasked = known !== undefined && this.#spool.unasked().has(account.sink.acct);
    if (isUnasked) await this.#catchUp(account, current, known);
    // The key that its opening names is not ours any more: the log would take nothing of it under another.
    if (!isOpenedBy(current, this.#spool.keyId) && this.#spool.currentStream(account.sink.acct) === current) {
      const opening = { cause: 'key-changed', ...endOf(this.#spool, current, known) } as const;
      return this.#open(account, opening, current);
    }
    if (isUnasked || known === undefined || known.head === null || known.gen < current.gen) return;
    const { stream, seq, id } = known.head;
    if (known.gen > current.gen || stream !== current.stream) throw fenced(account.name);
    const isOurs = seq <= current.archivedSeq || this.#spool.batches.lastIdAt(current, seq) === id;
    if (!isOurs) await this.#replace(account, current, known);
  }

  /** The archiver was away at the start: what it says later is held against what was begun meanwhile. */
  async #askLater(accounts: readonly AttachedAccount[]): Promise<void> {
    const heads = await this.#askHeads(accounts, Infinity);
    for (const account of accounts) await this.#inTurn(() => this.#checkOne(account, heads.get(account.sink.acct)));
  }

  /** A stream that was opened unasked: the log may know an earlier one, and a generation that this one does not exceed. */
  async #catchUp(account: AttachedAccount, current: SpoolStream, { head, gen }: AccountHead): Promise<void> {
    const { acct } = account.sink;
    const after = (): void => this.#spool.setUnasked(acct, false);
    const isEarlier = head !== null && this.#spool.stream(head.stream) === undefined;
    if (isEarlier && gen >= current.gen) {
      await this.#open(account, { cause: 'spool-lost', last: head, lastGen: gen }, current);
      await adoptStopped(this.#spool, account, current, this.#clock);
    } else {
      await account.sink.deliverWith(isEarlier ? [gap('spool-lost', this.#clock(), account, head)] : [], { after });
    }
    this.#shipper.release(current);
  }

  /**
   * The log holds more of a stream than this spool, or other records: this is a restored copy, or somebody else wrote. Nothing more
   * is written to that stream; what it holds unsent goes, sealed once more and whole, into a new one. The old stream is stopped in
   * the transaction that opens the new one, and every record moves in one; a crash anywhere is made good by the next start.
   */
  async doubt(id: Hex128): Promise<void> {
    const doubtful = this.#spool.stream(id);
    if (doubtful === undefined || doubtful.state === 'stopped') return;
    const account = this.#accounts.find(({ sink }) => sink.acct === doubtful.acct) ?? this.#accounts[0];
    if (account === undefined || this.#isTooSoon(doubtful.acct)) return;
    const heads = await this.#askHeads([account], this.#times.headsTimeoutMs);
    await this.#inTurn(async () => {
      if (doubtful.state !== 'stopped') await this.#replace(account, doubtful, heads.get(doubtful.acct));
    });
    await adoptStopped(this.#spool, account, doubtful, this.#clock);
  }

  #isTooSoon(acct: Hex128): boolean {
    const before = this.#doubted.get(acct) ?? -Infinity;
    if (performance.now() - before < this.#times.doubtPauseMs) return true;
    this.#doubted.set(acct, performance.now());
    return false;
  }

  async #replace(account: AttachedAccount, old: SpoolStream, known: AccountHead | undefined): Promise<void> {
    await this.#open(account, { cause: 'spool-doubtful', ...endOf(this.#spool, old, known) }, old);
  }

  /** One transaction: the old stream stops, the new one opens and says why. */
  async #open(
    account: AttachedAccount,
    { cause, last, lastGen }: Opening,
    old: SpoolStream | null,
    isUnasked: boolean = false,
  ): Promise<void> {
    const { app, name, sink } = account;
    const role = app === 'holdfast' ? 'process' : 'account';
    const gaps = isGap(cause) ? [gap(cause, this.#clock(), account, last)] : [];
    await sink.deliverWith(gaps, {
      before: (unit) => {
        if (old !== null) this.#spool.stopStreamIn(unit, old);
        if (this.#spool.currentStream(sink.acct) !== undefined) return;
        const opened = this.#spool.openStreamIn(unit, { acct: sink.acct, app, role, last, lastGen });
        this.#spool.setUnasked(sink.acct, isUnasked);
        if (isUnasked) this.#shipper.hold(opened);
      },
    });
    this.#events.streamOpened(name, this.#spool.currentStream(sink.acct)?.stream ?? '', cause);
  }

  /** Records again what no stream can ship: of stopped streams, of damaged rows, of databases that were set aside. */
  async #adoptAll(): Promise<void> {
    for (const stream of this.#spool.streams()) {
      // Closed, or of an account that is no longer configured: nobody can sign what is left of it.
      if (stream.state !== 'stopped' && stream.archivedSeq < stream.headSeq && !isOpenedBy(stream, this.#spool.keyId))
        await this.#spool.transact((unit) => this.#spool.stopStreamIn(unit, stream));
      if (stream.state === 'stopped')
        await adoptStopped(this.#spool, this.#accountOf(stream.acct), stream, this.#clock);
    }
    await adoptRemains(this.#spool, (acct) => this.#accountOf(acct), this.#clock);
    await adoptSetAside(this.#spool, (acct) => this.#accountOf(acct), this.#clock);
  }

  /** What belongs to an account that is no longer configured goes into the process's own stream. */
  #accountOf(acct: Hex128 | null): AttachedAccount {
    return (this.#accounts.find(({ sink }) => sink.acct === acct) ?? this.#accounts[0]) as AttachedAccount;
  }
}

function openingFor(spool: Spool, acct: Hex128, known: AccountHead | undefined): Opening {
  const local = spool.latestStream(acct);
  const head = known?.head ?? null;
  const lastGen = Math.max(local?.gen ?? 0, known?.gen ?? 0);
  if (local !== undefined && spool.isOfEarlierLog(local))
    return { cause: 'log-changed', ...endOf(spool, local, known) };
  // Closed here, the log will come to where this spool is; stopped here, it will not.
  if (local?.state === 'stopped') return { cause: 'spool-doubtful', ...endOf(spool, local, known) };
  if (local !== undefined) return { cause: 'spool-doubtful', last: headOf(local), lastGen };
  if (spool.found === 'damaged') return { cause: 'spool-doubtful', last: head, lastGen };
  return { cause: head === null ? 'first' : 'spool-lost', last: head, lastGen };
}

/** Where a stream ends that goes no further: at the log's head, or at the last record that is proven to be in it. */
function endOf(spool: Spool, old: SpoolStream, known: AccountHead | undefined): Pick<Opening, 'last' | 'lastGen'> {
  const lastGen = Math.max(old.gen, known?.gen ?? 0);
  if (known?.head !== undefined && known.head !== null) return { last: known.head, lastGen };
  const id = spool.outbox.idAt(old.no, old.archivedSeq);
  return { last: id === null ? null : { stream: old.stream, seq: old.archivedSeq, id }, lastGen };
}

function isGap(cause: Opening['cause']): cause is GapCause {
  return cause !== 'first' && cause !== 'key-changed' && cause !== 'log-changed';
}

function fenced(name: string): Failure {
  return new Failure('spool/fenced', {
    expected: 'to be the only spool of the account',
    got: 'a newer stream by another one',
    where: `account ${name}`,
    fix: 'stop one of the two connectors; what this spool still holds can be shipped with the account removed from its config',
  });
}

function gap(cause: GapCause, nowMs: number, { app }: AttachedAccount, last: StreamHead | null): GapCapture {
  return {
    type: 'gap',
    cause,
    scope: 'account',
    state: 'final',
    atMs: nowMs,
    via: 'spool',
    ...(last === null ? {} : { last }),
    view: { ...ownView(app), kind: 'gap', cause, detail: null },
    raw: Buffer.alloc(0),
  };
}
