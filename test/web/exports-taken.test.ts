// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Failure } from '../../src/base/failure.ts';
import { BERTHS, bytesOf, left, nameIn, order, refusal, settled } from './exports-kit.ts';
import { makeOffice, only, WebOffice } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-web-exports-taken-'));
let archive: string;
beforeAll(async () => {
  archive = await makeOffice(join(root, 'made'));
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('an export that is whole', () => {
  it('stays where nothing can be laid beside it', async () => {
    const timeStamps = [{ url: 'http://127.0.0.1:9/', ca: join(root, 'gone.pem'), crls: [] }];
    await using office = await WebOffice.open(root, archive, {}, { timeStamps });
    const id = await order(office);
    expect(await settled(office, id)).toMatchObject({ state: 'finished', failed: null });
    expect([left(office.exports), office.troubles]).toEqual([[id], []]);
  });
});

describe('where it cannot be recorded', () => {
  const unrecorded = (): Failure => new Failure('access/unrecorded', { expected: 'a record', got: 'none' });

  it('an export is not ordered', async () => {
    await using office = await WebOffice.open(root, archive);
    office.beforeRecord = async () => Promise.reject(unrecorded());
    expect(await refusal(await office.post('/exports', BERTHS))).toEqual([503, 'access/unrecorded']);
    expect(left(office.exports)).toEqual([]);
  });

  it('an export that was ordered is not written, and one that is there is neither sent nor deleted', async () => {
    await using office = await WebOffice.open(root, archive);
    const whole = await order(office);
    expect((await settled(office, whole)).state).toBe('finished');
    office.beforeRecord = async (deeds) => {
      if (deeds.some(({ act }) => act === 'export')) throw unrecorded();
    };
    const id = await order(office);
    expect(await settled(office, id)).toMatchObject({ state: 'failed', failed: 'access/unrecorded', estimate: null });
    expect(left(office.exports)).toEqual([whole]);
    expect(office.troubles).toEqual(['access/unrecorded']);

    office.beforeRecord = async () => Promise.reject(unrecorded());
    for (const [method, path] of [
      ['GET', '/file?name=messages.jsonl'],
      ['GET', '/zip'],
      ['GET', '/files'],
      ['DELETE', ''],
    ] as const) {
      const response = await office.ask(`/api/v1/exports/${whole}${path}`, { method });
      expect([path, await refusal(response)]).toEqual([path, [503, 'access/unrecorded']]);
    }
    expect(left(office.exports)).toEqual([whole]);
  });
});

describe('what is taken from an export', () => {
  it('is a file of its list: no name leads elsewhere', async () => {
    await using office = await WebOffice.open(root, archive);
    const id = await order(office);
    await settled(office, id);
    for (const name of [
      '../asked.json',
      '..%2fasked.json',
      '/etc/passwd',
      'files/../manifest.json',
      './manifest.json',
      'manifest.json\0',
      'export/manifest.json',
      'MANIFEST.JSON',
      'files',
      '.',
      '__proto__',
    ]) {
      const response = await office.ask(`/api/v1/exports/${id}/file?name=${nameIn(name)}`);
      expect([name, await refusal(response)]).toEqual([name, [404, 'export/no-file']]);
    }
    for (const other of ['..', '%2e%2e%2f%2e%2e', `..%2f${id}`, id.toUpperCase(), `${id}%00`, 'lock']) {
      const { status } = await office.ask(`/api/v1/exports/${other}/file?name=manifest.json`);
      expect([other, status >= 400 && status < 500]).toEqual([other, true]);
    }
  });

  it('is refused, or breaks off, where it is not what was written', async () => {
    await using office = await WebOffice.open(root, archive);
    const id = await order(office);
    await settled(office, id);
    const file = join(office.exports, id, 'export', 'messages.jsonl');
    const bytes = readFileSync(file);
    const at = bytes.length - 5;
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(file, bytes);
    const read = await office.ask(`/api/v1/exports/${id}/file?name=messages.jsonl`);
    // Of a short one not a byte has gone out when that is known; of the ZIP, the files before it have.
    expect(await refusal(read)).toEqual([502, 'export/damaged']);
    await expect(office.ask(`/api/v1/exports/${id}/zip`).then(bytesOf)).rejects.toThrow();
    rmSync(file);
    symlinkSync(join(office.exports, id, 'asked.json'), file);
    const response = await office.ask(`/api/v1/exports/${id}/file?name=messages.jsonl`);
    expect(await refusal(response)).toEqual([502, 'export/damaged']);
  });

  it.each([
    ['export', 'POST', ''],
    ['exports', 'GET', ''],
    ['export-file', 'GET', `/${'a'.repeat(32)}/zip`],
    ['export-delete', 'DELETE', `/${'a'.repeat(32)}`],
  ] as const)('needs the permission %s, which gives none of the others', async (permission, method, path) => {
    await using office = await WebOffice.open(root, archive, { authenticator: only(permission) });
    const asked = {
      'POST ': { body: JSON.stringify(BERTHS), headers: { 'content-type': 'application/json' } },
    } as Record<string, RequestInit>;
    for (const [other, at] of [
      ['POST', ''],
      ['GET', ''],
      ['GET', `/${'a'.repeat(32)}/zip`],
      ['DELETE', `/${'a'.repeat(32)}`],
    ] as const) {
      const response = await office.ask(`/api/v1/exports${at}`, { method: other, ...asked[`${other} ${at}`] });
      const mayAsk = other === method && at === path;
      expect([other, at, response.status === 403]).toEqual([other, at, !mayAsk]);
    }
  });
});
