// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import { verifyCosignatures } from '../record/cosignature.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256Hex } from '../record/hash.ts';
import { witnessKey, witnessPrefix } from '../record/layout.ts';
import { parseNote, type NoteKey } from '../record/note.ts';
import type { ArchivedLog, ArchiverEvents } from './archiver.ts';
import type { Round, SignedLog } from './rounds.ts';
import { askWitness, type WitnessAddress } from './witness-client.ts';

export interface WitnessRoundParts {
  readonly log: ArchivedLog;
  readonly address: WitnessAddress;
  readonly everyMs: number;
  readonly alarmAfterMs: number;
  readonly clock: () => number;
  readonly events: Pick<ArchiverEvents, 'alarm'>;
}

const HOUR_MS = 3_600_000;

/**
 * Asks one witness to cosign, and keeps what it says under a lock. While it is away the log goes on; after a while an alarm says so.
 *
 * Crash behaviour: a cosignature that was given and not stored is asked for again. Each is an object of its own name, so one that is
 * there twice does no harm.
 */
export class WitnessRound implements Round {
  readonly name = 'witness';
  readonly everyMs: number;
  readonly #parts: WitnessRoundParts;
  /** Size that the witness cosigned last; null before it was asked. */
  #known: number | null = null;
  #lastMs: number;
  #alarmedMs = -Infinity;

  constructor(parts: WitnessRoundParts) {
    this.#parts = parts;
    this.everyMs = parts.everyMs;
    this.#lastMs = parts.clock();
  }

  async run(log: SignedLog, signal: AbortSignal): Promise<void> {
    try {
      await this.#ask(log, signal);
      this.#lastMs = this.#parts.clock();
    } catch (error) {
      this.#alarm(error, log);
      throw error;
    }
  }

  async #ask(log: SignedLog, signal: AbortSignal): Promise<void> {
    const { address, log: archived } = this.#parts;
    const proofFrom = (old: number): ReturnType<typeof archived.past.consistencyProof> =>
      archived.past.consistencyProof(old, log);
    // Also where its word on this size is kept already: a log that was set back learns at its start that the witness saw more.
    const isStored = this.#known === null && (await this.#isStored(log.size));
    const line = await askWitness(address, { ...log, proofFrom }, isStored ? log.size : (this.#known ?? 0), signal);
    this.#known = log.size;
    if (isStored) return;
    const note = Buffer.from(log.checkpoint + line);
    const { store, origin, schedules } = archived;
    const lock = schedules.lockForEvidence(await store.serverTimeMs());
    await store.create(witnessKey(origin, log.size, sha256Hex(note)), note, lock);
  }

  /** Whether the word of this witness on this size is kept already: a start is no reason to keep it twice. */
  async #isStored(size: number): Promise<boolean> {
    const { store, origin } = this.#parts.log;
    const prefix = `${witnessPrefix(origin)}${String(size).padStart(16, '0')}-`;
    for await (const { key, deleteMarker } of store.listVersions(prefix)) {
      const found = deleteMarker ? null : await store.read(key);
      if (found !== null && isBy(found.bytes, this.#parts.address.key)) return true;
    }
    return false;
  }

  /** A conflict is told at once, absence after the time that was set, and both again once a day at most. */
  #alarm(error: unknown, { size }: SignedLog): void {
    const { clock, alarmAfterMs, events } = this.#parts;
    const nowMs = clock();
    const isConflict = error instanceof Failure && error.code === 'witness/conflict';
    const awayMs = nowMs - this.#lastMs;
    if (nowMs - this.#alarmedMs < 24 * HOUR_MS || (!isConflict && awayMs < alarmAfterMs)) return;
    this.#alarmedMs = nowMs;
    if (isConflict) events.alarm?.('witness-conflict', size);
    else events.alarm?.('witness-away', Math.floor(awayMs / HOUR_MS));
  }
}

function isBy(note: Uint8Array, key: NoteKey): boolean {
  try {
    return verifyCosignatures(parseNote(note), [key]).length === 1;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}
