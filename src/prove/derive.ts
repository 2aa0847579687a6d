// SPDX-License-Identifier: AGPL-3.0-or-later
import { pemBlock } from '../base/pem.ts';
import { canonicalize, type Json } from '../record/canonical.ts';
import { parseStatement } from '../record/batch.ts';
import { openCheckpoint, parseCheckpoint } from '../record/checkpoint.ts';
import { PART_HEAD_BYTES, PARTS } from '../record/commitment.ts';
import { entryId, parseEntry } from '../record/entry.ts';
import { FormatError } from '../record/format-error.ts';
import type { SigningKey } from '../record/key.ts';
import { openManifest, type Signer } from '../record/manifest.ts';
import { parseNote } from '../record/note.ts';
import { inclusionSpans } from '../record/proof-spans.ts';
import { parseSigningKeyText } from '../record/key.ts';
import { parseTimeStamp } from '../record/time-stamp.ts';
import { parseTlogProof } from '../record/tlog-proof.ts';
import { parseTrust } from '../record/trust.ts';
import { CORE, fileOf, partFile, STAMPS, type Files } from './files.ts';
import { renderPage } from './page.ts';
import { renderReadme } from './readme.ts';

/** What prose and page say of a bundle, read once. */
export interface Told {
  readonly files: Files;
  readonly origin: string;
  readonly leaf: number;
  readonly size: number;
  readonly record: string;
  readonly signer: Signer & { readonly key: SigningKey };
  readonly root: SigningKey;
  readonly log: SigningKey;
}

/** The files of a bundle that follow from others: for people, for `openssl`, for a browser. Throws `FormatError` where the others have no form. */
export function derive(core: Files): Map<string, Buffer> {
  const told = tell(core);
  const made = new Map<string, Buffer>();
  for (const [name, bytes] of stampsByHand(core)) made.set(`by-hand/${name}`, Buffer.from(bytes));
  for (const [name, bytes] of byHand(told)) made.set(`by-hand/${name}`, Buffer.from(bytes));
  for (const part of PARTS) {
    const bytes = core.get(partFile(part));
    if (bytes !== undefined)
      made.set(`disclosed/${part}.${part === 'raw' ? 'bin' : 'json'}`, bytes.subarray(PART_HEAD_BYTES));
  }
  made.set('bundle.json', Buffer.from(`${canonicalize(about(told) as Json)}\n`));
  made.set('README.txt', Buffer.from(renderReadme(told)));
  made.set('check.html', Buffer.from(renderPage(told)));
  return made;
}

function tell(files: Files): Told {
  const text = (name: string): string => fileOf(files, name).toString('utf8');
  const trust = parseTrust(text(CORE.trust));
  const manifest = openManifest(text(CORE.manifest), trust.root, trust.origin);
  const { key } = parseStatement(text(CORE.batch));
  const signers = manifest.signers.map((signer) => ({ ...signer, key: parseSigningKeyText(signer.pub) }));
  const signer = signers.find((each) => each.key.id === key);
  if (signer === undefined) throw new FormatError('format/manifest', `key ${key} among its signers`, 'none');
  const { index, checkpoint } = parseTlogProof(text(CORE.proof));
  const { size } = openCheckpoint(checkpoint, trust.log);
  const record = entryId(text(CORE.record)).toString('hex');
  return { files, origin: trust.origin, leaf: index, size, record, signer, root: trust.root, log: trust.log.key };
}

function about({ files, leaf, origin, record, size }: Told): object {
  const entry = parseEntry(fileOf(files, CORE.record).toString('latin1'));
  const isFirst = 'seq' in entry && entry.seq === 0;
  const has = (name: string, otherwise: string): string => (files.has(name) ? 'here' : otherwise);
  return {
    ctx: 'holdfast proof bundle v1',
    leaf,
    next: has(CORE.next, 'none that was found'),
    origin,
    previous: isFirst ? 'none: the record opens its stream' : has(CORE.previous, 'none that was found'),
    record,
    seal: has(CORE.seal, 'none yet'),
    size,
    stamp: has(CORE.stampProof, 'none yet'),
  };
}

/** Signed bytes, signatures, keys and the way to the root, as `openssl` takes them. */
function byHand({ files, leaf, size, log, root, signer }: Told): [string, string | Buffer][] {
  const text = (name: string): string => fileOf(files, name).toString('utf8');
  const { hashes, checkpoint } = parseTlogProof(text(CORE.proof));
  const note = parseNote(checkpoint);
  const trust = parseTrust(text(CORE.trust));
  const signed = note.signatures.find(({ name, hash }) => name === trust.log.name && hash.equals(trust.log.hash));
  const { manifest, sig } = JSON.parse(text(CORE.manifest)) as { manifest: Json; sig: string };
  const { sig: batchSig } = parseStatement(text(CORE.batch));
  return [
    ['log.pem', pem(log)],
    ['root.pem', pem(root)],
    ['signer.pem', pem(signer.key)],
    ['path.txt', pathText(leaf, size, hashes)],
    ['checkpoint.txt', note.text],
    ['checkpoint.sig', signed?.signature ?? Buffer.alloc(0)],
    ['manifest.txt', canonicalize(manifest)],
    ['manifest.sig', Buffer.from(sig, 'base64')],
    ['batch.txt', text(CORE.batch).replace(`"sig":"${batchSig}",`, '')],
    ['batch.sig', Buffer.from(batchSig, 'base64')],
  ];
}

/** Which side of the way from a leaf to the root each hash stands on. */
function pathText(leaf: number, size: number, hashes: readonly Buffer[]): string {
  const spans = inclusionSpans(leaf, size);
  const path = hashes.map(
    (hash, n) => `${(spans[n]?.[0] ?? 0) < leaf ? 'left' : 'right'} ${hash.toString('base64')}\n`,
  );
  return path.join('');
}

/** What was stamped, the way to it, and each token with its certificates. */
function stampsByHand(files: Files): [string, string | Buffer][] {
  const stamps = STAMPS.filter((name) => files.has(name)).map((name) => {
    return { name: name.replace('.json', ''), stamp: parseTimeStamp(fileOf(files, name).toString('utf8')) };
  });
  if (stamps.length === 0) return [];
  const { index, hashes, checkpoint } = parseTlogProof(fileOf(files, CORE.stampProof).toString('utf8'));
  const { size } = parseCheckpoint(parseNote(checkpoint).text);
  return [
    ['stamped.txt', checkpoint],
    ['stamped-path.txt', pathText(index, size, hashes)],
    ...stamps.flatMap(({ name, stamp: { token, certificates } }): [string, string | Buffer][] => [
      [`${name}.token`, token],
      [`${name}.pem`, certificates.map((der) => pemBlock('CERTIFICATE', der)).join('')],
    ]),
  ];
}

function pem({ key }: SigningKey): string {
  return key.export({ format: 'pem', type: 'spki' }) as string;
}
