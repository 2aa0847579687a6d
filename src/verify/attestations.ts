// SPDX-License-Identifier: Apache-2.0
import type { Checkpoint } from '../record/checkpoint.ts';
import type { Policy } from '../record/policy.ts';
import type { TimeStampJudge } from '../record/time-stamp.ts';
import type { Trust } from '../record/trust.ts';
import { judgeSince, openNote } from './checkpoints.ts';
import { judgeEvidenceLocks } from './evidence.ts';
import type { Findings } from './findings.ts';
import type { LogCheck } from './log-check.ts';
import type { ArchiveReader } from './reader.ts';
import type { NeededLock } from './rules.ts';
import { judgeTimeStamps, NO_TIME, readStamped, type StampedCheckpoint, type TimeReport } from './time-stamps.ts';
import { judgeWitnesses, NO_WITNESSES, readCosigned, type CosignedNote, type WitnessReport } from './witnesses.ts';

export interface AttestationOptions {
  /** Which witnesses must have cosigned. Without one, what they signed is checked, and nobody is asked for. */
  readonly policy?: Policy;
  /** Judges time stamps, under the authorities that the caller trusts. Without one they are not judged. */
  readonly timeStamps?: TimeStampJudge;
  /** A signed checkpoint that the caller kept: the log must have grown from it. Unlike `since` it shortens nothing. */
  readonly seen?: string;
}

interface Parts {
  readonly reader: ArchiveReader;
  readonly trust: Trust;
  readonly options: AttestationOptions;
  readonly findings: Findings;
}

/** What others say of the log, and what the caller himself saw of it: held against the log once it was read. */
export class Attestations {
  readonly #p: Parts;
  readonly #seen: Checkpoint | null;
  readonly #cosigned: readonly CosignedNote[];
  readonly #stamped: readonly StampedCheckpoint[];
  witnesses: WitnessReport = NO_WITNESSES;
  time: TimeReport = NO_TIME;

  private constructor(
    parts: Parts,
    seen: Checkpoint | null,
    cosigned: readonly CosignedNote[],
    stamped: readonly StampedCheckpoint[],
  ) {
    this.#p = parts;
    this.#stamped = stamped;
    this.#seen = seen;
    this.#cosigned = cosigned;
  }

  /** Reads what lies beside the log. Before its segments: what is written meanwhile speaks of leaves that are listed then. */
  static async read(parts: Parts): Promise<Attestations> {
    const { reader, trust, options, findings } = parts;
    const { seen, policy } = options;
    const last = seen === undefined ? null : openNote(seen, trust.log, { code: 'verify/since-malformed' }, findings);
    if (
      policy !== undefined &&
      policy.logs.length > 0 &&
      !policy.logs.some(({ hash }) => hash.equals(trust.log.hash))
    ) {
      findings.add('verify/policy-other-log', {}, 'the log key of the trust file', 'others');
    }
    const cosigned = await readCosigned(reader, trust, findings);
    return new Attestations(parts, last, cosigned, await readStamped(reader, trust, findings));
  }

  /** Sizes at which the log's root is wanted. */
  get checkpoints(): (Checkpoint | null)[] {
    return [this.#seen, ...[...this.#cosigned, ...this.#stamped].map(({ checkpoint }) => checkpoint)];
  }

  async judge(check: LogCheck, hasEnd: boolean): Promise<void> {
    const { reader, options, findings } = this.#p;
    const { tree, keys, at } = check;
    if (this.#seen !== null) judgeSince(this.#seen, { tree, hasEnd }, findings);
    const manifests = keys.manifests.map(({ manifest }) => manifest);
    const timeAt = (leaf: number): string | null => check.timeAt(leaf);
    const policy = options.policy ?? null;
    this.witnesses = judgeWitnesses(this.#cosigned, { tree, hasEnd, timeAt, at, manifests, policy, findings });
    const judge = options.timeStamps ?? null;
    const timeOf = (lastLeaf: number): string | null => check.timeOf(lastLeaf);
    this.time = await judgeTimeStamps(this.#stamped, { tree, hasEnd, timeOf, judge, findings });
    const seesLocks = reader.abilities.locks && check.rules.store?.locks === true;
    const all = [...this.#cosigned, ...this.#stamped].map(({ evidence }) => evidence);
    const needed = (size: number): NeededLock | null => check.evidenceLock(size);
    if (seesLocks) await judgeEvidenceLocks(reader, all, needed, findings);
  }
}
