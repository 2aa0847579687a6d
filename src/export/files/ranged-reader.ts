// SPDX-License-Identifier: AGPL-3.0-or-later
import { causeOf, ReaderTrouble, streamed, type ArchiveReader } from '../../verify/reader.ts';

/** A reader of the archive that may be able to begin in the middle of an object; verifying never does. */
export interface RangedReader extends ArchiveReader {
  readonly readFrom?: (key: string, version: string, from: number) => Promise<AsyncIterable<Uint8Array>>;
}

/** The bytes of a version from `from` on; every failure is a {@link ReaderTrouble}. Where the store cannot, what is in front is passed over. */
export async function* streamedFrom(
  reader: RangedReader,
  key: string,
  version: string,
  from: number,
): AsyncGenerator<Uint8Array> {
  if (from === 0 || reader.readFrom === undefined) {
    let left = from;
    for await (const piece of streamed(reader, key, version)) {
      const rest = piece.subarray(left);
      left -= piece.length - rest.length;
      if (rest.length > 0) yield rest;
    }
    return;
  }
  try {
    yield* await reader.readFrom(key, version, from);
  } catch (error) {
    throw error instanceof ReaderTrouble ? error : new ReaderTrouble(key, causeOf(error), error);
  }
}
