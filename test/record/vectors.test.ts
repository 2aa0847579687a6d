// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { batchId, parseStatement, verifyStatement } from '../../src/record/batch.ts';
import { openCheckpoint } from '../../src/record/checkpoint.ts';
import { entryId, genesisOf, parseEntry } from '../../src/record/entry.ts';
import { headsRoot, parseHeads } from '../../src/record/heads.ts';
import { parseSigningKeyText } from '../../src/record/key.ts';
import { manifestHash, openManifest } from '../../src/record/manifest.ts';
import { parseVerifierKey } from '../../src/record/note.ts';
import { parseReceipt, verifyReceipt } from '../../src/record/receipt.ts';
import { parseSegment, verifyTail } from '../../src/record/segment.ts';
import { makeVectors, render } from '../vectors/generate.ts';
import type { ReceiptCase } from '../vectors/log-vectors.ts';
import type { Case } from '../vectors/record-vectors.ts';
import { ownVectors } from '../vectors/shared.ts';
import { refusal } from './refusal.ts';

const folder = new URL('../vectors/', import.meta.url);
const base64 = (bytes: Buffer): string => bytes.toString('base64');

describe('the committed vectors', () => {
  const made = makeVectors();

  it('are all made by the generator', () => {
    const committed = readdirSync(folder).filter((name) => name.endsWith('.json'));
    expect(committed.toSorted()).toEqual(
      Object.keys(made)
        .map((name) => `${name}.json`)
        .toSorted(),
    );
  });

  it.each(Object.keys(made))('%s: equal what the generator makes now', (name) => {
    // If this fails, the format changed: that needs a decision, not a new file.
    expect(render(made[name])).toBe(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
  });
});

/** Reads each case as a second implementation would: expectations come from the file alone. */
function check<C extends Case>(cases: readonly C[], read: (value: C) => unknown): void {
  it.each(cases.map((value) => [value.name, value] as const))('%s', (_, value) => {
    let found: unknown;
    const code = refusal(() => (found = read(value)));
    expect(code === null ? { ok: found } : { error: code }).toEqual(value.expect);
  });
}

describe('entries', () => {
  check(ownVectors<{ cases: Case[] }>('entries').cases, ({ text }) => ({
    type: parseEntry(text).t,
    id: entryId(text).toString('hex'),
  }));
});

describe('batch statements', () => {
  const { connector, cases } = ownVectors<{ connector: string; cases: Case[] }>('batch');
  check(cases, ({ text }) => {
    const statement = parseStatement(text);
    verifyStatement(statement, parseSigningKeyText(connector));
    const { sig: _sig, ...batch } = statement;
    return { batchId: batchId(statement), ...batch };
  });
});

describe('checkpoints', () => {
  const { vkey, cases } = ownVectors<{ vkey: string; cases: Case[] }>('checkpoint');
  check(cases, ({ text }) => {
    const { origin, size, root } = openCheckpoint(text, parseVerifierKey(vkey));
    return { origin, size, root: base64(root) };
  });
});

describe('manifests', () => {
  const { root, origin, cases } = ownVectors<{ root: string; origin: string; cases: Case[] }>('manifest');
  check(cases, ({ text }) => ({
    n: openManifest(text, parseSigningKeyText(root), origin).n,
    hash: manifestHash(text),
  }));
});

describe('heads', () => {
  check(ownVectors<{ cases: Case[] }>('heads').cases, ({ text }) => {
    const { leaves, streams } = parseHeads(Buffer.from(text));
    return { leaves, streams: streams.length, root: base64(headsRoot(streams)) };
  });
});

describe('receipts', () => {
  const { vkey, cases } = ownVectors<{ vkey: string; cases: ReceiptCase[] }>('receipt');
  check(cases, ({ text, last }) => {
    const key = parseVerifierKey(vkey);
    const before = last === null ? null : { origin: key.name, size: last.size, root: Buffer.from(last.root, 'base64') };
    const receipt = parseReceipt(text);
    const { size, root } = verifyReceipt(receipt, key, before);
    return { size, root: base64(root), leaves: receipt.items.map(({ leaf }) => leaf) };
  });
});

describe('segments', () => {
  const { archiver, cases } = ownVectors<{ archiver: string; cases: Case[] }>('segment');
  check(cases, ({ text }) => {
    const segment = parseSegment(Buffer.from(text));
    verifyTail(segment, parseSigningKeyText(archiver));
    return { size: segment.tail.size, root: base64(segment.tail.root), digest: segment.digest };
  });
});

describe('the genesis of a stream', () => {
  it('is the one of the vectors', () => {
    const { genesis } = ownVectors<{ genesis: { origin: string; stream: string; prev: string } }>('merkle');
    expect(genesisOf(genesis.origin, genesis.stream)).toBe(genesis.prev);
  });
});
