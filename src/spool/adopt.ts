// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Hex128, Hex256 } from '../record/entry-types.ts';
import type { AttachedAccount } from './attach.ts';
import { finishSetAside, setAsideFiles } from './database.ts';
import { capturesOf, opaque, orphanOf, type Orphan } from './orphans.ts';
import { salvage } from './salvage.ts';
import { MAX_SEQ } from './schema.ts';
import type { Spool } from './spool.ts';
import type { SpoolStream } from './streams.ts';
import type { Unit } from './committer.ts';

type AccountOf = (acct: Hex128 | null) => AttachedAccount;

/** Orphans per transaction: bounds memory and the time a commit takes. */
const ORPHANS_AT_ONCE = 64;

/** Records orphans in an account's stream, and `after` in the same transaction. Returns how many were new. */
async function record(
  spool: Spool,
  { sink, app }: AttachedAccount,
  orphans: readonly Orphan[],
  { clock, after }: { clock: () => number; after?: (unit: Unit) => void },
): Promise<number> {
  await sink.ready();
  const captures = await capturesOf(orphans, { app, sink, objects: spool.objects, nowMs: clock() });
  const delivered = await sink.deliverWith(captures, after === undefined ? {} : { after });
  return delivered.filter(({ fresh }, at) => fresh && captures[at]?.type !== 'gap').length;
}

/** A stopped stream's records, in their order; each chunk counts as dealt with in the transaction that records it. */
export async function adoptStopped(
  spool: Spool,
  account: AttachedAccount,
  stream: SpoolStream,
  clock: () => number,
): Promise<void> {
  for (;;) {
    const rows = spool.outbox.read(stream, stream.archivedSeq + 1, MAX_SEQ, ORPHANS_AT_ONCE);
    const last = rows.at(-1);
    if (last === undefined) break;
    const orphans = rows.map((row) => orphanOf(opaque(spool.outbox, row)));
    await record(spool, account, orphans, {
      clock,
      after: (unit) => spool.recordedElsewhere(unit, stream, last.seq),
    });
  }
  await spool.transact((unit) => spool.recordedElsewhere(unit, stream, stream.headSeq));
}

/** What is left of rows that holes stand for. */
export async function adoptRemains(spool: Spool, accountOf: AccountOf, clock: () => number): Promise<void> {
  for (;;) {
    const remains = spool.remains.some(ORPHANS_AT_ONCE);
    const [first] = remains;
    if (first === undefined) return;
    const own = remains.filter(({ acct }) => acct === first.acct);
    await record(
      spool,
      accountOf(first.acct),
      own.map(({ raw }) => orphanOf(raw)),
      { clock, after: () => own.forEach((remain) => spool.remains.forget(remain)) },
    );
  }
}

/**
 * False for a record whose number is another's by now: of the `close` that ended the stream where this database lost it, or of a hole. Such a
 * number may have its receipt already, and that is none for this record.
 */
function isThere(spool: Spool, stream: SpoolStream, { seq, id }: { seq: number; id: Hex256 }): boolean {
  const own = spool.outbox.idAt(stream.no, seq);
  if (own !== null) return own === id;
  return seq <= stream.archivedSeq && !spool.batches.isInHole(stream, seq);
}

/** What damaged databases still hold. Starts from the beginning after a crash: what was recorded before folds. */
export async function adoptSetAside(spool: Spool, accountOf: AccountOf, clock: () => number): Promise<void> {
  for (const path of setAsideFiles(spool.directory)) {
    let count = 0;
    const waiting = new Map<AttachedAccount, Orphan[]>();
    for await (const { stream, seq, id, acct, orphan } of salvage(path)) {
      const known = spool.stream(stream);
      // A log of writes may lie beside the database that has most of it.
      if (known !== undefined && isThere(spool, known, { seq, id })) continue;
      const account = accountOf(acct ?? known?.acct ?? null);
      const orphans = waiting.get(account) ?? [];
      orphans.push(orphan);
      waiting.set(account, orphans);
      if (orphans.length < ORPHANS_AT_ONCE) continue;
      waiting.delete(account);
      count += await record(spool, account, orphans, { clock });
    }
    for (const [account, orphans] of waiting) count += await record(spool, account, orphans, { clock });
    finishSetAside(path);
    spool.events.doubtful('salvaged', count);
  }
}
