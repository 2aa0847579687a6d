// SPDX-License-Identifier: AGPL-3.0-or-later
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/record/checkpoint.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { encodeVerifierKey } from '../../src/record/note.ts';
import { Guard } from '../services/guard.ts';
import { freePort } from '../services/ports.ts';
import { Daemon, runHoldfast } from '../support/e2e-process.ts';
import { ORIGIN, ROOT } from '../vectors/keys.ts';
import { add, cosignatures, GrowingLog, LOG_KEY, WITNESS, WITNESS_NAME } from './kit.ts';

const guard = new Guard('witness');
afterAll(() => guard[Symbol.asyncDispose]());

const keyFile = join(guard.dir, 'witness.key');
const trustFile = join(guard.dir, 'trust.json');
writeFileSync(keyFile, WITNESS.privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
writeFileSync(
  trustFile,
  JSON.stringify({ v: 1, origin: ORIGIN, root: ROOT.key.raw.toString('base64'), log: encodeVerifierKey(LOG_KEY) }),
);

function argsFor(port: number): string[] {
  const own = ['--name', WITNESS_NAME, '--key', keyFile, '--directory', join(guard.dir, 'book')];
  return ['witness', ...own, '--trust', trustFile, '--listen', `127.0.0.1:${port}`];
}

describe('the witness’s process', () => {
  it('keeps its word through kill -9 at any moment', { timeout: 240_000 }, async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const daemon = new Daemon({ guard, args: argsFor(port) });
    const log = new GrowingLog(4000);
    let known = 0;
    let killed = 0;
    while (killed < 8) {
      await daemon.started();
      // What it answered before it was killed, it remembers.
      const shown = await fetch(`${url}/${sha256Hex(ORIGIN)}/checkpoint`);
      if (known > 0) {
        const kept = openCheckpoint(await shown.text(), LOG_KEY).size;
        expect(kept).toBeGreaterThanOrEqual(known);
        known = kept;
        const fork = new GrowingLog(known + 5, `fork ${killed}`, known - 1);
        expect((await add(url, fork.body(known))).status).toBe(422);
      }
      const writing = (async (): Promise<void> => {
        for (;;) {
          const size = known + 1 + (known % 3);
          const answer = await add(url, log.body(known, size)).catch(() => null);
          if (answer === null) return;
          expect(answer.status).toBe(200);
          expect(cosignatures(log.note(size), answer.text)).toHaveLength(1);
          known = size;
        }
      })();
      await sleep(50 + killed * 40);
      await daemon.end('SIGKILL');
      await writing;
      killed += 1;
    }
    expect(known).toBeGreaterThan(20);
  });

  it('tells sizes and codes, and stops when asked', async () => {
    const port = await freePort();
    const daemon = new Daemon({ guard, args: argsFor(port) });
    await daemon.started();
    const log = new GrowingLog(3);
    await add(`http://127.0.0.1:${port}`, log.body(0));
    await add(`http://127.0.0.1:${port}`, 'x');
    expect(await daemon.end('SIGTERM')).toBe(0);
    expect(daemon.events('checkpoint.refused').map(({ status }) => status)).toContain(400);
    expect(daemon.printed).not.toContain(ORIGIN);
  });

  it('does not start without what it needs', async () => {
    const without = await runHoldfast(['witness', '--name', 'w', '--key', keyFile], { guard });
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('--directory')]);
    const nowhere = await runHoldfast([...argsFor(1).slice(0, -1), 'nowhere'], { guard });
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining('expected host:port')]);
  });
});
