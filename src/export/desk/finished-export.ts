// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, Failure } from '../../base/failure.ts';
import { MANIFEST_FILE, parseManifest } from '../manifest.ts';
import type { WrittenFile } from '../staging.ts';
import { stampNames } from '../stamps/stamps.ts';
import { fitsZip, zipOf } from '../zip.ts';

export interface ExportSummary {
  readonly checkpoint: { readonly size: number; readonly root: string; readonly at: string };
  /** As the manifest has them: conversations, lines, hits, gaps, files. */
  readonly counts: Readonly<Record<string, number>>;
  /** Names in the selection that nobody and nothing bears. */
  readonly unmatched: readonly string[];
  readonly files: number;
  readonly bytes: number;
  /** SHA-256 of the manifest, which has that of every other file. */
  readonly manifestSha256: string;
}

/**
 * A whole export on the disk. Its files are those that its manifest names, the manifest, and stamps over it; what else is asked for does not exist, so
 * that no name that somebody sends becomes a path. Bytes are held against the manifest as they go out.
 */
export class FinishedExport {
  readonly summary: ExportSummary;
  /** By name. */
  readonly files: readonly WrittenFile[];
  readonly #folder: string;

  private constructor(folder: string, summary: ExportSummary, files: readonly WrittenFile[]) {
    this.#folder = folder;
    this.summary = summary;
    this.files = files;
  }

  /** Throws `export/damaged`. */
  static async open(folder: string): Promise<FinishedExport> {
    const bytes = await readFile(join(folder, MANIFEST_FILE)).catch((cause: unknown) => {
      throw damaged(codeOf(cause), cause);
    });
    const manifest = parseManifest(bytes);
    if (manifest === null) throw damaged('a manifest that is none');
    const { checkpoint, counts, unmatched, files: listed } = manifest;
    const manifestSha256 = createHash('sha256').update(bytes).digest('hex');
    const manifestFile = { name: MANIFEST_FILE, size: bytes.length, sha256: manifestSha256 };
    const files = [...listed, manifestFile, ...(await stampsIn(folder))];
    const size = files.reduce((sum, one) => sum + one.size, 0);
    const summary = { checkpoint, counts, unmatched, files: files.length, bytes: size, manifestSha256 };
    return new FinishedExport(
      folder,
      summary,
      files.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    );
  }

  /** Throws `export/no-file` unless it is one of {@link files}, `export/damaged` if it is not as long as it was. */
  async file(name: string): Promise<WrittenFile> {
    const file = this.files.find((one) => one.name === name);
    if (file === undefined) {
      throw new Failure('export/no-file', { expected: 'the name of a file of this export', got: 'another one' });
    }
    const found = await lstat(this.#pathOf(file)).catch((cause: unknown) => {
      throw damaged(codeOf(cause), cause);
    });
    if (!found.isFile() || found.size !== file.size) throw damaged('other bytes');
    return file;
  }

  /** The last piece is held back until the whole is known to be what was written. Throws `export/damaged`. */
  async *bytes(file: WrittenFile): AsyncGenerator<Buffer> {
    const hash = createHash('sha256');
    let held: Buffer | null = null;
    try {
      const handle = await open(this.#pathOf(file), constants.O_RDONLY | constants.O_NOFOLLOW);
      for await (const chunk of handle.createReadStream()) {
        hash.update(chunk as Buffer);
        if (held !== null) yield held;
        held = chunk as Buffer;
      }
    } catch (cause) {
      throw damaged(codeOf(cause), cause);
    }
    if (hash.digest('hex') !== file.sha256) throw damaged('other bytes');
    if (held !== null) yield held;
  }

  /** All files, by name, stored. Throws `export/zip-too-large` at once, `export/damaged` on the way. */
  zip(): AsyncGenerator<Buffer> {
    if (!fitsZip(this.files)) {
      throw new Failure('export/zip-too-large', {
        expected: 'less than 4 GiB and 65,535 files in one ZIP',
        got: 'more',
        fix: 'take the files one by one, or export less at a time',
      });
    }
    return zipOf(this.files.map((file) => ({ name: file.name, bytes: () => this.bytes(file) })));
  }

  #pathOf({ name }: WrittenFile): string {
    return join(this.#folder, ...name.split('/'));
  }
}

/** Time stamps over the manifest, which it cannot name. */
async function stampsIn(folder: string): Promise<WrittenFile[]> {
  const files: WrittenFile[] = [];
  for (const name of await stampNames(folder)) {
    const bytes = await readFile(join(folder, name), { flag: constants.O_RDONLY | constants.O_NOFOLLOW });
    files.push({ name, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  }
  return files;
}

function damaged(got: string, cause?: unknown): Failure {
  return new Failure('export/damaged', {
    expected: 'the export as it was written',
    got,
    fix: 'delete it and export again: the archive has everything',
    cause,
  });
}
