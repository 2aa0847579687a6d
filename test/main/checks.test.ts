// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/base/config.ts';
import { checkArchive } from '../../src/main/checks.ts';
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
