// SPDX-License-Identifier: AGPL-3.0-or-later
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { explain } from '../../src/cli/output.ts';
import { readOwnTrust, readTrust, readTrusted } from '../../src/main/trusted.ts';
import { LOG, ORIGIN, ROOT } from '../vectors/keys.ts';
import { encodeVerifierKey, noteKey } from '../../src/record/note.ts';
import { temporaryDirectory } from '../support/spool-kit.ts';

function trustText(): string {
  const log = encodeVerifierKey(noteKey(ORIGIN, LOG.key));
  return JSON.stringify({ v: 1, origin: ORIGIN, root: ROOT.key.raw.toString('base64'), log });
}

function told(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    return explain(error);
  }
  return 'nothing';
}

describe('a file of trust that cannot be used', () => {
  it.each([
    ['format/trust', () => '{}'],
    ['format/note-key', () => trustText().replace(/"log":"[^"]*"/, '"log":"no key"')],
  ])('is told with %s, which file it is, and what to do', (code, text) => {
    const trust = join(temporaryDirectory(), 'trust.json');
    writeFileSync(trust, text());
    const said = told(() => readTrust(trust));
    expect(said).toContain(code);
    expect(said).toContain(`  where     ${trust}`);
    expect(said).toMatch(/^ {2}do {8}get the trust file again/m);
  });

  it('is told with config/trust where it is of another log than the config’s', () => {
    const trust = join(temporaryDirectory(), 'trust.json');
    writeFileSync(trust, trustText());
    expect(readOwnTrust({ trust, origin: ORIGIN }).origin).toBe(ORIGIN);
    const said = told(() => readOwnTrust({ trust, origin: 'archive.example/other' }));
    expect(said).toContain('config/trust');
    expect(said).toMatch(/^ {2}do {8}set `origin` to the log of the trust file/m);
  });

  it('or with format/manifest', () => {
    const directory = temporaryDirectory();
    const [trust, manifest] = [join(directory, 'trust.json'), join(directory, 'manifest.json')];
    writeFileSync(trust, trustText());
    writeFileSync(manifest, '{"manifest":{}}');
    const said = told(() => readTrusted({ trust, manifest, origin: ORIGIN }));
    expect(said).toContain('format/manifest');
    expect(said).toContain(`  where     ${manifest}`);
    expect(said).toMatch(/^ {2}do {8}get the manifest again from whoever has the root key/m);
  });
});
