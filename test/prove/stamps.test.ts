// SPDX-License-Identifier: AGPL-3.0-or-later
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkBundle } from '../../src/prove/check.ts';
import { derive } from '../../src/prove/derive.ts';
import { CORE, CORE_NAMES, STAMPS, type Files } from '../../src/prove/files.ts';
import { judgeStamps } from '../../src/prove/judge-stamps.ts';
import { statedTime } from '../../src/prove/token.ts';
import { sha256 } from '../../src/record/hash.ts';
import { parseTimeStamp, type TimeStampJudge } from '../../src/record/time-stamp.ts';
import type { TimeAuthority } from '../../src/timestamp/ask.ts';
import { certificatesOf, timeStampJudge } from '../../src/timestamp/judge.ts';
import { temporaryFolder, TRUST } from '../support/archive-fixture.ts';
import { Authority } from '../timestamp/authority.ts';
import { bundleOf, lay, madeArchive, middleLeaf, publishTiles, recordsOf, stampArchive, stepsOf } from './subject.ts';

const run = promisify(execFile);
let folder: { path: string } & AsyncDisposable;
let authorities: Authority[];
let archive: string;
let files: Map<string, Buffer>;
let judge: TimeStampJudge;

async function own(authority: Authority): Promise<TimeAuthority> {
  const url = await authority.listen();
  return { url, certificates: certificatesOf(authority.root), crls: [`${url}/crl`] };
}

beforeAll(async () => {
  folder = await temporaryFolder();
  archive = await madeArchive(folder.path);
  await publishTiles(archive);
  authorities = [new Authority(), new Authority()];
  for (const authority of authorities) await stampArchive(archive, await own(authority));
  judge = timeStampJudge(authorities.flatMap(({ root }) => certificatesOf(root)));
  files = await bundleOf(archive, await middleLeaf(archive));
}, 60_000);
afterAll(async () => {
  for (const authority of authorities) await authority[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** What both checks say. */
async function codesOf(changed: Files): Promise<string[]> {
  const { findings } = await judgeStamps(changed, judge);
  return [...checkBundle(changed, { trust: TRUST }).findings, ...findings].map(({ code }) => code);
}

const remade = (core: Files): Files => {
  const own = new Map([...core].filter(([name]) => CORE_NAMES.has(name)));
  return new Map([...own, ...derive(own)]);
};

describe('time stamps of a bundle', () => {
  test('are there for every record, by each authority, and hold by our checks', async () => {
    for (const { leaf } of await recordsOf(archive)) {
      const made = await bundleOf(archive, leaf);
      expect(STAMPS.filter((name) => made.has(name))).toEqual(['stamp-1.json', 'stamp-2.json']);
      expect([leaf, await codesOf(made)]).toEqual([leaf, []]);
    }
    const { stamps } = await judgeStamps(files, judge);
    expect(stamps.map(({ revocationChecked }) => revocationChecked)).toEqual([true, true]);
    expect(await judgeStamps(files, null)).toMatchObject({ findings: [], stamps: [{ at: null }, { at: null }] });
  });

  test('hold by the commands of the README, exactly as they stand there', async () => {
    await using laid = await temporaryFolder();
    await lay(files, laid.path);
    const steps = stepsOf(files.get('README.txt')?.toString() ?? '');
    expect(steps).toHaveLength(9);
    for (const { command, prints } of steps) {
      const { stdout } = await run('sh', ['-c', command], { cwd: laid.path });
      expect(stdout.trimEnd().split('\n'), command).toEqual(prints);
    }
  });

  test('do not hold under roots of others', async () => {
    await using stranger = new Authority();
    const { findings } = await judgeStamps(files, timeStampJudge(certificatesOf(stranger.root)));
    expect(findings.map(({ code }) => code)).toEqual(['proof/stamp', 'proof/stamp']);
  });

  test('do not hold for another record, over another checkpoint, or by half', async () => {
    const other = await bundleOf(archive, (await recordsOf(archive))[0]?.leaf ?? 0);
    const forged: readonly (readonly [string, (copy: Map<string, Buffer>) => void, readonly string[]])[] = [
      [
        'the proof of another',
        (copy) => copy.set(CORE.stampProof, other.get(CORE.stampProof) ?? Buffer.alloc(0)),
        ['proof/stamp'],
      ],
      ['no proof', (copy) => void copy.delete(CORE.stampProof), ['proof/file-missing']],
      ['what is no stamp', (copy) => copy.set('stamp-2.json', Buffer.from('{}')), ['proof/stamp']],
      [
        'a token over something else',
        (copy) => {
          const text = files.get('stamp-1.json')?.toString() ?? '';
          const { checkpoint } = parseTimeStamp(text);
          const changed = text.replace(JSON.stringify(checkpoint), JSON.stringify(checkpoint.replace('\n', '/x\n')));
          copy.set('stamp-1.json', Buffer.from(changed));
        },
        ['proof/stamp', 'proof/stamp'],
      ],
    ];
    for (const [what, change, codes] of forged) {
      const copy = new Map(files);
      change(copy);
      expect([what, await codesOf(copy)]).toEqual([what, codes]);
    }
  });

  test('do not hold where a byte of a token is another, though all that follows from it was made anew', async () => {
    const text = files.get('stamp-1.json')?.toString() ?? '';
    const { token, checkpoint } = parseTimeStamp(text);
    const imprint = token.indexOf(sha256(checkpoint));
    // Behind the imprint come number and time; at the end stands the signature.
    for (const at of [imprint, imprint + 40, token.length - 30]) {
      const changed = Buffer.from(token);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const stamp = Buffer.from(text.replace(token.toString('base64'), changed.toString('base64')));
      expect(await codesOf(remade(new Map([...files, ['stamp-1.json', stamp]])))).toEqual(['proof/stamp']);
    }
  });
});

describe('the time that a token states', () => {
  test('is the one that openssl prints', async () => {
    const { token } = parseTimeStamp(files.get('stamp-1.json')?.toString() ?? '');
    await using laid = await temporaryFolder();
    await lay(new Map([['token', token]]), laid.path);
    const { stdout } = await run('openssl', ['ts', '-reply', '-in', 'token', '-token_in', '-text'], { cwd: laid.path });
    expect(stdout).toContain(`Time stamp: ${statedTime(token)}`);
  });

  test('is none of bytes that are no token, whatever they are', () => {
    const { token } = parseTimeStamp(files.get('stamp-1.json')?.toString() ?? '');
    fc.assert(
      fc.property(fc.nat(token.length), fc.uint8Array({ maxLength: 40 }), (at, bytes) => {
        const found = statedTime(Buffer.concat([token.subarray(0, at), bytes]));
        expect(found === null || typeof found === 'string').toBe(true);
      }),
    );
    expect([statedTime(Buffer.alloc(0)), statedTime(Buffer.from('no token'))]).toEqual([null, null]);
  });
});
