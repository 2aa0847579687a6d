// SPDX-License-Identifier: AGPL-3.0-or-later

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AttachmentArrival, Faults } from './faults.ts';
import type { ListedAttachment } from './frame.ts';

/** A file that comes with a message. Without `content`, bytes are made up to the size that the envelope names. */
export interface AttachmentFile {
  readonly id: string;
  readonly content?: Uint8Array;
  readonly arrival?: AttachmentArrival;
}

export type AttachmentProblem = 'not-found' | 'unreadable';

/** `<dataDir>/attachments`: files under their ids, written in place, never cleaned up by anyone but a DELETE. */
export class AttachmentStore {
  readonly dir: string;
  readonly #faults: Faults;
  readonly #late = new Set<NodeJS.Timeout>();

  constructor(parts: { dir: string; faults: Faults }) {
    this.dir = parts.dir;
    this.#faults = parts.faults;
    mkdirSync(this.dir, { recursive: true });
  }

  /** Downloads what a message lists, as the daemon does before it hands the message on. */
  download(listed: readonly ListedAttachment[], files: readonly AttachmentFile[]): void {
    const ids = new Set([...listed.map((one) => one.id), ...files.map((file) => file.id)]);
    for (const id of ids) {
      const file = files.find((one) => one.id === id);
      const named = listed.find((one) => one.id === id);
      const content = file?.content ?? contentFor(id, named);
      this.#arrive(id, content, file?.arrival ?? this.#faults.attachmentArrival);
    }
  }

  list(): string[] {
    return readdirSync(this.dir, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
      .toSorted();
  }

  read(id: string): Buffer | AttachmentProblem {
    const path = this.#pathOf(id);
    if (!existsSync(path)) return 'not-found';
    return statSync(path).isFile() ? readFileSync(path) : 'unreadable';
  }

  remove(id: string): 'removed' | AttachmentProblem {
    const path = this.#pathOf(id);
    if (!existsSync(path)) return 'not-found';
    if (!statSync(path).isFile()) return 'unreadable';
    rmSync(path);
    return 'removed';
  }

  /** Late files of an ended process never arrive. */
  cancelLate(): void {
    for (const timer of this.#late) clearTimeout(timer);
    this.#late.clear();
  }

  #arrive(id: string, content: Uint8Array, arrival: AttachmentArrival): void {
    const path = this.#pathOf(id);
    if (arrival === 'never') return;
    if (arrival === 'whole') writeFileSync(path, content);
    else if ('truncatedTo' in arrival) writeFileSync(path, content.subarray(0, arrival.truncatedTo));
    else {
      const timer = setTimeout(() => {
        this.#late.delete(timer);
        writeFileSync(path, content);
      }, arrival.afterMs);
      this.#late.add(timer);
    }
  }

  /** A name can point at the directory itself at most, never out of it. */
  #pathOf(id: string): string {
    const safe = id.split('/').filter((part) => part !== '' && part !== '.' && part !== '..');
    return join(this.dir, ...safe);
  }
}

const signatures: Readonly<Record<string, string>> = {
  'image/jpeg': 'ffd8ffe000104a464946',
  'image/png': '89504e470d0a1a0a',
  'application/pdf': '255044462d312e37',
  'audio/aac': 'fff15080',
};

/** Bytes that depend on the id alone, so that a test can tell which file it got. */
export function contentFor(id: string, listed: ListedAttachment | undefined): Buffer {
  if (listed !== undefined && listed.text !== null) return Buffer.from(listed.text);
  const size = listed?.size ?? 64;
  const seed = createHash('sha256').update(id).digest();
  const content = Buffer.alloc(size, seed);
  Buffer.from(signatures[listed?.contentType ?? ''] ?? '', 'hex').copy(content);
  return content;
}
