// SPDX-License-Identifier: AGPL-3.0-or-later
import { Zip, ZipPassThrough } from 'fflate';

/** The earliest a ZIP can say, in the fields it is read from: the same bytes in every time zone. */
const zipTime = (): Date => new Date(1980, 0, 1, 0, 0, 0);

/** Beyond these a ZIP needs fields that the library does not write. */
const MOST_ENTRIES = 65_534;
const MOST_BYTES = 0xffff_fffe;
/** Of an entry: its header, what follows its bytes, and its line in the list at the end, without its name, which stands in two of them. */
const ENTRY_BYTES = 30 + 16 + 46;
const END_BYTES = 22;

export interface ZipEntry {
  readonly name: string;
  readonly bytes: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Whether files of these names and lengths fit into what {@link zipOf} writes. */
export function fitsZip(files: readonly { readonly name: string; readonly size: number }[]): boolean {
  const bytes = files.reduce(
    (sum, { name, size }) => sum + size + ENTRY_BYTES + 2 * Buffer.byteLength(name),
    END_BYTES,
  );
  return files.length <= MOST_ENTRIES && bytes <= MOST_BYTES;
}

/** Entries stored, in the order they come in, all dated the same: the same entries give the same bytes. Throws what their bytes throw. */
export async function* zipOf(entries: Iterable<ZipEntry>): AsyncGenerator<Buffer> {
  let ready: Buffer[] = [];
  const zip = new Zip((error, chunk) => {
    if (error !== null) throw error;
    ready.push(Buffer.from(chunk));
  });
  function* taken(): Generator<Buffer> {
    const some = ready;
    ready = [];
    yield* some;
  }
  for (const { name, bytes } of entries) {
    const entry = new ZipPassThrough(name);
    entry.mtime = zipTime();
    zip.add(entry);
    for await (const chunk of bytes()) {
      entry.push(chunk);
      yield* taken();
    }
    entry.push(new Uint8Array(0), true);
    yield* taken();
  }
  zip.end();
  yield* taken();
}
