// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import { commitPart, PART_HEAD_BYTES, PARTS, writePart, type PartName } from '../record/commitment.ts';
import { parseEntry, sealedPart } from '../record/entry.ts';
import type { PackEntry, Sealed } from '../record/entry-types.ts';
import { mediaKey, packKey } from '../record/layout.ts';
import { EpochError } from '../seal/epoch.ts';
import { OpenError, type OpenedRecord, type Opener } from '../seal/open.ts';
import type { ArchiveSource, PlacedSegment } from './archive-source.ts';
import { CORE, partFile } from './files.ts';

const RECORD_LABEL = 5;

/**
 * Adds what a record says, part by part, with the salts that tie it to the log. Parts that are not asked for stay sealed: of them there is
 * a hash of salt and bytes, which says nothing. The caller has recorded the look before. Throws `prove/not-opened`.
 */
export async function disclose(
  source: ArchiveSource,
  leaf: number,
  opener: Opener,
  parts: readonly PartName[],
): Promise<Map<string, Buffer>> {
  const placed = await source.segmentOf(leaf);
  const line = placed?.segment.entries[leaf - placed.first]?.toString('latin1') ?? '';
  const sealed = placed === null ? null : sealedPart(parseEntry(line));
  if (placed === null || sealed === null) throw notOpened('a record with content', 'one without', leaf);
  const body = await bodyOf(source, placed, leaf, sealed);
  for (const document of placed.segment.docs) opener.addEpoch(document.toString());
  const opened = await open(opener, line, body, source, leaf);
  const files = new Map<string, Buffer>();
  const hashes = PARTS.map((name) => commitPart(name, opened.salts[name], opened.parts[name]));
  files.set(CORE.commitments, Buffer.concat([Buffer.of(RECORD_LABEL), ...hashes]));
  for (const name of parts) {
    const part = Buffer.alloc(PART_HEAD_BYTES + opened.parts[name].length);
    writePart(part, 0, name, opened.salts[name], opened.parts[name]);
    files.set(partFile(name), part);
  }
  return files;
}

function notOpened(expected: string, got: string, leaf: number): Failure {
  return new Failure('prove/not-opened', {
    expected,
    got,
    where: `leaf ${leaf}`,
    fix: 'leave `--disclose` away to prove the record without its content',
  });
}

async function open(
  opener: Opener,
  line: string,
  body: Buffer,
  source: ArchiveSource,
  leaf: number,
): Promise<OpenedRecord> {
  try {
    return await opener.open(line, body, (hash) => objectOf(source, hash, leaf));
  } catch (error) {
    if (error instanceof OpenError || error instanceof EpochError) {
      throw notOpened('bytes that open with the reader key', error.code, leaf);
    }
    throw error;
  }
}

async function* objectOf(source: ArchiveSource, hash: string, leaf: number): AsyncGenerator<Uint8Array> {
  const bytes = await source.read(mediaKey(hash));
  if (bytes === null) throw notOpened('the object that the record names', 'none', leaf);
  yield bytes;
}

/** The body lies in the pack of its class and segment, behind those of the leaves before it. */
async function bodyOf(
  source: ArchiveSource,
  { first, segment }: PlacedSegment,
  leaf: number,
  sealed: Sealed,
): Promise<Buffer> {
  const entries = segment.entries.map((line) => parseEntry(line.toString('latin1')));
  const covers = (entry: PackEntry): boolean =>
    entry.leaves.some(([begin, count]) => leaf >= begin && leaf < begin + count);
  const pack = entries.find(
    (entry): entry is PackEntry => entry.t === 'pack' && entry.ret === sealed.ret && covers(entry),
  );
  const bytes = pack === undefined ? null : await source.read(packKey(source.trust.origin, pack.h));
  if (pack === undefined || bytes === null) throw notOpened('the pack that holds the content', 'none', leaf);
  let at = 0;
  for (const [begin, count] of pack.leaves) {
    for (let each = begin; each < begin + count && each < leaf; each += 1) {
      const other = sealedPart(entries[each - first] ?? (entries[0] as never));
      if (other?.ret === sealed.ret) at += other.body.n;
    }
  }
  return bytes.subarray(at, at + sealed.body.n);
}
