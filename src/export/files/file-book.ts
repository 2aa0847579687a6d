// SPDX-License-Identifier: AGPL-3.0-or-later
import { open } from 'node:fs/promises';
import { fileTypeFromBuffer } from 'file-type';
import type { Attachment } from '../../record/message.ts';
import type { HeldFile } from '../../search/line.ts';
import type { StoredLine } from '../../search/snapshot.ts';
import type { Staging, WrittenFile } from '../staging.ts';
import { ArchiveFiles, FileError, type FileDefect, type FileRecord } from './archive-files.ts';
import { endingOf } from './file-name.ts';

/** The folder of the export in which files lie. */
export const FILES_FOLDER = 'files';
/** What is read of a file to see what it is. */
const HEAD_BYTES = 4100;

/** What became of a file that the archive holds. */
export interface ExportedFile {
  /** Path within the export; null if it could not be given. */
  readonly path: string | null;
  readonly size: number;
  readonly sha256: string;
  /** What its bytes say it is; null where they do not. */
  readonly type: string | null;
  readonly defect: FileDefect | null;
}

/** A file that is to be exported, with every record by which it may be had. */
interface Wanted {
  readonly sha256: string;
  readonly size: number;
  /** The name that its first sender gave it. */
  readonly claimed: string | null;
  readonly records: FileRecord[];
}

/** The files of an export, each once, by the hash of their bytes: what two messages carry lies there once. */
export class FileBook {
  readonly #wanted = new Map<string, Wanted>();
  readonly #exported = new Map<string, ExportedFile>();
  readonly #bytes = new Map<number, number>();
  /** Files that lines name, and those of them that the archive never got. */
  named = 0;
  neverCaptured = 0;

  /** Notes what a line needs. */
  want({ shown: { line }, records }: StoredLine): void {
    for (const { held, attachment } of line.files) {
      this.named += 1;
      if (held === null) {
        this.neverCaptured += 1;
        continue;
      }
      const leaf = line.leaves[0] ?? 0;
      this.#bytes.set(leaf, (this.#bytes.get(leaf) ?? 0) + held.size);
      let wanted = this.#wanted.get(held.sha256);
      if (wanted === undefined) {
        wanted = { ...held, claimed: attachment.fileName, records: [] };
        this.#wanted.set(held.sha256, wanted);
      }
      for (const { leaf, id, view } of records) {
        if (view?.kind !== 'attachment' || view.object.sha256 !== held.sha256) continue;
        if (!wanted.records.some((one) => one.leaf === leaf)) wanted.records.push({ leaf, id, object: view.object });
      }
    }
  }

  /** Number of different files in the archive that are to be exported, and their bytes together. */
  get size(): { readonly files: number; readonly bytes: number } {
    let bytes = 0;
    for (const one of this.#wanted.values()) bytes += one.size;
    return { files: this.#wanted.size, bytes };
  }

  get defects(): Readonly<Record<FileDefect, number>> {
    const count = { missing: 0, corrupt: 0 };
    for (const { defect } of this.#exported.values()) if (defect !== null) count[defect] += 1;
    return count;
  }

  /** Fetches them all. One that cannot be had is noted, and the others are fetched. */
  async fetch(archive: ArchiveFiles, staging: Staging, onBytes: (bytes: number) => void): Promise<void> {
    const ready = readyFiles(staging);
    for (const wanted of this.#wanted.values()) {
      this.#exported.set(wanted.sha256, await fetchOne(wanted, archive, staging, ready));
      onBytes(wanted.size);
    }
  }

  /** Null for a file that never came. */
  of({ held }: HeldFile): ExportedFile | null {
    return held === null ? null : (this.#exported.get(held.sha256) ?? null);
  }

  /** Bytes of the files of the line that begins with this leaf, as the archive says them. */
  bytesAt(leaf: number): number {
    return this.#bytes.get(leaf) ?? 0;
  }
}

/** Files that an interrupted run finished, by the hash they are named by. */
function readyFiles(staging: Staging): Map<string, WrittenFile> {
  const files = staging.files.filter(({ name }) => name.startsWith(`${FILES_FOLDER}/`));
  return new Map(files.map((file) => [file.sha256, file]));
}

async function fetchOne(
  wanted: Wanted,
  archive: ArchiveFiles,
  staging: Staging,
  readyFiles: ReadonlyMap<string, WrittenFile>,
): Promise<ExportedFile> {
  const { sha256, size, claimed } = wanted;
  const ready = readyFiles.get(sha256);
  if (ready !== undefined) {
    const { mime } = await kindOf(await headOf(staging.pathOf(ready.name)));
    return { path: ready.name, size, sha256, type: mime, defect: null };
  }
  let defect: FileDefect = 'missing';
  // Another account's copy may be whole where the first is not.
  for (const record of wanted.records) {
    const found = await tryOne(record, claimed, archive, staging);
    if (found.file !== null) return { path: found.file.name, size, sha256, type: found.type, defect: null };
    if (found.defect === 'corrupt') defect = 'corrupt';
  }
  return { path: null, size, sha256, type: null, defect };
}

type Tried =
  | { readonly file: WrittenFile; readonly type: string | null }
  | { readonly file: null; readonly defect: FileDefect };

async function tryOne(
  record: FileRecord,
  claimed: string | null,
  archive: ArchiveFiles,
  staging: Staging,
): Promise<Tried> {
  const { sha256 } = record.object;
  const pieces = archive.open(record);
  try {
    const first = await firstBytes(pieces);
    const { mime, ending } = await kindOf(first.head);
    const name = `${FILES_FOLDER}/${sha256}.${endingOf(ending, claimed)}`;
    return { file: await staging.write(name, () => first.all), type: mime };
  } catch (error) {
    if (error instanceof FileError) return { file: null, defect: error.defect };
    throw error;
  } finally {
    await pieces.return(undefined);
  }
}

/** The beginning, to look at, and everything, to write. */
async function firstBytes(
  pieces: AsyncGenerator<Buffer>,
): Promise<{ readonly head: Buffer; readonly all: AsyncIterable<Buffer> }> {
  const held: Buffer[] = [];
  let bytes = 0;
  while (bytes < HEAD_BYTES) {
    const { value, done } = await pieces.next();
    if (done === true) break;
    held.push(value);
    bytes += value.length;
  }
  async function* all(): AsyncGenerator<Buffer> {
    yield* held;
    yield* pieces;
  }
  return { head: Buffer.concat(held).subarray(0, HEAD_BYTES), all: all() };
}

async function headOf(path: string): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function kindOf(head: Buffer): Promise<{ readonly mime: string | null; readonly ending: string | null }> {
  try {
    const found = await fileTypeFromBuffer(head);
    return { mime: found?.mime ?? null, ending: found?.ext ?? null };
  } catch {
    // A file cut where a header says more follows.
    return { mime: null, ending: null };
  }
}

/** Says where a file is not what its sender called it; null where it is, or nobody can tell. */
export function lieOf({ contentType, fileName }: Attachment, { type }: ExportedFile): string | null {
  if (type === null) return null;
  const claimed = contentType?.split(';')[0]?.trim().toLowerCase() ?? null;
  if (claimed !== null && claimed !== 'application/octet-stream' && !isAlike(claimed, type)) {
    return `sent as ${claimed}, its bytes are ${type}`;
  }
  const ending = /\.([A-Za-z0-9]{1,5})$/.exec(fileName ?? '')?.[1]?.toLowerCase();
  return ending !== undefined && ACTIVE.has(ending) ? `named .${ending}, its bytes are ${type}` : null;
}

const ACTIVE: ReadonlySet<string> = new Set('exe com scr bat cmd ps1 js vbs msi hta lnk jar html htm svg'.split(' '));

/** Containers bear many names: a voice note is Ogg, an Office document a ZIP. */
function isAlike(claimed: string, found: string): boolean {
  if (claimed === found) return true;
  const [kind] = claimed.split('/');
  const [foundKind] = found.split('/');
  const isMedia = (one: string | undefined): boolean => one === 'audio' || one === 'video';
  if (isMedia(kind) && isMedia(foundKind)) return true;
  if (found === 'application/zip' || found === 'application/x-cfb') return kind === 'application';
  return claimed.replace('/x-', '/').replace('jpg', 'jpeg') === found.replace('/x-', '/');
}
