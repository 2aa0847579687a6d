// SPDX-License-Identifier: AGPL-3.0-or-later
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig, type Config } from '../../src/base/config.ts';
import { configTemplate } from '../../src/cli/config-template.ts';
import { policyText } from '../../src/cli/policy.ts';
import { checkAttestations } from '../../src/main/check-attestations.ts';
import type { Check } from '../../src/main/check.ts';
import type { Trusted } from '../../src/main/trusted.ts';
import { cosignerKey } from '../../src/record/cosignature.ts';
import type { Signer } from '../../src/record/manifest.ts';
import { noteKey } from '../../src/record/note.ts';
import { temporaryDirectory } from '../support/spool-kit.ts';
import { Authority } from '../timestamp/authority.ts';
import { ORIGIN, ROOT, signingPair } from '../vectors/keys.ts';
import { freePort } from '../services/ports.ts';
import { GrowingLog, LOG_KEY, RunningWitness, WITNESS, WITNESS_KEY, WITNESS_NAME } from '../witness/kit.ts';

const OTHER = signingPair('another witness');

function trusted(witnesses: readonly Signer[], evaluation = false): Trusted {
  const manifest = { origin: ORIGIN, n: 0, at: '2026-11-22T09:00:00Z', previous: null, evaluation, recipients: [] };
  return {
    trust: { origin: ORIGIN, root: ROOT.key, log: LOG_KEY },
    manifest: { ...manifest, signers: witnesses },
    document: '',
  };
}

const signer = (name: string, { key }: { key: { raw: Buffer } }): Signer => ({
  role: 'witness',
  name,
  pub: key.raw.toString('base64'),
});
const NAMED = trusted([signer(WITNESS_NAME, WITNESS)]);

function config(witnesses: readonly { name: string; url: string }[], more: Partial<Config> = {}): Config {
  return { ...parseConfig(configTemplate(ORIGIN, witnesses), '/etc/holdfast.yaml'), ...more };
}

async function only(checks: Promise<Check[]>): Promise<Pick<Check, 'level' | 'got'>> {
  const [{ level, got } = { level: 'fail' as const, got: 'nothing' }, ...more] = await checks;
  expect(more).toEqual([]);
  return { level, got };
}

describe('what the doctor sees of witnesses', () => {
  let witness: RunningWitness;
  beforeAll(async () => void (witness = await RunningWitness.start()));
  afterAll(() => witness[Symbol.asyncDispose]());
  const look = (name = WITNESS_NAME, who = NAMED, url = witness.url) =>
    only(checkAttestations(config([{ name, url }], { keys: {} }), who, null));

  it('is how much one cosigned, and nothing is asked of it', async () => {
    expect(await look()).toEqual({ level: 'ok', got: 'answers; nothing of this log cosigned yet' });
    await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body: new GrowingLog(7).body(0) });
    expect(await look()).toEqual({ level: 'ok', got: 'cosigned 7 leaves' });
    expect(witness.told.sizes).toEqual([7]);
  });

  it('is one that does not answer, is no witness, signs with another key, or that no manifest names', async () => {
    expect(await look(WITNESS_NAME, NAMED, `http://127.0.0.1:${await freePort()}`)).toEqual({
      level: 'fail',
      got: 'ECONNREFUSED',
    });
    expect(await look(WITNESS_NAME, NAMED, `${witness.url}/elsewhere`)).toMatchObject({
      level: 'fail',
      got: 'status 404',
    });
    const wrong = trusted([signer(WITNESS_NAME, OTHER)]);
    expect(await look(WITNESS_NAME, wrong)).toMatchObject({
      level: 'fail',
      got: expect.stringContaining('no checkpoint'),
    });
    expect(await look('nobody.example')).toMatchObject({ level: 'fail' });
  });

  it('is one that is named and that nobody asks, where the log is written', async () => {
    expect(await only(checkAttestations(config([]), NAMED, null))).toMatchObject({ level: 'note' });
    expect(await checkAttestations(config([], { keys: {} }), NAMED, null)).toEqual([]);
  });

  it('is a witness of its own process, outside of an evaluation', async () => {
    const ownWitness = { name: WITNESS_NAME, key: '/nowhere', directory: '/nowhere' };
    const told = await only(checkAttestations(config([], { ownWitness }), NAMED, null));
    expect(told).toEqual({ level: 'fail', got: 'one in the process that it watches' });
  });
});

describe('what the doctor sees of a policy', () => {
  const look = (text: string): Promise<Pick<Check, 'level' | 'got'>> => {
    const file = join(temporaryDirectory(), 'policy.txt');
    writeFileSync(file, text);
    return only(checkAttestations(config([], { keys: {} }), NAMED, file));
  };
  const own = { key: WITNESS_KEY, url: null };
  const other = { key: cosignerKey('other.example', OTHER.key), url: null };
  const log = { origin: ORIGIN, log: LOG_KEY };

  it('is whether witnesses of the manifest can make its quorum', async () => {
    expect((await look(policyText(log, [own]))).level).toBe('ok');
    expect((await look(policyText(log, [own, other], 1))).level).toBe('ok');
    expect(await look(policyText(log, [own, other]))).toEqual({ level: 'fail', got: '1 of 2' });
    expect((await look('quorum none\n')).level).toBe('ok');
  });

  it('is one of another log, one that is none, and one that is not there', async () => {
    const others = policyText({ origin: 'other.example', log: noteKey('other.example', ROOT.key) }, [own]);
    expect((await look(others)).level).toBe('fail');
    expect((await look('witness\n')).level).toBe('fail');
    expect((await only(checkAttestations(config([], { keys: {} }), NAMED, '/nowhere/policy.txt'))).got).toBe('ENOENT');
  });
});

describe('what the doctor sees of time-stamping authorities', () => {
  let authority: Authority;
  let url: string;
  beforeAll(async () => {
    authority = new Authority();
    url = await authority.listen();
  });
  afterAll(() => authority[Symbol.asyncDispose]());
  const look = (crls: string[], at = url, root = authority.root) => {
    const ca = join(temporaryDirectory(), 'ca.pem');
    writeFileSync(ca, root);
    return only(checkAttestations(config([], { keys: {}, timeStamps: [{ url: at, ca, crls }] }), NAMED, null));
  };

  it('is one that stamps, and whether its revocation list is kept', async () => {
    expect((await look([`${url}/crl`])).level).toBe('ok');
    expect((await look([])).level).toBe('note');
  });

  it('is one that does not answer, or whose root is another', async () => {
    const away = `http://127.0.0.1:${await freePort()}/`;
    expect(await look([], away)).toEqual({ level: 'fail', got: 'ECONNREFUSED' });
    await using stranger = new Authority();
    expect((await look([], url, stranger.root)).level).toBe('fail');
  });
});
