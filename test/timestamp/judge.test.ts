// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeTimeStamp, parseTimeStamp, type StoredTimeStamp } from '../../src/record/time-stamp.ts';
import { certificatesOf, timeStampJudge } from '../../src/timestamp/judge.ts';
import { timeStampRequest, tokenOf } from '../../src/timestamp/request.ts';
import { hostileText } from '../record/hostile.ts';
import { accepted, refusal } from '../record/refusal.ts';
import { sharedVectors } from '../vectors/shared.ts';
import { Authority, type SignerKind } from './authority.ts';

const CHECKPOINT = 'agency.example/log\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— signed\n';
const NONCE = Buffer.from('00112233445566ff', 'hex');

let authority: Authority;
let roots: X509Certificate[];

beforeAll(() => {
  authority = new Authority();
  roots = certificatesOf(authority.root);
});
afterAll(() => authority[Symbol.asyncDispose]());

const query = (text = CHECKPOINT): Buffer => timeStampRequest(Buffer.from(text), NONCE);
const token = (kind: SignerKind = 'good', text = CHECKPOINT): Buffer => tokenOf(authority.reply(query(text), kind));
const stampOf = (changes: Partial<StoredTimeStamp> = {}): StoredTimeStamp => ({
  checkpoint: CHECKPOINT,
  token: token(),
  certificates: [],
  crls: [authority.makeCrl()],
  ...changes,
});
const judge = (stamp: StoredTimeStamp, trusted = roots): ReturnType<ReturnType<typeof timeStampJudge>> =>
  timeStampJudge(trusted)(stamp);

describe('a time stamp', () => {
  it.each(['good', 'ec'] as const)('by a real authority holds, with a %s key', async (kind) => {
    const verdict = await judge(stampOf({ token: token(kind) }));
    const own = new X509Certificate(authority.certificate(kind));
    expect(verdict).toMatchObject({
      ok: true,
      signer: own.fingerprint256.replaceAll(':', '').toLowerCase(),
      revocationChecked: true,
    });
    expect(Math.abs((verdict.ok ? verdict.atMs : 0) - Date.now())).toBeLessThan(120_000);
  });

  it('holds without a revocation list, and says that there was none', async () => {
    expect(await judge(stampOf({ crls: [] }))).toMatchObject({ ok: true, revocationChecked: false });
  });

  it('is refused over something else', async () => {
    expect(await judge(stampOf({ token: token('good', 'another text') }))).toMatchObject({
      ok: false,
      check: 'imprint',
    });
    expect(await judge(stampOf({ checkpoint: `${CHECKPOINT} ` }))).toMatchObject({ ok: false, check: 'imprint' });
  });

  it('is refused from an authority that nobody trusts', async () => {
    await using other = new Authority();
    expect(await judge(stampOf(), certificatesOf(other.root))).toMatchObject({ ok: false, check: 'untrusted' });
    expect(await judge(stampOf(), [])).toMatchObject({ ok: false, check: 'untrusted' });
  });

  it.each([
    ['other-usage', 'usage'],
    ['two-usages', 'usage'],
    ['not-critical', 'usage'],
    ['expired', 'validity'],
  ] as const)('is refused by a signer of kind %s', async (kind, check) => {
    expect(await judge(stampOf({ token: authority.resign(token(), kind) }))).toMatchObject({ ok: false, check });
  });

  it('is refused where the signature does not name its certificate', async () => {
    expect(await judge(stampOf({ token: authority.resign(token(), 'good', false) }))).toMatchObject({
      ok: false,
      check: 'signer',
    });
  });

  it('is accepted where it was signed anew by a right certificate: the refusals are not the test’s doing', async () => {
    expect(await judge(stampOf({ token: authority.resign(token(), 'ec') }))).toMatchObject({ ok: true });
  });

  it('is refused where its signer had been revoked, by its issuer', async () => {
    await using other = new Authority();
    const trusted = certificatesOf(other.root);
    const early = tokenOf(other.reply(query()));
    const before = other.makeCrl();
    await new Promise((resolve) => setTimeout(resolve, 1100));
    other.revoke('good');
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const late = tokenOf(other.reply(query()));
    const after = other.makeCrl();
    const forged = authority.makeCrl();
    expect(await judge(stampOf({ token: late, crls: [after] }), trusted)).toMatchObject({
      ok: false,
      check: 'revoked',
    });
    expect(await judge(stampOf({ token: early, crls: [after] }), trusted)).toMatchObject({ ok: true });
    expect(await judge(stampOf({ token: late, crls: [before] }), trusted)).toMatchObject({ ok: true });
    expect(await judge(stampOf({ token: late, crls: [forged] }), trusted)).toMatchObject({ revocationChecked: false });
  });

  it('comes to an end with certificates that all issue one another, and with more than any authority has', async () => {
    await using other = new Authority();
    const [root] = certificatesOf(authority.root) as [X509Certificate];
    // The same authority's root, which issues itself: as many ways up as there are orders of the copies.
    const certificates = Array.from({ length: 60 }, () => Buffer.from(root.raw));
    const stamp = stampOf({ certificates });
    expect(await judge(stamp, certificatesOf(other.root))).toMatchObject({ ok: false, check: 'untrusted' });
    expect(await judge(stamp)).toMatchObject({ ok: true });
    const more = [...certificates, ...certificates];
    expect(await judge({ ...stamp, certificates: more })).toMatchObject({ ok: false, check: 'form' });
    expect(await judge({ ...stamp, certificates: [], crls: more })).toMatchObject({ ok: false, check: 'form' });
  });

  it('is refused where any bit of it is other, and never throws', { timeout: 240_000 }, async () => {
    const stamp = stampOf({ crls: [] });
    const whole = await judge(stamp);
    let held = 0;
    for (let at = 0; at < stamp.token.length; at += 3) {
      const changed = Buffer.from(stamp.token);
      changed[at] = (changed[at] as number) ^ (1 << (at % 8));
      const verdict = await judge({ ...stamp, token: changed });
      // Some bits are covered by nothing: a tag of a certificate nobody needs, a version. They change nothing that is said.
      if (verdict.ok) expect([((held += 1), verdict)]).toEqual([whole]);
    }
    expect(held).toBeLessThan(stamp.token.length / 30);
  });

  it('is refused where its bytes are anybody’s', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        const verdict = await judge(stampOfBytes(Buffer.from(bytes)));
        expect(verdict).toMatchObject({ ok: false, check: 'form' });
      }),
      { numRuns: 500, seed: 20_261_122 },
    );
  });

  it('of another project’s vectors, with a spoofed certificate put in, is not by that one', async () => {
    const response = sharedVectors('rfc3161/response-injected-certs.tsr');
    if (response === null) return;
    const verdict = await judge({ checkpoint: 'hello', token: tokenOf(response), certificates: [], crls: [] }, roots);
    expect(verdict).toMatchObject({ ok: false });
  });
});

const stampOfBytes = (bytes: Buffer): StoredTimeStamp => ({
  checkpoint: CHECKPOINT,
  token: bytes,
  certificates: [],
  crls: [],
});

describe('a stored time stamp', () => {
  it('is read as it was written, and refused with FormatError otherwise', () => {
    const stamp = { checkpoint: CHECKPOINT, token: Buffer.from('ab'), certificates: [Buffer.from('c')], crls: [] };
    const text = encodeTimeStamp(stamp);
    expect(parseTimeStamp(text)).toEqual(stamp);
    expect(refusal(() => parseTimeStamp(text.replace('YWI=', 'YWJ=')))).toBe('format/time-stamp');
    fc.assert(
      fc.property(hostileText(text), (near) => {
        const read = accepted(() => parseTimeStamp(near));
        if (read !== undefined) expect(encodeTimeStamp(read)).toBe(near);
      }),
      { numRuns: 2000, seed: 20_261_122 },
    );
  });
});
