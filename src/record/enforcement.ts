// SPDX-License-Identifier: Apache-2.0
import type { EntryType, OpenEntry, Seconds } from './entry-types.ts';
import type { KeyId } from './key.ts';
import type { Manifest, SignerRole } from './manifest.ts';
import { fromSeconds } from './period.ts';

// What follows from the manifests of a log for what stands behind them: the same rules for who admits and who verifies.

/** A manifest of the log, and when its `key` entry put it in force. */
export interface EnforcedManifest {
  readonly manifest: Manifest;
  readonly since: Seconds;
}

export type BatchRole = Extract<SignerRole, 'connector' | 'reader'>;

const DAY_SECONDS = 86_400;
const LATE_EPOCH_MS = DAY_SECONDS * 1000;

/**
 * Until when a record sealed to exactly these keys may be dated: without end for the recipients of the manifest in force (the last
 * one), a day beyond its end for those of an earlier one, -Infinity for any others.
 */
export function sealedUntilMs(kids: readonly KeyId[], manifests: readonly EnforcedManifest[]): number {
  return manifests.reduce((until, { manifest }, index) => {
    if (!isSealedTo(kids, manifest)) return until;
    const next = manifests[index + 1];
    return Math.max(until, next === undefined ? Infinity : fromSeconds(next.since) + LATE_EPOCH_MS);
  }, -Infinity);
}

/** Every recipient of the manifest, each once, and nobody else. */
export function isSealedTo(kids: readonly KeyId[], { recipients }: Manifest): boolean {
  return kids.length === recipients.length && recipients.every(({ kid }) => kids.includes(kid));
}

/** What tells how a reader looked, and that it could not: nothing that could pass for a message. */
const READER_TYPES: ReadonlySet<EntryType> = new Set(['access', 'beat', 'close', 'gap', 'hole', 'open']);

/** Looks are the readers' own word; messages are the connectors'. */
export function maySign(role: BatchRole, type: EntryType): boolean {
  return role === 'reader' ? READER_TYPES.has(type) : type !== 'access';
}

/**
 * The greatest generation that a stream may open with: that of a clock which is a day ahead at most, so that nobody can use up the
 * numbers of an account. `newest` is the account's newest generation so far, -1 for none.
 */
export function mostGenerationOf({ at }: Pick<OpenEntry, 'at'>, newest: number): number {
  return Math.max(newest + 1, fromSeconds(at) / 1000 + DAY_SECONDS);
}
