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
import { parseApproval, type Approval } from './hold-entry.ts';

const NAME = /^([0-9a-f]{64})\.json$/;

/** SHA-256 of what officers sign: names an entry from its proposal to the log. */
export function approvalId({ entry }: Approval): string {
  return sha256Hex(approvalText(entry));
}

/** Entries of holds as files, one each, named by what is signed; on the disk before `put` returns, and whole or not at all. */
export class ApprovalFolder {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  put(approval: Approval): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const path = this.#path(approvalId(approval));
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

  ids(): string[] {
    if (!existsSync(this.#directory)) return [];
    return readdirSync(this.#directory)
      .flatMap((name) => NAME.exec(name)?.[1] ?? [])
      .toSorted();
  }

  /** Null if there is none of that id. Throws `matters/approval` for a file that somebody changed. */
  get(id: string): Approval | null {
    return this.ids().includes(id) ? parseApproval(readFileSync(this.#path(id), 'utf8')) : null;
  }

  remove(id: string): void {
    rmSync(this.#path(id), { force: true });
  }

  #path(id: string): string {
    return join(this.#directory, `${id}.json`);
  }
}
