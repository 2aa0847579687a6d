// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { indexerOn } from '../search/archive-kit.ts';
import { ArchiveMaker } from '../support/archive-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { SeededRandom } from '../support/random.ts';
import { auditIn, Heard, queriesOf } from './kit.ts';

const PROGRAM = fileURLToPath(new URL('recording-process.ts', import.meta.url));
const KILLS = 5;

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'holdfast-kill-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Lets it record for a while, kills it, and resolves with what it said was recorded. */
async function killed(from: number, after: number): Promise<number[]> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM, directory, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (said.split('\n').length > after) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return said.split('\n').slice(0, -1).map(Number);
}

describe('a reader’s process that is killed again and again', () => {
  it('has every look in the log that it said was recorded, once, and no other process waits for its turn', async () => {
    const random = new SeededRandom(11);
    const said: number[] = [];
    for (let kill = 0; kill < KILLS; kill += 1)
      said.push(...(await killed(kill * 1000, 2 + Math.floor(random.next() * 12))));
    await using maker = new ArchiveMaker(join(directory, 'made'));
    await maker.start();
    const heard = new Heard();
    {
      await using audit = auditIn(directory, { link: maker.link, heard, clock: () => maker.nowMs });
      await eventually(async () => {
        await maker.archiver.flush();
        return audit.waiting();
      }).toBe(0);
    }
    await using db = SqliteIndex.openForWriting(join(directory, 'index'));
    await using indexer = await indexerOn(join(maker.directory, 'archive'), db);
    await indexer.catchUp();
    const queries = queriesOf(db.acts.accessLog({ limit: 1000, after: null }).acts);
    expect(new Set(queries).size).toBe(queries.length);
    for (const at of said) expect(queries).toContain(`look ${at}`);
    // At most the one that was under way at each kill is there without having been said.
    expect(queries.length).toBeLessThanOrEqual(said.length + KILLS);
    expect(heard.codes.filter((code) => code.startsWith('refused'))).toEqual([]);
  }, 240_000);
});
