// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openManifest, signersOf, type Manifest } from '../../src/record/manifest.ts';
import { parseTrust, type Trust } from '../../src/record/trust.ts';
import { DEPLOY } from './compose-file.ts';
import { PROJECT } from './image.ts';

const guide = readFileSync(join(DEPLOY, 'README.md'), 'utf8');
const directory = mkdtempSync(join(tmpdir(), 'holdfast-rotation-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** The commands of a section that need no service, in their order. */
function commandsOf(heading: string): string[][] {
  const [, rest = ''] = guide.split(`\n## ${heading}\n`);
  const [section = ''] = rest.split('\n## ');
  const lines = section
    .replaceAll(/ \\\n\s*/g, ' ')
    .matchAll(/^ +npx holdfast ((?:keygen|init|manifest|successor) [^#\n]*)/gm);
  return [...lines].map(([, words = '']) => words.trim().split(/ +/));
}

function run(words: readonly string[]): void {
  const ran = spawnSync(process.execPath, [join(PROJECT, 'src/main/cli.ts'), ...words], {
    cwd: directory,
    encoding: 'utf8',
  });
  expect([words.join(' '), ran.status, ran.status === 0 ? '' : ran.stderr]).toEqual([words.join(' '), 0, '']);
}

/** `manifest.json` is where `init` wrote it; whoever follows the guide has carried it along. */
function inOffice(words: readonly string[]): string[] {
  return words.map((word) => (word === 'manifest.json' ? 'office/manifest.json' : word));
}

const trustIn = (folder: string): Trust => parseTrust(readFileSync(join(directory, folder, 'trust.json'), 'utf8'));
const manifestIn = (file: string, { root, origin }: Trust): Manifest =>
  openManifest(readFileSync(join(directory, file), 'utf8').trim(), root, origin);

/** Key ids of those that a manifest names as readers. */
function readersOf(file: string, trust: Trust = trustIn('office')): string[] {
  const { recipients } = manifestIn(file, trust);
  return recipients.filter(({ role }) => role === 'reader').map(({ kid }) => kid);
}

/** Names of the connectors that a manifest names, by their key ids. */
function connectorsOf(file: string): Map<string, string> {
  const manifest = manifestIn(file, trustIn('office'));
  const names = manifest.signers.filter(({ role }) => role === 'connector').map(({ name }) => name);
  return new Map([...signersOf(manifest, 'connector').keys()].map((id, at) => [id, names[at] ?? '']));
}

describe('the guide to keys', () => {
  it('sets up, exchanges a connector’s and a reader’s key, and begins a log on a new key, by the commands it shows', () => {
    const setUp = commandsOf('Set it up for records');
    expect(setUp.length).toBeGreaterThan(8);
    for (const words of setUp) run(inOffice(words));
    const exchange = commandsOf('Exchanging a key');
    const commands = ['keygen', 'manifest', 'manifest', 'keygen', 'manifest', 'keygen', 'successor'];
    expect(exchange.map(([command]) => command)).toEqual(commands);
    const [old] = readersOf('office/manifest.json');
    for (const words of exchange) run(inOffice(words).map((word) => (word === 'FINGERPRINT' ? (old ?? '') : word)));
    expect(readersOf('manifest-reader.json')).toHaveLength(1);
    expect(readersOf('manifest-reader.json')).not.toContain(old);
    const next = trustIn('office-next');
    expect([next.before?.name, next.number]).toEqual([trustIn('office').origin, 1]);
    expect(readersOf('office-next/manifest.json', next)).toEqual(readersOf('manifest-reader.json'));
    const [before, both, after] = ['office/manifest.json', 'manifest-both.json', 'manifest-new.json'].map(connectorsOf);
    expect([...(before?.values() ?? [])]).toEqual(['connector-1']);
    expect([...(both?.values() ?? [])].toSorted()).toEqual(['connector-1', 'connector-1b']);
    expect([...(after?.values() ?? [])]).toEqual(['connector-1b']);
    expect(new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])])).toEqual(new Set(both?.keys()));
  }, 120_000);
});
