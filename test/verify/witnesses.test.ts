// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint, signCheckpoint } from '../../src/record/checkpoint.ts';
import { cosign } from '../../src/record/cosignature.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { checkpointKey, segmentPrefix, witnessKey } from '../../src/record/layout.ts';
import { encodeVerifierKey, noteKey, parseNote } from '../../src/record/note.ts';
import { parsePolicy, type Policy } from '../../src/record/policy.ts';
import { parseSegment } from '../../src/record/segment.ts';
import { renderText } from '../../src/verify/render.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { LOG, ORIGIN, ROOT, type SigningPair } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { relog } from './relog.ts';
import { WITNESSES, WITNESS_LINES, WITNESS_NAMES } from '../tamper/beside.ts';
import { toBucket } from '../tamper/versions.ts';
import { codesAfter, codesOf, flip, notesOf, smallArchive, verify } from './subject.ts';

const { ONE, TWO, THREE } = WITNESSES;
const POLICY: Policy = parsePolicy(
  `log ${encodeVerifierKey(TRUST.log)}\n${WITNESS_LINES}group g 2 w0 w1 w2\nquorum g\n`,
);
const AT = Date.parse('2026-11-22T15:00:00Z') / 1000;

/** Puts a checkpoint with cosignatures beside the log, as the archiver would. */
function witnessed(archive: MemoryArchive, note: string, pairs: readonly SigningPair[], size?: number): string {
  const { text } = parseNote(note);
  const bytes = Buffer.from(
    note + pairs.map((pair) => cosign(text, WITNESS_NAMES.get(pair) ?? '', pair.privateKey, AT)).join(''),
  );
  const key = witnessKey(ORIGIN, size ?? openCheckpoint(note, TRUST.log).size, sha256Hex(bytes));
  archive.put(key, bytes);
  return key;
}

describe('what witnesses cosigned', () => {
  let archive: MemoryArchive;
  let last: string;
  /** The checkpoint that an early segment carries. */
  let early: string;

  beforeAll(async () => {
    archive = await smallArchive();
    last = archive.get(checkpointKey(ORIGIN)).toString();
    const [, second = ''] = archive.keys(segmentPrefix(ORIGIN));
    early = parseSegment(archive.get(second)).head.checkpoint;
  });

  test('is reported, with and without a policy', async () => {
    const copy = archive.clone();
    witnessed(copy, last, [ONE]);
    const key = witnessed(copy, last, [TWO]);
    expect(key).toMatch(/\/witness\/\d{16}-[0-9a-f]{16}$/);
    const report = await verify(copy, { policy: POLICY });
    expect([codesOf(report), notesOf(report), report.exitCode]).toEqual([[], [], 0]);
    expect(report.witnesses).toEqual({
      size: report.size,
      at: '2026-11-22T15:00:00Z',
      by: ['one.example', 'two.example'],
      of: 3,
      quorum: 'met',
    });
    expect(renderText(report)).toContain(
      `witnesses  ${report.size} leaves cosigned by 2 of 3 (one.example, two.example), 2026-11-22T15:00:00Z, as the policy asks`,
    );
  });

  test('is nobody’s without a policy or a manifest that knows them', async () => {
    const copy = archive.clone();
    witnessed(copy, last, [ONE]);
    const report = await verify(copy);
    expect([codesOf(report), notesOf(report)]).toEqual([[], ['verify/witness-unknown']]);
    expect(report.witnesses.quorum).toBe('no policy');
  });

  test('is a finding where it is less than the policy asks for', async () => {
    expect(codesOf(await verify(archive, { policy: POLICY }))).toEqual(['verify/quorum-missing']);
    expect(await codesAfter(archive, (copy) => void witnessed(copy, last, [ONE]), { policy: POLICY })).toEqual([
      'verify/quorum-missing',
    ]);
    const none = parsePolicy(`log ${encodeVerifierKey(TRUST.log)}\n${WITNESS_LINES}quorum none\n`);
    expect(codesOf(await verify(archive, { policy: none }))).toEqual([]);
  });

  test('is a note where the newest leaves are not cosigned, and a finding after a day', async () => {
    const copy = archive.clone();
    witnessed(copy, early, [ONE, TWO]);
    const report = await verify(copy, { policy: POLICY });
    const codes = [...codesOf(report), ...notesOf(report)];
    // The fixture's archive is of a few hours.
    expect(codes).toEqual(['verify/quorum-behind']);
    expect(report.witnesses.size).toBe(openCheckpoint(early, TRUST.log).size);
  });

  test('is a finding where a day of the log went by without it', async () => {
    const copy = archive.clone();
    witnessed(copy, early, [ONE, TWO]);
    relog(copy, ({ segments }) => {
      const newest = segments.at(-1);
      if (newest === undefined) return;
      newest.at = '2026-11-24T09:00:00Z';
      newest.own = newest.own.map((entry) => ({ ...entry, at: newest.at }));
    });
    // The same log up to the size that was cosigned: only the end is later.
    const codes = codesOf(await verify(copy, { policy: POLICY }));
    expect(codes).toContain('verify/quorum-stale');
    expect(codes).not.toContain('verify/witness-fork');
  });

  test('is held against the log: a fork and a rollback are findings though every signature is right', async () => {
    const { size, root } = openCheckpoint(last, TRUST.log);
    const forked = signCheckpoint({ origin: ORIGIN, size: size - 1, root }, LOG.privateKey);
    const longer = signCheckpoint({ origin: ORIGIN, size: size + 9, root }, LOG.privateKey);
    for (const options of [{}, { policy: POLICY }]) {
      const add = (note: string) => (copy: MemoryArchive) => {
        witnessed(copy, last, [ONE, TWO]);
        witnessed(copy, note, [ONE, TWO, THREE]);
      };
      expect(await codesAfter(archive, add(forked), options)).toEqual(['verify/witness-fork']);
      expect(await codesAfter(archive, add(longer), options)).toEqual(['verify/witness-rollback']);
    }
  });

  test('is a finding where a cosignature does not verify', async () => {
    const change = (copy: MemoryArchive): void => {
      witnessed(copy, last, [ONE, TWO]);
      const good = parseNote(copy.get(witnessed(copy, last, [THREE])));
      const line = good.signatures.at(-1);
      const body = Buffer.concat([line?.hash ?? Buffer.alloc(0), flip(line?.signature ?? Buffer.alloc(1), -1)]);
      const bytes = Buffer.from(`${last}— three.example ${body.toString('base64')}\n`);
      copy.put(witnessKey(ORIGIN, openCheckpoint(last, TRUST.log).size, sha256Hex(bytes)), bytes);
    };
    expect(await codesAfter(archive, change, { policy: POLICY })).toEqual(['verify/witness-signature']);
  });

  test('is a finding where the object was changed in any byte', async () => {
    const copy = archive.clone();
    const key = witnessed(copy, last, [ONE, TWO]);
    const bytes = copy.get(key);
    for (let at = 0; at < bytes.length; at += 11) {
      copy.put(key, flip(bytes, at));
      const codes = codesOf(await verify(copy, { policy: POLICY, payloads: false, workers: 0 }));
      expect(codes, `byte ${at}`).toEqual(['verify/witness-malformed', 'verify/quorum-missing']);
    }
  });

  test('is a finding under another size, another name, or when the log did not sign it', async () => {
    const { size, root } = openCheckpoint(last, TRUST.log);
    const unsigned = signCheckpoint({ origin: ORIGIN, size, root }, ROOT.privateKey);
    const add = (note: string, as?: number) => (copy: MemoryArchive) => void witnessed(copy, note, [ONE, TWO], as);
    expect(await codesAfter(archive, add(last, size - 1))).toEqual(['verify/witness-malformed']);
    expect(await codesAfter(archive, add(unsigned, size))).toEqual(['verify/witness-malformed']);
    expect(await codesAfter(archive, (copy) => copy.put(`log/${ORIGIN}/witness/x`, 'x'))).toEqual([
      'verify/version-unknown-key',
    ]);
  });

  test('is a finding where it is hidden, replaced or not locked', async () => {
    const base = archive.clone();
    const key = witnessed(base, last, [ONE, TWO]);
    expect(await codesAfter(base, (copy) => copy.addDeleteMarker(key))).toEqual(['verify/version-delete-marker']);
    expect(await codesAfter(base, (copy) => copy.addVersion(key, Buffer.from('x')))).toEqual([
      'verify/version-other-bytes',
    ]);
    expect(await codesAfter(base, (copy) => copy.addVersion(key, copy.get(key)))).toEqual([]);
  });

  test('is locked for as long as the longest schedule of its size, where the store locks', async () => {
    const bucket = archive.clone();
    toBucket(bucket);
    const newest = bucket.get(checkpointKey(ORIGIN)).toString();
    const [, second = ''] = bucket.keys(segmentPrefix(ORIGIN));
    const keys = [newest, parseSegment(bucket.get(second)).head.checkpoint].map((note) =>
      witnessed(bucket, note, [ONE]),
    );
    const locked = (lock: Parameters<MemoryArchive['lock']>[1]) => (copy: MemoryArchive) =>
      keys.forEach((key) => copy.lock(key, lock));
    const strict = (until: string) => locked({ mode: 'COMPLIANCE', until });
    expect(await codesAfter(bucket, locked(null))).toEqual(['verify/lock-missing']);
    expect(await codesAfter(bucket, strict('2034-01-01T00:00:00Z'))).toEqual([]);
    // Of the classes of this archive one is kept for three years and one for seven.
    expect(await codesAfter(bucket, strict('2031-01-01T00:00:00Z'))).toEqual(['verify/lock-short']);
    expect(await codesAfter(bucket, locked({ mode: 'GOVERNANCE', until: '2034-01-01T00:00:00Z' }))).toEqual([
      'verify/lock-mode',
    ]);
  });

  test('could not be judged under a policy for another log', async () => {
    const other = parsePolicy(
      `log ${encodeVerifierKey(noteKey('other.example', ROOT.key))}\n${WITNESS_LINES}quorum none\n`,
    );
    expect(codesOf(await verify(archive, { policy: other }))).toEqual(['verify/policy-other-log']);
  });
});
