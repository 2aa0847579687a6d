// SPDX-License-Identifier: AGPL-3.0-or-later
import { execFile, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { encodeVerifierKey } from '../../src/record/note.ts';
import type { Trust } from '../../src/record/trust.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { ROOT } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';

const TOOLS = fileURLToPath(new URL('../../tools', import.meta.url));
const SERVER = fileURLToPath(new URL('second.py', import.meta.url));
const TIMEOUT_MS = 120_000;

export interface SecondReport {
  readonly headline: string;
  readonly exitCode: number;
  readonly findings: readonly SecondFound[];
  readonly unchecked: readonly SecondFound[];
  readonly notes: readonly SecondFound[];
}

interface SecondFound {
  readonly code: string;
  readonly count: number;
}

/**
 * Lays an archive out in a folder as an auditor would have it: the first version of each object under its key. Where the store shows versions
 * and locks, a listing names them all, and later versions lie in a folder of their own.
 */
export async function layOut(archive: MemoryArchive, folder: string): Promise<string[]> {
  const seen = new Map<string, number>();
  const lines: string[] = [];
  const versions = (await Array.fromAsync(archive.listVersions(''))).toReversed();
  for (const { key, version, size, deleteMarker: marker } of versions) {
    const count = seen.get(key) ?? 0;
    seen.set(key, count + 1);
    const file = count === 0 ? key : `.versions/${lines.length}`;
    const lock = marker ? null : ((await archive.state(key, version))?.lock ?? null);
    lines.push(JSON.stringify({ key, version, size, marker, lock, file }));
    if (marker) continue;
    const bytes = Buffer.concat(await Array.fromAsync(await archive.readStream(key, version)));
    await mkdir(dirname(join(folder, 'archive', file)), { recursive: true });
    await writeFile(join(folder, 'archive', file), bytes);
  }
  await mkdir(join(folder, 'archive'), { recursive: true });
  if (!archive.abilities.versions) return [];
  await writeFile(join(folder, 'listing'), `${lines.toReversed().join('\n')}\n`);
  return ['--listing', join(folder, 'listing')];
}

/** What an auditor has from elsewhere. */
export interface AuditorHas {
  readonly since?: string | undefined;
  readonly policy?: string | undefined;
  /** PEM. */
  readonly roots?: string | undefined;
  /** That of the small archive, if left out. */
  readonly trust?: Trust | undefined;
}

/** Lays an archive and its trust file out in a new folder. Gives what `tools/verify.py` is called with. */
export async function argumentsFor(archive: MemoryArchive, folder: string, has: AuditorHas = {}): Promise<string[]> {
  const { origin, log, before, number } = has.trust ?? TRUST;
  const args = [
    join(folder, 'archive'),
    '--trust',
    join(folder, 'trust.json'),
    '--json',
    ...(await layOut(archive, folder)),
  ];
  const trust = {
    v: 1,
    origin,
    root: ROOT.key.raw.toString('base64'),
    log: encodeVerifierKey(log),
    ...(before === undefined ? {} : { before: encodeVerifierKey(before), number }),
  };
  await writeFile(join(folder, 'trust.json'), JSON.stringify(trust));
  const given = { '--since': has.since, '--policy': has.policy, '--tsa-ca': has.roots };
  for (const [option, text] of Object.entries(given)) {
    if (text === undefined) continue;
    args.push(option, join(folder, option.slice(2)));
    await writeFile(join(folder, option.slice(2)), text);
  }
  return args;
}

/** `tools/verify.py` in one process for many archives, so that its start is paid once. A crash of it is an error here. */
export class SecondVerifier implements Disposable {
  readonly #process = spawn('python3', [SERVER, TOOLS], { stdio: ['pipe', 'pipe', 'inherit'] });
  readonly #answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  #turn: Promise<unknown> = Promise.resolve();

  verify(args: readonly string[]): Promise<SecondReport> {
    const answer = this.#turn.then(() => this.#ask(args));
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  async #ask(args: readonly string[]): Promise<SecondReport> {
    this.#process.stdin.write(`${JSON.stringify(args)}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error('the second verifier ended');
    const { crash, exitCode, report } = JSON.parse(value) as { crash?: string; exitCode: number; report: SecondReport };
    if (crash !== undefined) throw new Error(crash);
    if (exitCode !== report.exitCode) throw new Error(`ended with ${exitCode} and said ${report.exitCode}`);
    return report;
  }

  [Symbol.dispose](): void {
    this.#process.stdin.end();
  }
}

/** The command itself: exit code and what it printed. */
export async function runVerifyPy(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return await new Promise((resolve) => {
    execFile('python3', [join(TOOLS, 'verify.py'), ...args], { timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}
