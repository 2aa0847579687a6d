// SPDX-License-Identifier: AGPL-3.0-or-later
import { hash, randomBytes } from 'node:crypto';
import { openDirStore } from '../../../src/archive/dir-store.ts';

// Creates objects until it is killed, each named by the hash of its bytes, and says which it was promised.
const store = await openDirStore(process.argv[2] ?? '');
const lock = { mode: 'COMPLIANCE', until: '2099-01-01T00:00:00Z' } as const;

async function write(): Promise<never> {
  for (;;) {
    const bytes = randomBytes(1 + Math.floor(Math.random() * 300_000));
    const key = `log/o/pack/${hash('sha256', bytes, 'hex')}`;
    await store.create(key, bytes, lock);
    process.stdout.write(`${key}\n`);
  }
}

await Promise.all([write(), write(), write(), write()]);
