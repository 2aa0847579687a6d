// SPDX-License-Identifier: AGPL-3.0-or-later
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { openCheckpoint } from '../../src/record/checkpoint.ts';
import { cosign, cosignerKey, encodeCosignerKey } from '../../src/record/cosignature.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { checkpointKey, segmentPrefix, timeStampKey, witnessKey } from '../../src/record/layout.ts';
import { encodeVerifierKey, parseNote } from '../../src/record/note.ts';
import { parseSegment } from '../../src/record/segment.ts';
import { encodeTimeStamp } from '../../src/record/time-stamp.ts';
import { timeStampRequest, tokenOf } from '../../src/timestamp/request.ts';
import { publishTiles } from '../prove/subject.ts';
import { ArchiveMaker, LONG_CLASS, temporaryFolder, TRUST } from '../support/archive-fixture.ts';
import { Authority, type SignerKind } from '../timestamp/authority.ts';
import { ORIGIN, signingPair, type SigningPair } from '../vectors/keys.ts';
import { MemoryArchive } from '../verify/memory-archive.ts';

// An archive with all that lies beside a log: tiles, a checkpoint that witnesses cosigned, a time stamp of a real authority.

const [ONE, TWO, THREE] = ['one', 'two', 'three'].map((name) => signingPair(`witness ${name}`)) as [
  SigningPair,
  SigningPair,
  SigningPair,
];
export const WITNESS_NAMES = new Map([
  [ONE, 'one.example'],
  [TWO, 'two.example'],
  [THREE, 'three.example'],
]);
export const WITNESSES = { ONE, TWO, THREE };
const vkey = (pair: SigningPair): string => encodeCosignerKey(cosignerKey(WITNESS_NAMES.get(pair) ?? '', pair.key));
export const WITNESS_LINES = [ONE, TWO, THREE].map((pair, at) => `witness w${at} ${vkey(pair)}\n`).join('');

/** Two of three, in words that a second reader may read otherwise: comments, tabs, addresses, a group within a group. */
export const POLICY = `# who must have cosigned\nlog ${encodeVerifierKey(TRUST.log)} https://log.example/\n${WITNESS_LINES}group\tinner any w1 w2\n\ngroup g all w0 inner\nquorum g\n`;
const COSIGNED_AT = Date.parse('2026-10-02T15:00:00Z') / 1000;

export const last = (archive: MemoryArchive): string => archive.get(checkpointKey(ORIGIN)).toString();

/** The checkpoint that the n-th segment carries. */
export function carried(archive: MemoryArchive, n: number): string {
  return parseSegment(archive.get(archive.keys(segmentPrefix(ORIGIN)).at(n) ?? '')).head.checkpoint;
}

/** Puts a checkpoint with cosignatures beside the log, as the archiver would. */
export function witnessed(archive: MemoryArchive, note: string, pairs: readonly SigningPair[], size?: number): string {
  const { text } = parseNote(note);
  const signed = pairs.map((pair) => cosign(text, WITNESS_NAMES.get(pair) ?? '', pair.privateKey, COSIGNED_AT));
  return keep(archive, Buffer.from(note + signed.join('')), note, size);
}

export function keep(
  archive: MemoryArchive,
  bytes: Buffer,
  note: string,
  size = openCheckpoint(note, TRUST.log).size,
): string {
  const key = witnessKey(ORIGIN, size, sha256Hex(bytes));
  archive.put(key, bytes);
  return key;
}

export interface StampOptions {
  readonly kind?: SignerKind;
  /** What is stamped instead of the checkpoint. */
  readonly over?: string;
  readonly size?: number;
  readonly by?: Authority;
  readonly crls?: readonly Buffer[];
  readonly certificates?: readonly Buffer[];
  readonly change?: (token: Buffer) => Buffer;
}

/** Authorities for a run of the corpus: one that is trusted, one that is not. */
export class Notary implements AsyncDisposable {
  readonly authority = new Authority();
  readonly other = new Authority();

  token(over: string, { kind = 'good', by = this.authority }: StampOptions = {}): Buffer {
    const able = kind === 'good' || kind === 'ec';
    const fresh = tokenOf(by.reply(timeStampRequest(Buffer.from(over), Buffer.alloc(8)), able ? kind : 'good'));
    return able ? fresh : by.resign(fresh, kind);
  }

  /** Puts a time stamp beside the log. */
  stamped(archive: MemoryArchive, checkpoint: string, options: StampOptions = {}): string {
    const { by = this.authority, over = checkpoint, certificates = [], change = (token) => token } = options;
    const token = change(this.token(over, options));
    const crls = options.crls ?? [by.makeCrl()];
    const bytes = Buffer.from(encodeTimeStamp({ checkpoint, token, certificates, crls }));
    const key = timeStampKey(ORIGIN, options.size ?? openCheckpoint(checkpoint, TRUST.log).size, sha256Hex(bytes));
    archive.put(key, bytes);
    return key;
  }

  der(kind: SignerKind, by = this.authority): Buffer {
    return execFileSync('openssl', ['x509', '-outform', 'DER'], { input: by.certificate(kind) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.authority[Symbol.asyncDispose]();
    await this.other[Symbol.asyncDispose]();
  }
}

/** Of a day and a half, so that what is cosigned can be out of date; and before today, so that a stamp of now is not too early. */
export async function attestedArchive(notary: Notary): Promise<MemoryArchive> {
  await using folder = await temporaryFolder();
  await using maker = new ArchiveMaker(folder.path);
  maker.nowMs = Date.parse('2026-10-01T09:00:00Z');
  await maker.start();
  const account = await maker.account('signal', '+12025550100', LONG_CLASS);
  for (let batch = 0; batch < 6; batch += 1) {
    await maker.say(account, ...Array.from({ length: 50 }, (_, n) => `message ${batch} ${n}`));
  }
  await maker.beat();
  await maker.archive();
  await maker.hour();
  await maker.archive();
  for (let hour = 0; hour < 27; hour += 1) await maker.hour();
  await maker.say(account, 'the end');
  await maker.archive();
  const path = join(folder.path, 'archive');
  await publishTiles(path);
  const archive = await MemoryArchive.of(path);
  witnessed(archive, last(archive), [ONE, TWO]);
  notary.stamped(archive, last(archive));
  archive.abilities = { versions: false, locks: false };
  return archive;
}
