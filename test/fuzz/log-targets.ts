// SPDX-License-Identifier: AGPL-3.0-or-later
import { parseStatement, verifyStatement } from '../../src/record/batch.ts';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { entryId, parseEntry } from '../../src/record/entry.ts';
import { recipientsOf } from '../../src/record/epoch-document.ts';
import { FormatError } from '../../src/record/format-error.ts';
import { HASH_BYTES, sha256Hex } from '../../src/record/hash.ts';
import { parseHeads } from '../../src/record/heads.ts';
import { encodeHoldDocument, parseHoldDocument } from '../../src/record/hold.ts';
import { signBytes } from '../../src/record/key.ts';
import { entryLine, LogProof, logProofHead, subtreeLines } from '../../src/record/log-proof.ts';
import { openManifest } from '../../src/record/manifest.ts';
import { RangeBuilder } from '../../src/record/merkle.ts';
import { parseReceipt, verifyReceipt } from '../../src/record/receipt.ts';
import { parseSegment, verifyTail } from '../../src/record/segment.ts';
import { encodeBundle, parseBundle, parseTile } from '../../src/record/tile-builder.ts';
import { parseTilePath } from '../../src/record/tiles.ts';
import { parseTrust } from '../../src/record/trust.ts';
import { summarise } from '../../src/verify/summarise.ts';
import { encodeVerifierKey } from '../../src/record/note.ts';
import { ARCHIVER, CONNECTOR, hexOf, ORIGIN, ROOT, type SigningPair } from '../vectors/keys.ts';
import { LOG_NOTE_KEY } from '../vectors/log-vectors.ts';
import type { Case } from '../vectors/record-vectors.ts';
import { ownVectors } from '../vectors/shared.ts';
import { nextSegment, smallSegment, streamLines } from '../vectors/small-log.ts';
import type { Target } from './target.ts';

/** What the committed vectors say is accepted. */
function accepted(name: string): Buffer[] {
  const file = ownVectors<{ cases: readonly (Case & { readonly expect: object })[] }>(name);
  return file.cases.filter(({ expect }) => 'ok' in expect).map(({ text }) => Buffer.from(text));
}

/** An object with its signature in `sig` over the rest, or over one member of it. */
function signedAgain({ privateKey }: SigningPair, over?: string): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const { sig: _sig, ...rest } = JSON.parse(bytes.toString()) as Record<string, Json>;
    const sig = signBytes(privateKey, canonicalize(over === undefined ? rest : (rest[over] as Json)));
    return Buffer.from(canonicalize({ ...rest, sig: sig.toString('base64') }));
  };
}

/** Counts of the head, the size, the digest and the signature of a segment as its lines give them. */
function segmentAgain(bytes: Buffer): Buffer {
  const lines = bytes.toString('latin1').trimEnd().split('\n');
  const head = JSON.parse(lines[1] as string) as { docs: number; batches: number; entries: number; first: number };
  const { sig: _sig, ...tail } = JSON.parse(lines.pop() as string) as Record<string, Json>;
  head.entries = lines.length - 2 - head.docs - head.batches;
  lines[1] = canonicalize(head);
  const before = Buffer.from(`${lines.join('\n')}\n`, 'latin1');
  const own = canonicalize({ ...tail, seg: sha256Hex(before), size: head.first + head.entries });
  return Buffer.concat([before, signedAgain(ARCHIVER)(Buffer.from(own)), Buffer.from('\n')]);
}

function readSegment(bytes: Buffer): void {
  // What every auditor does with it; a summary says what is malformed, and never throws.
  summarise(bytes, { origin: ORIGIN, keys: new Map([[CONNECTOR.key.id, CONNECTOR.key]]), cuts: [1, 3] });
  verifyTail(parseSegment(bytes), ARCHIVER.key);
}

/** One entry shown, the others as subtrees. */
function logProof(): Buffer {
  const rest = new RangeBuilder(1);
  for (const line of streamLines().slice(1)) rest.appendLeaf(entryId(line));
  const shown = logProofHead(ORIGIN, rest.end) + entryLine(0, streamLines()[0] as string);
  return Buffer.from(shown + subtreeLines(rest.range()));
}

function readLogProof(bytes: Buffer): void {
  const proof = new LogProof();
  for (const line of bytes.toString('latin1').trimEnd().split('\n')) proof.take(line);
  assertHash(proof.root);
}

function assertHash({ length }: Buffer): void {
  if (length !== HASH_BYTES) throw new Error('a root that is no hash');
}

const HOLD = encodeHoldDocument({ packs: [hexOf('pack')].toSorted(), media: [hexOf('a'), hexOf('b')].toSorted() });
const TRUST = { v: 1, origin: ORIGIN, root: ROOT.key.raw.toString('base64'), log: encodeVerifierKey(LOG_NOTE_KEY) };
const LINES = streamLines().map((line) => Buffer.from(line));

export function logTargets(): readonly Target[] {
  return [
    { name: 'entry', examples: accepted('entries'), read: (bytes) => parseEntry(bytes.toString('latin1')) },
    {
      name: 'batch',
      examples: accepted('batch'),
      read: (bytes) => verifyStatement(parseStatement(bytes.toString()), CONNECTOR.key),
      mend: signedAgain(CONNECTOR),
    },
    { name: 'segment', examples: [smallSegment(), nextSegment()], read: readSegment, mend: segmentAgain, slowness: 4 },
    {
      name: 'manifest',
      examples: accepted('manifest'),
      read: (bytes) => openManifest(bytes.toString(), ROOT.key, ORIGIN),
      mend: signedAgain(ROOT, 'manifest'),
      slowness: 4,
    },
    { name: 'heads', examples: accepted('heads'), read: parseHeads },
    { name: 'trust', examples: [Buffer.from(JSON.stringify(TRUST))], read: (bytes) => parseTrust(bytes.toString()) },
    {
      name: 'receipt',
      examples: accepted('receipt'),
      read: (bytes) => verifyReceipt(parseReceipt(bytes.toString()), LOG_NOTE_KEY, null),
    },
    { name: 'hold', examples: [Buffer.from(HOLD)], read: (bytes) => parseHoldDocument(bytes.toString()) },
    {
      name: 'epoch-document',
      examples: [Buffer.from(ownVectors<{ text: string }>('epoch').text)],
      read: (bytes) => {
        if (recipientsOf(bytes.toString()) === null) throw new FormatError('format/entry', 'a wrapped secret', 'none');
      },
    },
    {
      name: 'tile-path',
      examples: ['tile/0/x001/x234/067', 'tile/entries/000.p/1', 'tile/5/999.p/255'].map((path) => Buffer.from(path)),
      read: (bytes) => parseTilePath(bytes.toString()),
    },
    { name: 'log-proof', examples: [logProof()], read: readLogProof },
    { name: 'tile', examples: [Buffer.alloc(96, 7)], read: (bytes) => parseTile(bytes, 3) },
    { name: 'entry-bundle', examples: [encodeBundle(LINES)], read: (bytes) => parseBundle(bytes, LINES.length) },
  ];
}
