// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import { codeOf } from '../base/failure.ts';
import type { GapCapture, Health } from '../connectors/connector.ts';
import type { View } from '../record/message.ts';
import type { AttachedAccount } from '../spool/attach.ts';
import type { Spool } from '../spool/spool.ts';
import type { SpoolStream } from '../spool/streams.ts';
import type { OpenSession } from './connector-role.ts';

/** A process that was away longer than this says so in every account's stream. */
const RESTART_GAP_MS = 300_000;
const STATUS_EVERY_MS = 5000;
const PRUNE_EVERY_MS = 3_600_000;

export interface HousekeepingParts {
  readonly config: Config;
  readonly spool: Spool;
  /** The process itself first, then the accounts. */
  readonly accounts: readonly AttachedAccount[];
  readonly sessions: readonly OpenSession[];
  readonly events: Events;
  readonly clock: () => number;
}

/** What `holdfast accounts` shows of one account. No numbers, no names of people, no content. */
export interface AccountStatus {
  readonly account: string;
  readonly app: string;
  readonly health: Health;
  readonly stream: string | null;
  /** Of all streams that this spool wrote for the account; `waiting` are those without a receipt. */
  readonly records: number;
  readonly waiting: number;
  readonly openGaps: Readonly<Record<string, number>>;
}

export interface ConnectorStatus {
  readonly at: string;
  readonly connector: string;
  readonly spool: string;
  readonly waiting: number;
  readonly accounts: readonly AccountStatus[];
}

export const CONNECTOR_STATUS = 'connector.status.json';

/** The connector's clockwork: beats, restart gaps, pruning, the status file. */
export class Housekeeping implements AsyncDisposable {
  readonly #p: HousekeepingParts;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(parts: HousekeepingParts) {
    this.#p = parts;
  }

  async start(): Promise<void> {
    await this.#noteRestart();
    await this.#beat();
    const beatEvery = this.#p.config.connector?.beatEvery ?? PRUNE_EVERY_MS;
    this.#every(beatEvery, () => this.#beat());
    this.#every(PRUNE_EVERY_MS, async () => this.#p.events.pruned(await this.#p.spool.prune()));
    this.#every(STATUS_EVERY_MS, async () => this.#writeStatus());
    this.#writeStatus();
  }

  #every(ms: number, work: () => Promise<void>): void {
    const timer = setInterval(
      () => void work().catch((error: unknown) => this.#p.events.trouble('housekeeping', codeOf(error))),
      ms,
    );
    timer.unref();
    this.#timers.push(timer);
  }

  #process(): SpoolStream | undefined {
    const [self] = this.#p.accounts;
    return self === undefined ? undefined : this.#p.spool.currentStream(self.sink.acct);
  }

  async #beat(): Promise<void> {
    const stream = this.#process();
    if (stream !== undefined) await this.#p.spool.beat(stream);
  }

  /** Silence with a reason: nobody was listening from the last beat until now. */
  async #noteRestart(): Promise<void> {
    const stream = this.#process();
    const lastMs = stream === undefined ? null : this.#p.spool.lastRecordAt(stream);
    const nowMs = this.#p.clock();
    if (lastMs === null || nowMs - lastMs < RESTART_GAP_MS) return;
    for (const account of this.#p.accounts) {
      const [opened] = await account.sink.deliver([restartGap(account, 'open', lastMs, nowMs)]);
      if (opened !== undefined)
        await account.sink.deliver([{ ...restartGap(account, 'closed', lastMs, nowMs), ref: opened.id }]);
    }
  }

  status(): ConnectorStatus {
    const { spool, accounts, config, clock } = this.#p;
    return {
      at: new Date(clock()).toISOString(),
      connector: config.connector?.name ?? '',
      spool: spool.gate.level,
      waiting: spool.backlog(),
      accounts: accounts.slice(1).map((account) => this.#accountStatus(account)),
    };
  }

  #accountStatus({ name, app, sink }: AttachedAccount): AccountStatus {
    const stream = this.#p.spool.currentStream(sink.acct);
    // Those before it count too: a new stream is nothing an operator did.
    const all = this.#p.spool.streams().filter(({ acct }) => acct === sink.acct);
    const openGaps: Record<string, number> = {};
    for (const { cause } of sink.openGaps()) openGaps[cause] = (openGaps[cause] ?? 0) + 1;
    return {
      account: name,
      app,
      health: this.#healthOf(name),
      stream: stream?.stream ?? null,
      records: all.reduce((sum, { headSeq }) => sum + headSeq + 1, 0),
      waiting: all.reduce((sum, { headSeq, archivedSeq }) => sum + headSeq - archivedSeq, 0),
      openGaps,
    };
  }

  #healthOf(name: string): Health {
    for (const { session, labels } of this.#p.sessions) {
      for (const [account, label] of labels) if (label === name) return session.health(account);
    }
    return { state: 'stopped', sinceMs: 0, reasons: ['no-session'], lastCaptureMs: null };
  }

  /** Replaced as a whole, so that a reader never sees half a file. */
  #writeStatus(): void {
    const directory = statusDirectory(this.#p.config);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const file = join(directory, CONNECTOR_STATUS);
    writeFileSync(`${file}.new`, JSON.stringify(this.status()), { mode: 0o640 });
    renameSync(`${file}.new`, file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#beat().catch((error: unknown) => this.#p.events.trouble('housekeeping', codeOf(error)));
    this.#writeStatus();
  }
}

export function statusDirectory(config: Config): string {
  return config.status ?? config.spool?.directory ?? '.';
}

function restartGap({ app }: AttachedAccount, state: 'open' | 'closed', fromMs: number, toMs: number): GapCapture {
  const view = {
    v: 1,
    app,
    account: { id: null },
    direction: 'none',
    chat: null,
    sender: null,
    sentAtMs: null,
    serverAtMs: null,
    kind: 'gap',
    cause: 'restart',
    detail: null,
  } as View;
  return {
    type: 'gap',
    cause: 'restart',
    scope: 'account',
    state,
    atMs: toMs,
    via: 'spool',
    fromMs,
    toMs,
    view,
    raw: Buffer.alloc(0),
  };
}
