// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RsmfEvent } from '../../src/export/rsmf/manifest.ts';
import { exported, filesIn, indexed } from './kit.ts';
import { openedRsmf, type OpenedRsmf } from './opened-rsmf.ts';
import { faultsOf } from './rsmf-strict.ts';
import { makeStory, PICTURE } from './story.ts';

const CHECKER = fileURLToPath(new URL('../../../shared/rsmf/check_rsmf.py', import.meta.url));
const PROFILE = fileURLToPath(new URL('../../../shared/rsmf/rsmf-2.0-strict-profile.schema.json', import.meta.url));

const root = mkdtempSync(join(tmpdir(), 'holdfast-rsmf-'));
const out = join(root, 'out');
const made = new Map<string, OpenedRsmf>();
beforeAll(async () => {
  const archive = await makeStory(join(root, 'story'));
  await indexed(archive, join(root, 'index'));
  await exported({ archive, index: join(root, 'index'), out, formats: ['rsmf'] });
  for (const [name, bytes] of filesIn(out)) if (name.startsWith('rsmf/')) made.set(name, openedRsmf(bytes));
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

function harbour(): OpenedRsmf {
  const [found] = [...made].filter(([name]) => name.includes('harbour-watch'));
  if (found === undefined) throw new Error('no file of the group');
  return found[1];
}

const said = (text: string): RsmfEvent | undefined => harbour().manifest.events.find(({ body }) => body === text);
const custom = (event: RsmfEvent | undefined, name: string): string | undefined =>
  event?.custom.find((one) => one.name === name)?.value;

describe('RSMF', () => {
  it('fits the strict profile, and names nothing that is not there', () => {
    expect(made.size).toBeGreaterThan(1);
    for (const [name, file] of made) expect([name, faultsOf(file)]).toEqual([name, []]);
  });

  // The checker and the profile are other people's and lie beside the project, not in it.
  if (existsSync(CHECKER)) {
    it('passes the independent checker, without a warning', () => {
      const files = [...made.keys()].map((name) => join(out, name));
      const { status, stdout, stderr } = spawnSync('python3', [CHECKER, ...files], { encoding: 'utf8' });
      expect([stdout, stderr]).toEqual([files.map((file) => `PASSED ${file}\n`).join(''), '']);
      expect(status).toBe(0);
    });

    it('fits the independent profile', () => {
      const fits = new Ajv({ allErrors: true, strict: false }).compile(
        JSON.parse(readFileSync(PROFILE, 'utf8')) as object,
      );
      for (const [name, { manifest }] of made) {
        fits(manifest);
        expect([name, fits.errors]).toEqual([name, null]);
      }
    });
  }

  it('is mail of seven bits, lines of mail’s length, with one zip', () => {
    for (const [name, bytes] of filesIn(out)) {
      if (!name.startsWith('rsmf/')) continue;
      expect([name, bytes.some((byte) => byte > 127)]).toEqual([name, false]);
      expect(
        Math.max(
          ...bytes
            .toString('latin1')
            .split('\r\n')
            .map((line) => line.length),
        ),
      ).toBeLessThan(998);
    }
  });

  it('has an edit as an edit, with what was said before; reactions that stand; who read it', () => {
    const event = said('the berth is free');
    expect(event).toMatchObject({
      type: 'message',
      direction: 'incoming',
      edits: [{ previous: 'the berth is taken', new: 'the berth is free' }],
      reactions: [{ value: '👍', count: 1 }],
      read_receipts: [{ action: 'read' }],
    });
    expect(custom(event, 'archive.notes')).toContain('reaction ❤️ (taken back)');
    expect(custom(event, 'archive.notes')).toContain('also captured by');
  });

  it('has a deleted message with its words, marked', () => {
    expect(said('say nothing')).toMatchObject({ type: 'message', deleted: true });
    expect(custom(said('say nothing'), 'archive.notes')).toContain('deleted for everyone by Cleo 田中');
  });

  it('ties an answer to what it answers', () => {
    expect(said('by whom?')?.parent).toBe(said('the berth is free')?.id);
    expect(custom(said('by whom?'), 'quote.text')).toBe('the berth is taken');
  });

  it('has who came as such', () => {
    const { manifest } = harbour();
    const join = manifest.events.find(({ type }) => type === 'join');
    const cleo = manifest.participants.find(({ display }) => display === 'Cleo 田中');
    expect(join?.participant).toBe(cleo?.id);
    expect(manifest.conversations[0]?.participants).not.toContain(cleo?.id);
  });

  it('has files under names of ours, and a text in place of one that never came', () => {
    const { files } = harbour();
    const names = Object.keys(files).filter((name) => name !== 'rsmf_manifest.json');
    expect(names.every((name) => /^L\d+-\d+-[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9]+){1,2}$/.test(name))).toBe(true);
    expect(names.map((name) => name.replace(/^L\d+-\d+-/, ''))).toEqual([
      'etc-berth-gnp.png',
      'photo-jpg.bin',
      'file-con.UNAVAILABLE.txt',
      'minutes.txt',
    ]);
    const picture = Object.entries(files).find(([name]) => name.endsWith('gnp.png'))?.[1];
    expect(Buffer.from(picture ?? []).equals(PICTURE)).toBe(true);
    const shown = harbour().manifest.events.flatMap(({ attachments }) => attachments ?? []);
    expect(shown.find(({ id }) => id.endsWith('photo-jpg.bin'))?.display).toBe('photo.jpg.exe.bin');
    expect(shown.every(({ display }) => !/[\u202A-\u202E\u2066-\u2069]/.test(display ?? ''))).toBe(true);
  });

  it('tells gaps as notes of the archive, not as messages', () => {
    const all = [...made.values()].flatMap(({ manifest }) => manifest.events);
    const gap = all.find(({ body }) => body?.includes('gap, unlinked'));
    expect(gap).toMatchObject({
      type: 'disclaimer',
      body: expect.stringMatching(/^\[ARCHIVE NOTE, not a message\] gap/),
    });
  });

  it('carries where every event comes from, and the state of the log', () => {
    for (const { manifest, head } of made.values()) {
      for (const event of manifest.events) {
        expect(custom(event, 'archive.leaf')).toMatch(/^\d+$/);
        if (custom(event, 'derived.from') === undefined)
          expect(custom(event, 'archive.record')).toMatch(/^[0-9a-f]{64}$/);
      }
      expect(head).toMatch(/X-RSMF-SourceRoot:\s+[0-9a-f]{64}/);
      expect(head).toMatch(/X-RSMF-InScopeCount: \d+/);
    }
  });
});
