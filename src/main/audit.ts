// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import type { Audit } from '../access/audit.ts';
import type { Deed } from '../access/act.ts';
import type { ReaderSpoolEvents } from '../access/reader-spool.ts';
import { EntryBox } from '../access/entry-box.ts';
import { FinalRefusals } from '../access/final-refusals.ts';
import { SpooledAudit } from '../access/spooled-audit.ts';
import { ApprovedBox } from '../matters/approved-box.ts';
import { need, type Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { readSigningKey } from '../base/secrets.ts';
import type { Uplink } from '../queue/link.ts';
import type { KeyId } from '../record/key.ts';
import { systemUser } from './system-user.ts';
import { assertNamed, readTrusted } from './trusted.ts';

export interface AuditOptions {
  /** Null for a command: it says what went wrong by itself. */
  readonly events: Events | null;
  /** The way to the archiver; null where this process has none. */
  readonly uplink: ((reader: KeyId) => Promise<Uplink>) | null;
}

/** The reader's audit from the config. Throws `config/missing-part`, `config/key-unknown`: without a record nothing is read. */
export function openAudit(config: Config, { events, uplink }: AuditOptions): SpooledAudit {
  const { signing, spool, name, retention } = need(config.reader, 'reader', 'reading');
  const { trust, manifest } = readTrusted(config);
  const signingKey = readSigningKey(signing);
  assertNamed(manifest, 'reader', signingKey, signing);
  const refusals = new FinalRefusals({
    origin: config.origin,
    clock: Date.now,
    onRefused: (code) => events?.trouble('approved', code),
  });
  return new SpooledAudit({
    directory: spool,
    origin: config.origin,
    before: trust.before?.name,
    beforeEnd: trust.end,
    manifest,
    logKey: trust.log,
    signingKey,
    name,
    retention: retention ?? config.retention[0]?.class ?? '',
    clock: Date.now,
    uplink,
    ships: uplink !== null,
    approved: () => refusals.without(waitingIn(config, spool)),
    actor: { reader: name, user: systemUser(), session: randomBytes(16).toString('hex'), via: 'command' },
    events: events === null ? QUIET : spoken(events),
  });
}

/** Signed entries on their way to the log, wherever commands of this config lay them. */
function waitingIn({ scrub }: Config, spool: string): { readonly line: string; readonly document: string }[] {
  const boxes = [spool, ...(scrub === undefined ? [] : [scrub.state])].map((directory) => new EntryBox(directory));
  const entries = boxes.flatMap((box) => box.waiting()).map((line) => ({ line, document: '' }));
  return [...new ApprovedBox(spool).waiting(), ...entries];
}

/** The audit of one command: what it asks for is recorded, and a refusal of it as well. */
export async function audited<T>(config: Config, what: string, work: (audit: Audit) => Promise<T>): Promise<T> {
  await using audit = openAudit(config, { events: null, uplink: null });
  try {
    return await work(audit);
  } catch (error) {
    const isOwn = error instanceof Failure && error.code.startsWith('access/');
    // Whoever asked hears of the refusal in any case; a denial that cannot be recorded must not hide it.
    if (!isOwn) await audit.record([denial(what, error)]).catch(() => undefined);
    throw error;
  }
}

export function denial(what: string, error: unknown): Deed {
  return { act: 'denial', what, code: codeOf(error) };
}

const QUIET: ReaderSpoolEvents = {
  shipped: () => undefined,
  refused: () => undefined,
  trouble: () => undefined,
  doubtful: () => undefined,
  streamOpened: () => undefined,
};

function spoken(events: Events): ReaderSpoolEvents {
  return {
    shipped: (records) => events.shipped(records),
    refused: (code) => events.batchRefused('reader', code),
    trouble: (what, code) => events.trouble(what, code),
    doubtful: (what, count) => events.spoolFound(what, count),
    streamOpened: (reader, stream, cause) => events.streamOpened(reader, stream, cause),
  };
}
