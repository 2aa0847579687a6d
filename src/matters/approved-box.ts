// SPDX-License-Identifier: AGPL-3.0-or-later
import { join } from 'node:path';
import type { HoldInLog } from '../search/acts-db.ts';
import { ApprovalFolder } from './approval-folder.ts';
import { approvedLine, type Approval } from './hold-entry.ts';

/** An approved entry that waits to be logged. */
export interface Waiting {
  readonly line: string;
  readonly document: string;
}

/**
 * Approved entries between the officers and the log. Whoever has a way to the archiver sends them again and again; they go once the
 * log is seen to have them.
 */
export class ApprovedBox {
  readonly #folder: ApprovalFolder;

  constructor(spool: string) {
    this.#folder = new ApprovalFolder(join(spool, 'approved'));
  }

  /** Throws `matters/approval` for one that too few have signed. */
  put(approval: Approval): void {
    approvedLine(approval);
    this.#folder.put(approval);
  }

  approvals(): Approval[] {
    return this.#folder.ids().flatMap((id) => this.#folder.get(id) ?? []);
  }

  waiting(): Waiting[] {
    return this.approvals().map((approval) => ({ line: approvedLine(approval), document: approval.document }));
  }

  /** Removes what the log has. */
  sweep(holds: () => readonly HoldInLog[]): void {
    const waiting = this.#folder.ids();
    if (waiting.length === 0) return;
    const logged = new Set(holds().flatMap(({ entries }) => entries.map(({ signed }) => signed)));
    for (const id of waiting) if (logged.has(id)) this.#folder.remove(id);
  }
}
