// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Deed } from '../../access/act.ts';
import type { Estimate, ExportProgress } from '../export.ts';
import type { Format } from '../formats.ts';
import type { Bates, Proofs } from '../rendering.ts';
import type { ContextRule, Selection } from '../selection.ts';

/** What is asked for, as plain values: it goes to another thread. */
export interface ExportRequest {
  readonly selection: Selection;
  readonly rule: ContextRule;
  readonly formats: readonly Format[];
  /** IANA name. */
  readonly zone: string;
  readonly bates: Bates;
  readonly proofs: Proofs;
}

export interface ExportTold {
  /** Resolves once the deeds are durable; whoever runs the export writes nothing of it before. */
  readonly record: (deeds: readonly Deed[]) => Promise<void>;
  readonly onEstimate: (estimate: Estimate) => void;
  readonly onProgress: (progress: ExportProgress) => void;
}

/**
 * Writes an export to `out`, which does not exist yet, somewhere that holds up nobody who asks the process in the meantime.
 *
 * It MUST await `record` before the first byte of plaintext and MUST write nothing if that rejects. `out` MUST NOT exist until all of the
 * export is on the disk. It MUST settle only when nothing writes any more, and MUST do so soon after `signal` aborts. It rejects with
 * a `Failure` for whatever is known to go wrong.
 */
export type ExportRun = (request: ExportRequest, out: string, told: ExportTold, signal: AbortSignal) => Promise<void>;
