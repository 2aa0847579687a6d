// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentText, type ContentParts } from '../../src/export/proof/content.ts';
import { LogSegments } from '../../src/export/proof/log-segments.ts';
import { ArchiveSource } from '../../src/prove/archive-source.ts';
import { parseEntry, sealedPart } from '../../src/record/entry.ts';
import type { Segment } from '../../src/record/segment.ts';
import { Opener } from '../../src/seal/open.ts';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import type { ArchiveReader } from '../../src/verify/reader.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { ORIGIN, READER } from '../vectors/keys.ts';
import { makeStory } from './story.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-export-content-'));
let reader: ArchiveReader;
let segments: LogSegments;
let leaves: Float64Array;
beforeAll(async () => {
  reader = await openDirReader(await makeStory(join(root, 'story')));
  segments = await LogSegments.open(reader, ORIGIN);
  const found: number[] = [];
  for (let first = 0; ;) {
    const segment = await segments.at(first);
    if (segment === null) break;
    for (const [n, bytes] of segment.entries.entries())
      if (sealedPart(parseEntry(bytes.toString())) !== null) found.push(first + n);
    first = segment.tail.size;
  }
  leaves = Float64Array.from(found);
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What is disclosed of these leaves, where segments are what `change` makes of them. */
async function disclosed(of: Float64Array, change: (segment: Segment) => Segment = (one) => one): Promise<string[]> {
  const changed = {
    at: (first: number) => segments.at(first),
    holding: async (leaf: number) => {
      const segment = await segments.holding(leaf);
      return segment === null ? null : change(segment);
    },
  } as unknown as LogSegments;
  const opener = new Opener(READER.privateKey, READER.recipient.kid);
  const parts: ContentParts = { segments: changed, source: new ArchiveSource(reader, TRUST), reader, opener };
  return await Array.fromAsync(contentText(parts, of));
}

/** Every pack claims leaves before its segment and behind it. */
function overreaching(segment: Segment): Segment {
  const entries = segment.entries.map((bytes) => {
    const text = bytes.toString('latin1');
    if (!text.includes('"t":"pack"')) return bytes;
    const { first } = segment.head;
    const more = text.replace(/"leaves":\[\[(\d+),(\d+)\]/, (_all, begin: string, count: string) => {
      const from = Math.max(0, first - 1);
      return `"leaves":[[${from},${Number(begin) + Number(count) - from + segment.entries.length}]`;
    });
    expect(more).not.toBe(text);
    return Buffer.from(more, 'latin1');
  });
  return { ...segment, entries };
}

describe('what records say', () => {
  it('is disclosed of each, in the order of the log, whichever of them are asked for', async () => {
    const all = await disclosed(leaves);
    expect(all.map((line) => (JSON.parse(line) as { leaf: number }).leaf)).toEqual([...leaves]);
    expect(all.filter((line) => line.includes('"view"')).length).toBeGreaterThan(10);
    const some = leaves.filter((_leaf, n) => n % 3 === 1);
    expect(await disclosed(some)).toEqual(all.filter((_line, n) => n % 3 === 1));
  });

  it('is found where a pack claims leaves that are not of its segment', async () => {
    expect(await disclosed(leaves, overreaching)).toEqual(await disclosed(leaves));
  });
});
