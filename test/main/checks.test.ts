// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/base/config.ts';
import { checkArchive, checkSpool } from '../../src/main/checks.ts';
import { ROOT } from '../guards/files.ts';

const look = (role: 'connector' | 'archiver') =>
  checkArchive(parseConfig(readFileSync(`${ROOT}deploy/compose/holdfast.${role}.yaml`, 'utf8'), '/etc/holdfast.yaml'));

describe('what the doctor sees of the bucket', () => {
  it('is well on a connector’s host, which has no credentials to look with', async () => {
    expect(await look('connector')).toMatchObject([{ area: 'archive', check: 'credentials', level: 'ok' }]);
  });

  it('is ill on an archiver’s host without credentials', async () => {
    expect(await look('archiver')).toMatchObject([{ area: 'archive', level: 'fail', expected: 'a secret file' }]);
  });
});

describe('what the doctor sees of a directory that is not there yet', () => {
  it('is that it will be made; looking makes nothing', async () => {
    const root = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'));
    try {
      const [archive, directory] = [join(root, 'deep', 'archive'), join(root, 'deep', 'spool')];
      const base = parseConfig(
        readFileSync(`${ROOT}deploy/compose/holdfast.connector.yaml`, 'utf8'),
        '/etc/holdfast.yaml',
      );
      const { s3: _none, ...rest } = base.archive;
      const config = {
        ...base,
        archive: { ...rest, url: `file://${archive}` },
        spool: { ...(base.spool as NonNullable<typeof base.spool>), directory },
      };
      expect((await checkArchive(config))[0]).toMatchObject({
        level: 'ok',
        got: `${archive} is not there yet; it will be made`,
      });
      expect(checkSpool(config)[0]).toMatchObject({
        level: 'ok',
        got: `${directory} is not there yet; it will be made`,
      });
      expect(existsSync(join(root, 'deep'))).toBe(false);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
