// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf, Failure } from '../../base/failure.ts';
import { FORMATS } from '../formats.ts';
import { lockedIn, syncPath } from '../staging.ts';

export const EXPORT_ID = /^[0-9a-f]{32}$/;
const OTHERS_MAY = 0o077;
const FACTS_FILE = 'asked.json';
const WHOLE = 'export';

const factsForm = z.strictObject({
  v: z.literal(1),
  id: z.string().regex(EXPORT_ID),
  atMs: z.int(),
  user: z.string(),
  selection: z.string(),
  formats: z.array(z.enum(FORMATS)),
  zone: z.string(),
});
/** Who asked for an export, when, and for what. */
export type ExportFacts = z.output<typeof factsForm>;

/**
 * The folder that exports lie in, of mode 0700, each in a folder of its own that is named by its id:
 *
 *     ID/asked.json        who asked for what: durable before anything else of it is there
 *     ID/export.partial/   what is being written
 *     ID/export/           the whole: there at once, by a rename, and gone at once, by another one
 *
 * So after a crash at any time an export is whole or it is none. What is none is deleted at the next start; what is whole is deleted by
 * {@link remove} only.
 */
export class ExportShelf implements AsyncDisposable {
  readonly #folder: string;
  readonly #lock: DatabaseSync;

  private constructor(folder: string, lock: DatabaseSync) {
    this.#folder = folder;
    this.#lock = lock;
  }

  /** Throws `export/folder`, `export/in-use`. */
  static async open(folder: string): Promise<ExportShelf> {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw unusable(folder, codeOf(cause), cause);
    }
    const mode = (await stat(folder)).mode & 0o777;
    if ((mode & OTHERS_MAY) !== 0) throw unusable(folder, `mode 0${mode.toString(8)}`);
    return new ExportShelf(folder, lockedIn(folder));
  }

  /** Deletes what an earlier process left half; tells what it left whole, and how many of those nobody can say who asked for. */
  async recover(): Promise<{ readonly whole: readonly ExportFacts[]; readonly unknown: number }> {
    const whole: ExportFacts[] = [];
    let unknown = 0;
    const entries = await readdir(this.#folder, { withFileTypes: true });
    for (const { name } of entries.filter((one) => one.isDirectory() && EXPORT_ID.test(one.name))) {
      if (!(await isThere(this.wholeOf(name)))) await rm(this.#of(name), { recursive: true, force: true });
      else {
        const facts = await factsIn(join(this.#of(name), FACTS_FILE), name);
        if (facts === null) unknown += 1;
        else whole.push(facts);
      }
    }
    return { whole, unknown };
  }

  /** Makes place for an export, durably. Throws `export/write`. */
  async begin(facts: ExportFacts): Promise<void> {
    try {
      await mkdir(this.#of(facts.id), { mode: 0o700 });
      const file = await open(join(this.#of(facts.id), FACTS_FILE), 'wx', 0o600);
      try {
        await file.writeFile(JSON.stringify(facts));
        await file.sync();
      } finally {
        await file.close();
      }
      await syncPath(this.#of(facts.id));
      await syncPath(this.#folder);
    } catch (cause) {
      throw new Failure('export/write', {
        expected: 'to write the export',
        got: codeOf(cause),
        where: this.#folder,
        fix: 'make room or mend the rights',
        cause,
      });
    }
  }

  /** Where an export lies once it is whole. */
  wholeOf(id: string): string {
    return join(this.#of(id), WHOLE);
  }

  /** Deletes all of an export. After a crash on the way it is none, and the next start deletes the rest. */
  async remove(id: string): Promise<void> {
    await rename(this.wholeOf(id), join(this.#of(id), 'deleted')).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
    });
    await rm(this.#of(id), { recursive: true, force: true });
    await syncPath(this.#folder);
  }

  #of(id: string): string {
    if (!EXPORT_ID.test(id)) throw new RangeError('the id of an export');
    return join(this.#folder, id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lock.close();
  }
}

async function isThere(folder: string): Promise<boolean> {
  try {
    return (await stat(folder)).isDirectory();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function factsIn(path: string, id: string): Promise<ExportFacts | null> {
  try {
    const facts = factsForm.parse(JSON.parse(await readFile(path, 'utf8')));
    return facts.id === id ? facts : null;
  } catch {
    return null;
  }
}

function unusable(where: string, got: string, cause?: unknown): Failure {
  return new Failure('export/folder', {
    expected: 'a directory of mode 0700 for exports, which are plaintext, or a place to make one',
    got,
    where,
    fix: `chmod 700 ${where}, and think about who may have read it; or name another one: \`reader.web.exports\``,
    cause,
  });
}
