// SPDX-License-Identifier: AGPL-3.0-or-later
// What sealing a record costs beside its bare primitives, on the same data, in turns: one zstd, one AES-256-GCM, two
// HMAC-SHA-384 and one SHA-256. Run: npx node bench/seal.ts
import { createCipheriv, createHmac, hash, randomBytes, type Hmac } from 'node:crypto';
import { constants, zstdCompressSync } from 'node:zlib';
import { canonicalize, type Json } from '../src/record/canonical.ts';
import { entryId } from '../src/record/entry.ts';
import type { ContentEntry } from '../src/record/entry-types.ts';
import type { Epoch } from '../src/seal/epoch.ts';
import { associatedData, renderHeader, type Bodiless } from '../src/seal/header.ts';
import { Ratchet } from '../src/seal/ratchet.ts';
import { withRawKey } from '../src/seal/raw-key.ts';
import { prepareParts, sealBody, sealedFields } from '../src/seal/seal.ts';
import { message } from '../test/support/spool-parts.ts';
import { atLeast, median, noted, tell } from './figures.ts';

const ROUNDS = 31;
const RECORDS = 4000;
const TARGET = 0.7;
const ZSTD_LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

interface Capture {
  readonly cap: Buffer;
  readonly view: Buffer;
  readonly raw: Buffer;
}

/** Messages of a few sentences, as signal-cli hands them over. */
function captures(): Capture[] {
  const words =
    'the meeting moved to half past two bring binder and call before you leave thanks will do see there'.split(' ');
  return Array.from({ length: RECORDS }, (_, at) => {
    const text = Array.from({ length: 8 + (at % 20) }, (_word, no) => words[(at * 7 + no * 13) % words.length]).join(
      ' ',
    );
    const source = `+1202555${String(at % 10_000).padStart(4, '0')}`;
    const envelope = {
      source,
      sourceUuid: randomBytes(16).toString('hex'),
      timestamp: 1_786_000_000_000 + at,
      dataMessage: { message: text },
    };
    const { view } = message(String(at));
    return {
      cap: Buffer.from(canonicalize({ atMs: 1_786_000_000_000 + at, via: 'webhook' })),
      view: Buffer.from(canonicalize({ ...view, content: { text }, sender: { id: source } } as unknown as Json)),
      raw: Buffer.from(JSON.stringify({ envelope, account: '+12025550100' })),
    };
  });
}

const HEADER = {
  v: 1,
  at: '2026-11-22T15:02:03Z',
  stream: '0123456789abcdef0123456789abcdef',
  t: 'content',
  ret: 'GRS-6.1-011',
  tag: '0123456789abcdef0123456789abcdef',
} as const;

function newEpoch(): Epoch {
  const id = randomBytes(32);
  return { id: id.toString('hex'), text: '', ratchet: new Ratchet(randomBytes(48), id) };
}

/** From the parts to the line and the body of a chained record. */
function sealAll(all: readonly Capture[]): number {
  const epoch = newEpoch();
  let prev = '0'.repeat(64);
  let bytes = 0;
  for (const [seq, capture] of all.entries()) {
    const prepared = prepareParts(capture);
    const header: Bodiless<ContentEntry> = { ...HEADER, seq, prev, ...sealedFields(epoch, prepared) };
    const body = sealBody(epoch, header.i, prepared.padded, associatedData(header));
    const line = renderHeader(header, body.ref);
    prev = entryId(line).toString('hex');
    bytes += line.length + body.bytes.length;
  }
  return bytes;
}

const hmac = (key: Buffer): Hmac => withRawKey(() => createHmac('sha384', key));

/** The primitives alone, on as many bytes, called as cheaply as we call them. */
function primitivesAll(all: readonly Capture[]): number {
  const epoch = randomBytes(32);
  const nonces = randomBytes(12);
  let chain: Buffer = randomBytes(48);
  let bytes = 0;
  for (const { cap, view, raw } of all) {
    const compressed = zstdCompressSync(Buffer.concat([cap, view, raw, PADDING]), ZSTD_LEVEL);
    const key = hmac(chain).update(ONE).update(epoch).digest();
    chain = hmac(chain).update(TWO).update(epoch).digest();
    const cipher = withRawKey(() => createCipheriv('aes-256-gcm', key.subarray(0, 32), nonces));
    const sealed = cipher.update(compressed);
    cipher.final();
    const tag = cipher.getAuthTag();
    bytes += hash('sha256', sealed, 'buffer').length + tag.length;
  }
  return bytes;
}

/** As many bytes as labels, salts and lengths take. */
const PADDING = randomBytes(111);
const ONE = Buffer.of(1);
const TWO = Buffer.of(2);

/** Processor time of this process: other processes' do not count. */
function cpuMs(run: () => unknown): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const all = captures();
const bytes = all.reduce((sum, { cap, view, raw }) => sum + cap.length + view.length + raw.length, 0);
console.log(`${RECORDS} records of ${Math.round(bytes / RECORDS)} bytes, ${ROUNDS} rounds, medians of processor time`);
const full: number[] = [];
const bare: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  full.push(cpuMs(() => sealAll(all)));
  bare.push(cpuMs(() => primitivesAll(all)));
}
const perRecord = (values: readonly number[]): string => ((median(values) / RECORDS) * 1000).toFixed(1);
const ratio = median(full.map((value, at) => (bare[at] ?? 0) / value));
tell([
  noted('sealed record', `${perRecord(full)} µs`),
  noted('bare primitives', `${perRecord(bare)} µs`),
  atLeast('ratio to bare primitives', ratio, TARGET),
]);
