// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  type DeleteMarkerEntry,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion as S3Version,
} from '@aws-sdk/client-s3';
import { Failure } from '../base/failure.ts';
import type { S3Wire } from './s3-wire.ts';
import type { ObjectVersion } from './store.ts';

/** Enough for every honest race at one key in a single request. */
const KEY_PAGE = 100;

interface Marker {
  readonly key: string;
  readonly version: string | undefined;
}

interface Page {
  readonly versions: readonly ObjectVersion[];
  readonly next: Marker | null;
}

export interface Winner {
  readonly version: string;
  readonly size: number;
}

/** All versions and delete markers under `prefix` whose keys are greater than `after`, page by page. */
export async function* listVersions(
  wire: S3Wire,
  prefix: string,
  after: string,
  pageSize = wire.pageSize,
): AsyncGenerator<ObjectVersion> {
  let marker: Marker | null = after === '' ? null : { key: after, version: undefined };
  do {
    const page: Page = await fetchPage(wire, prefix, marker, pageSize);
    // Some servers begin with the marker's own key when no version is named.
    for (const version of page.versions) if (version.key > after) yield version;
    marker = page.next;
  } while (marker !== null);
}

/**
 * The version that was first, or null if there is none: the last one in the order of the listing that is no delete marker.
 * Dates would not do, since servers take them before the race is decided.
 */
export async function findWinner(wire: S3Wire, key: string): Promise<Winner | null> {
  const pageSize = Math.min(KEY_PAGE, wire.pageSize);
  let winner: Winner | null = null;
  for await (const found of listVersions(wire, key, '', pageSize)) {
    // Longer keys with this one as their prefix come after all of its versions.
    if (found.key !== key) break;
    if (!found.deleteMarker) winner = { version: found.version, size: found.size };
  }
  return winner;
}

async function fetchPage(wire: S3Wire, prefix: string, from: Marker | null, pageSize: number): Promise<Page> {
  const asked = wire.prefix + prefix;
  const marker =
    from === null
      ? {}
      : { KeyMarker: wire.prefix + from.key, ...(from.version === undefined ? {} : { VersionIdMarker: from.version }) };
  const input = { Bucket: wire.bucket, Prefix: asked, MaxKeys: pageSize, ...marker };
  return wire.read('a listing of versions', 0, async (client, options) => {
    const page = await client.send(new ListObjectVersionsCommand(input), options);
    assertListing(page, asked);
    const next = page.IsTruncated === true ? nextMarker(wire, page, from) : null;
    return { versions: merged(wire, page), next };
  });
}

/**
 * An empty or foreign body parses as a listing of nothing, and nothing listed is a statement: so the page must say what it is.
 */
function assertListing(page: ListObjectVersionsCommandOutput, prefix: string): void {
  if (page.IsTruncated !== undefined && (page.Prefix ?? '') === prefix) return;
  throw new Failure('store/unreachable', { expected: 'a listing of versions', got: 'another document' });
}

function nextMarker(wire: S3Wire, page: ListObjectVersionsCommandOutput, from: Marker | null): Marker {
  const key = page.NextKeyMarker?.slice(wire.prefix.length);
  const version = page.NextVersionIdMarker;
  if (key !== undefined && (key !== from?.key || version !== from.version)) return { key, version };
  throw new Failure('store/unexpected-answer', { expected: 'a marker that moves on', got: 'the same place again' });
}

/**
 * The SDK hands out versions and delete markers apart. Each keeps the server's order, which is what decides; dates only
 * interleave.
 */
function merged(wire: S3Wire, page: ListObjectVersionsCommandOutput): ObjectVersion[] {
  const all: ObjectVersion[] = [];
  const markers = [...(page.DeleteMarkers ?? [])];
  for (const version of page.Versions ?? []) {
    while (markers[0] !== undefined && precedes(markers[0], version)) {
      all.push(described(wire, markers[0], true));
      markers.shift();
    }
    all.push(described(wire, version, false));
  }
  return [...all, ...markers.map((marker) => described(wire, marker, true))];
}

function precedes(marker: DeleteMarkerEntry, version: S3Version): boolean {
  if (marker.Key !== version.Key) return (marker.Key ?? '') < (version.Key ?? '');
  if (marker.IsLatest === true) return true;
  return version.IsLatest !== true && (marker.LastModified?.getTime() ?? 0) >= (version.LastModified?.getTime() ?? 0);
}

function described(wire: S3Wire, found: S3Version | DeleteMarkerEntry, deleteMarker: boolean): ObjectVersion {
  if (found.Key === undefined || found.VersionId === undefined || !found.Key.startsWith(wire.prefix)) {
    throw new Failure('store/unexpected-answer', { expected: 'a key of the prefix and a version', got: 'neither' });
  }
  return {
    key: found.Key.slice(wire.prefix.length),
    version: found.VersionId,
    size: 'Size' in found ? (found.Size ?? 0) : 0,
    deleteMarker,
    latest: found.IsLatest === true,
  };
}
