// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/base/config.ts';
import { readTrusted } from '../../src/main/trusted.ts';
import { cosignerKey, encodeCosignerKey } from '../../src/record/cosignature.ts';
import { parseSigningKey } from '../../src/record/key.ts';
import { signersOf } from '../../src/record/manifest.ts';
import { hasQuorum, parsePolicy } from '../../src/record/policy.ts';
import { Guard } from '../services/guard.ts';
import { sharedCeremony, type Ceremony } from '../support/e2e-ceremony.ts';
import { runHoldfast, type Finished } from '../support/e2e-process.ts';

const ROLES = [
  'root',
  'log',
  'archiver',
  'connector',
  'officer',
  'reader-signing',
  'witness',
  'reader',
  'escrow',
  'host',
  'deployment',
];
const WITHOUT_PUBLIC_HALF = ['host', 'deployment'];

const guard = new Guard('cli-keys');
const run = (...args: string[]): Promise<Finished> => runHoldfast(args, { guard });
const modeOf = (file: string): string => (statSync(file).mode & 0o777).toString(8);
const codeIn = ({ stderr }: Finished): string => /^error (\S+)/m.exec(stderr)?.[1] ?? stderr;

let ceremony: Ceremony;

beforeAll(async () => {
  ceremony = await sharedCeremony({ guard });
}, 120_000);

afterAll(() => guard.end());

describe('keygen', () => {
  it('makes the key of every role for its holder’s eyes only, and never a second one over it', async () => {
    const dir = join(guard.dir, 'keys');
    await Promise.all(
      ROLES.map(async (role) => {
        const made = await run('keygen', role, '--out', dir);
        expect(made).toMatchObject({ code: 0, stderr: '' });
        const secret = readFileSync(join(dir, `${role}.key`), 'utf8');
        expect(modeOf(join(dir, `${role}.key`))).toBe('600');
        expect(made.stdout).not.toContain(secret.split('\n')[1] || secret.trim());
        expect(existsSync(join(dir, `${role}.pub`))).toBe(!WITHOUT_PUBLIC_HALF.includes(role));
        const again = await run('keygen', role, '--out', dir);
        expect([again.code, codeIn(again)]).toEqual([2, 'config/exists']);
        expect(readFileSync(join(dir, `${role}.key`), 'utf8')).toBe(secret);
      }),
    );
    expect(modeOf(dir)).toBe('700');
  }, 60_000);

  it('knows no other role', async () => {
    const refused = await run('keygen', 'admin', '--out', guard.dir);
    expect([refused.code, codeIn(refused)]).toEqual([2, 'config/key-unknown']);
  });
});

describe('init', () => {
  it('sets up an evaluation that the doctor finds well and that a second init does not touch', async () => {
    const dir = join(guard.dir, 'evaluation');
    const made = await run('init', dir, '--evaluation', '--json');
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(made.stdout)).toMatchObject({ evaluation: true, config: join(dir, 'holdfast.yaml') });
    const doctor = await run('doctor', '--config', join(dir, 'holdfast.yaml'), '--json');
    expect(doctor.code).toBe(0);
    expect(JSON.parse(doctor.stdout)).toMatchObject({ fails: 0 });
    expect(doctor.stdout).toContain('all keys made on one machine');
    const files = readdirSync(join(dir, 'keys')).map((file) => readFileSync(join(dir, 'keys', file), 'utf8'));
    const again = await run('init', dir, '--evaluation');
    expect([again.code, codeIn(again)]).toEqual([2, 'config/exists']);
    expect(readdirSync(join(dir, 'keys')).map((file) => readFileSync(join(dir, 'keys', file), 'utf8'))).toEqual(files);
  });

  it('takes no private key where a public one belongs, and names no log by itself', async () => {
    const { holder } = ceremony;
    const root = ['--root-key', join(holder('records'), 'root.key')];
    const nameless = await run('init', join(guard.dir, 'nameless'), ...root);
    expect([nameless.code, codeIn(nameless)]).toEqual([2, 'config/missing-part']);
    expect(nameless.stderr).toContain('--origin');
    const given = ['--origin', 'agency.example/log', '--reader', join(holder('legal'), 'reader.key')];
    const refused = await run('init', join(guard.dir, 'private'), ...root, ...given);
    expect([refused.code, codeIn(refused)]).toEqual([2, 'config/key-unusable']);
    expect(refused.stderr).toContain('a private key');
  });

  it('asks for each key that is missing', async () => {
    const refused = await run('init', join(guard.dir, 'nothing'), '--origin', 'agency.example/log');
    expect([refused.code, codeIn(refused)]).toEqual([2, 'config/missing-part']);
    expect(refused.stderr).toContain('--root-key');
  });

  it('says how a signer is named, and leaves nothing behind when it signs nothing', async () => {
    const { holder } = ceremony;
    const dir = join(guard.dir, 'twice');
    const pub = (name: Parameters<typeof holder>[0], role: string): string => join(holder(name), `${role}.pub`);
    const log = pub('archiver', 'log');
    const keys = [
      '--origin',
      'agency.example/log',
      '--root-key',
      join(holder('records'), 'root.key'),
      '--log',
      log,
      '--reader',
      pub('legal', 'reader'),
      '--escrow',
      pub('vault', 'escrow'),
      '--archiver',
      pub('archiver', 'archiver'),
    ];
    const nameless = await run('init', dir, ...keys, '--connector', log);
    expect([nameless.code, codeIn(nameless)]).toEqual([2, 'config/missing-part']);
    expect(nameless.stderr).toContain('name=file.pub');
    const connector = pub('connector', 'connector');
    const twice = await run('init', dir, ...keys, '--connector', `a=${connector}`, '--connector', `b=${connector}`);
    expect([twice.code, codeIn(twice)]).toEqual([2, 'format/manifest']);
    const lent = await run('init', dir, ...keys, '--officer', `a=${connector}`);
    expect([lent.code, codeIn(lent)]).toEqual([2, 'config/key-unproven']);
    expect(existsSync(join(dir, 'trust.json'))).toBe(false);
  });
});

describe('init with witnesses', () => {
  const pub = (file: string): string => join(guard.dir, 'watched', `${file}.pub`);
  const init = async (name: string, ...more: string[]): Promise<{ done: Finished; dir: string }> => {
    const { holder } = ceremony;
    const dir = join(guard.dir, name);
    const keys = ['reader', 'escrow', 'log', 'archiver'].flatMap((role) => [`--${role}`, pub(role)]);
    const root = ['--origin', 'agency.example/log', '--root-key', join(holder('records'), 'root.key')];
    return { dir, done: await run('init', dir, ...root, ...keys, ...more) };
  };

  beforeAll(async () => {
    const roles = ['reader', 'escrow', 'log', 'archiver', 'witness'];
    const made = roles.map((role) => run('keygen', role, '--out', join(guard.dir, 'watched')));
    for (const one of await Promise.all(made)) expect(one).toMatchObject({ code: 0 });
  }, 60_000);

  it('names them in manifest, policy and config at once, and takes a C2SP verifier key as well', async () => {
    const vkey = encodeCosignerKey(cosignerKey('gao.example', parseSigningKey(Buffer.alloc(32, 3))));
    const own = `ig.example=${pub('witness')}@https://ig.example:8443/holdfast`;
    const { dir, done } = await init(
      'two',
      '--witness',
      own,
      '--witness',
      `${vkey}@http://gao.example`,
      '--quorum',
      '1',
    );
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(done.stdout).toContain(join(dir, 'policy.txt'));
    const config = loadConfig(join(dir, 'holdfast.yaml'));
    expect(config.witnesses).toEqual([
      { name: 'ig.example', url: 'https://ig.example:8443/holdfast' },
      { name: 'gao.example', url: 'http://gao.example' },
    ]);
    const policy = parsePolicy(readFileSync(join(dir, 'policy.txt')));
    const { manifest } = readTrusted(config);
    expect(policy.witnesses.map(({ key: { id } }) => id)).toEqual([...signersOf(manifest, 'witness').keys()]);
    expect([...policy.urls.values()]).toEqual(config.witnesses.map(({ url }) => url));
    expect([hasQuorum(policy, []), hasQuorum(policy, policy.witnesses.slice(1))]).toEqual([false, true]);
  });

  it('takes no key whose holder has not signed for it as a witness’s, unless that is asked', async () => {
    const bare = pub('bare');
    writeFileSync(bare, readFileSync(pub('witness'), 'utf8').replace(/^holdfast possession .*\n/m, ''));
    for (const file of [bare, pub('archiver')]) {
      const { done, dir } = await init('unproven', '--witness', `ig.example=${file}@http://ig.example`);
      expect([done.code, codeIn(done), existsSync(dir)]).toEqual([2, 'config/key-unproven', false]);
    }
    const asked = await init('asked', '--witness', `ig.example=${bare}@http://ig.example`, '--unproven');
    expect(asked.done).toMatchObject({ code: 0 });
  });

  it('wants to know where they are, and no quorum that cannot be', async () => {
    const nowhere = await init('nowhere', '--witness', `ig.example=${pub('witness')}`);
    expect([nowhere.done.code, codeIn(nowhere.done)]).toEqual([2, 'config/missing-part']);
    const own = `ig.example=${pub('witness')}@http://ig.example`;
    const many = await init('many', '--witness', own, '--quorum', '2');
    expect([many.done.code, codeIn(many.done)]).toEqual([2, 'format/policy']);
    expect(existsSync(join(many.dir, 'trust.json'))).toBe(false);
  });
});

describe('a mistyped command', () => {
  it('never ends with the code that says findings', async () => {
    expect((await run('verify', 'file:///nowhere')).code).toBe(2);
    expect((await run('verify', '--help')).code).toBe(0);
  });
});
