// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { headsPrefix, MEDIA_PREFIX, packPrefix, segmentPrefix } from '../record/layout.ts';
import type { Findings } from './findings.ts';
import { Inventory } from './inventory.ts';
import type { Rival } from './rivals.ts';
import { listed, ReaderTrouble, stateOf, streamed, type ArchiveReader, type StoredVersion } from './reader.ts';

/** What is stored, as the listings show it: taken once, before anything is read. */
export interface Stored {
  readonly segments: Inventory;
  readonly heads: Inventory;
  readonly packs: Inventory;
  readonly media: Inventory;
  /** Later versions of segments, to be judged once the archivers are known. */
  readonly rivals: Rival[];
}

interface Folder {
  readonly prefix: string;
  readonly inventory: Inventory;
  /** The object's name if the rest of the key is one, else null. */
  readonly nameOf: (rest: string) => string | null;
  readonly isSegment?: boolean;
}

const HASH = /^[0-9a-f]{64}$/;
const LEAF = /^\d{16}$/;
const leafName = (rest: string): string | null => (LEAF.test(rest) && Number.isSafeInteger(Number(rest)) ? rest : null);
const packName = (rest: string): string | null => (HASH.test(rest) ? rest : null);
const mediaName = (rest: string): string | null => {
  const hash = rest.slice(3);
  return HASH.test(hash) && rest.slice(0, 3) === `${hash.slice(0, 2)}/` ? hash : null;
};

/**
 * Lists every version of every object the log may name. Segments first: what they name was stored before them. A store without
 * versions shows none, and then only unknown names can be found here. `media`: objects that were listed for a later log of the same store.
 */
export async function surveyStore(
  reader: ArchiveReader,
  origin: string,
  findings: Findings,
  media: Inventory | null = null,
): Promise<Stored> {
  const stored: Stored = {
    segments: new Inventory('leaves'),
    heads: new Inventory('leaves'),
    packs: new Inventory('hashes'),
    media: media ?? new Inventory('hashes'),
    rivals: [],
  };
  const folders: readonly Folder[] = [
    { prefix: segmentPrefix(origin), inventory: stored.segments, nameOf: leafName, isSegment: true },
    { prefix: headsPrefix(origin), inventory: stored.heads, nameOf: leafName },
    { prefix: packPrefix(origin), inventory: stored.packs, nameOf: packName },
    ...(media === null ? [{ prefix: MEDIA_PREFIX, inventory: stored.media, nameOf: mediaName }] : []),
  ];
  for (const folder of folders) {
    for await (const versions of byKey(listed(reader, folder.prefix))) {
      await takeIn(reader, folder, versions, { findings, rivals: stored.rivals });
    }
  }
  return stored;
}

/** All versions of one key together, newest first. */
async function* byKey(listing: AsyncIterable<StoredVersion>): AsyncGenerator<StoredVersion[]> {
  let group: StoredVersion[] = [];
  for await (const version of listing) {
    if (group.length > 0 && group[0]?.key !== version.key) {
      yield group;
      group = [];
    }
    group.push(version);
  }
  if (group.length > 0) yield group;
}

async function takeIn(
  reader: ArchiveReader,
  { prefix, inventory, nameOf, isSegment = false }: Folder,
  versions: readonly StoredVersion[],
  { findings, rivals }: { findings: Findings; rivals: Rival[] },
): Promise<void> {
  const { key } = versions[0] as StoredVersion;
  const name = nameOf(key.slice(prefix.length));
  if (name === null) {
    findings.add('verify/version-unknown-key', { key: shown(key) }, 'a name of this folder', 'another name');
    return;
  }
  const markers = versions.filter(({ deleteMarker }) => deleteMarker).length;
  if (markers > 0) {
    findings.add('verify/version-delete-marker', { key }, 'no delete marker', `${markers}`);
  }
  const objects = versions.filter(({ deleteMarker }) => !deleteMarker);
  inventory.add(name, objects);
  if (objects.length < 2) return;
  const others = await compareVersions(reader, objects, findings);
  for (const later of others) {
    if (isSegment) rivals.push({ leaf: Number(name), winner: objects.at(-1) as StoredVersion, later });
    else findings.add('verify/version-other-bytes', { key }, 'one version', `a later one of ${later.size} bytes`);
  }
}

/** The first version counts; every later one is compared with it, byte by byte through its hash. Returns those with other bytes. */
async function compareVersions(
  reader: ArchiveReader,
  versions: readonly StoredVersion[],
  findings: Findings,
): Promise<StoredVersion[]> {
  const others: StoredVersion[] = [];
  const winner = versions.at(-1) as StoredVersion;
  const { key } = winner;
  try {
    const expected = await digestOf(reader, winner);
    for (const later of versions.slice(0, -1)) {
      const same = later.size === winner.size && (await digestOf(reader, later)) === expected;
      if (!same) others.push(later);
      else findings.add('verify/version-identical', { key }, 'one version', `a later one of ${later.size} bytes`);
    }
  } catch (error) {
    if (!(error instanceof ReaderTrouble)) throw error;
    findings.add('verify/reader-failed', { key }, 'the bytes of every version', error.got);
  }
  return others;
}

async function digestOf(reader: ArchiveReader, { key, version }: StoredVersion): Promise<string> {
  const kept = (await stateOf(reader, key, version))?.sha256;
  if (kept !== null && kept !== undefined) return kept;
  const hash = createHash('sha256');
  for await (const chunk of streamed(reader, key, version)) hash.update(chunk);
  return hash.digest('hex');
}

/** A foreign name may hold anything, so only a plain one is repeated. */
export function shown(key: string): string {
  return /^[\w./-]{1,300}$/.test(key) ? key : `a key of ${key.length} characters`;
}
