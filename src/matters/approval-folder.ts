// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { DurableFolder } from '../base/durable-file.ts';
import { sha256Hex } from '../record/hash.ts';
import { approvalText } from '../record/hold.ts';
import { parseApproval, type Approval } from './hold-entry.ts';

/** SHA-256 of what officers sign: names an entry from its proposal to the log. */
export function approvalId({ entry }: Approval): string {
  return sha256Hex(approvalText(entry));
}

/** Entries of holds as files, one each, named by what is signed; on the disk before `put` returns, and whole or not at all. */
export class ApprovalFolder {
  readonly #folder: DurableFolder;

  constructor(directory: string) {
    this.#folder = new DurableFolder(directory, '.json');
  }

  put(approval: Approval): void {
    this.#folder.put(approvalId(approval), JSON.stringify(approval));
  }

  ids(): string[] {
    return this.#folder.ids();
  }

  /** Null if there is none of that id. Throws `matters/approval` for a file that somebody changed. */
  get(id: string): Approval | null {
    return this.ids().includes(id) ? parseApproval(readFileSync(this.#folder.path(id), 'utf8')) : null;
  }

  remove(id: string): void {
    this.#folder.remove(id);
  }
}
