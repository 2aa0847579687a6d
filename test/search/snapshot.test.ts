// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { SqliteSnapshot } from '../../src/search/sqlite-snapshot.ts';
import { snapshotContract } from './snapshot-contract.ts';

snapshotContract(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-snapshot-'));
  const db = SqliteIndex.openForWriting(directory);
  return {
    db,
    snapshot: () => SqliteSnapshot.open(directory),
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
});
