// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../record/hash.ts';
import { approvalText } from '../record/hold.ts';
import type { ActsDb } from '../search/acts-db.ts';
import { approvedLine, parseApproval, type Approval } from './hold-entry.ts';

/** An approved entry that waits to be logged. */
export interface Waiting {
  readonly file: string;
  readonly line: string;
  readonly document: string;
}

const NAME = /^[0-9a-f]{64}\.json$/;

/**
 * Approved entries between the officers and the log: one file each, named by what was signed, fsynced before `put` returns. Whoever has a way to
 * the archiver sends them again and again; they go once the log is seen to have them.
 */
export class ApprovedBox {
  readonly #directory: string;

  constructor(spool: string) {
    this.#directory = join(spool, 'approved');
  }

  put(approval: Approval): void {
    // Throws for one that is not ready.
    approvedLine(approval);
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const path = join(this.#directory, `${sha256Hex(approvalText(approval.entry))}.json`);
    const file = openSync(`${path}.part`, 'w', 0o600);
    try {
      writeSync(file, JSON.stringify(approval));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${path}.part`, path);
    const directory = openSync(this.#directory, 'r');
    fsyncSync(directory);
    closeSync(directory);
  }

  waiting(): Waiting[] {
    if (!existsSync(this.#directory)) return [];
    return readdirSync(this.#directory)
      .filter((name) => NAME.test(name))
      .toSorted()
      .map((file) => {
        const approval = parseApproval(readFileSync(join(this.#directory, file), 'utf8'));
        return { file, line: approvedLine(approval), document: approval.document };
      });
  }

  /** Removes what the log has. */
  sweep(acts: ActsDb): void {
    const logged = new Set(acts.holds().flatMap(({ entries }) => entries.map(({ signed }) => `${signed}.json`)));
    for (const { file } of this.waiting()) if (logged.has(file)) rmSync(join(this.#directory, file), { force: true });
  }
}
