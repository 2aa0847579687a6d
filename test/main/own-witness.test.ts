// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadConfig } from '../../src/base/config.ts';
import { Events } from '../../src/base/events.ts';
import { openLog } from '../../src/base/log.ts';
import { initialiseEvaluation } from '../../src/cli/init.ts';
import { openOwnWitness } from '../../src/main/own-witness.ts';
import { readTrusted } from '../../src/main/trusted.ts';
import { temporaryDirectory } from '../support/spool-kit.ts';

function evaluation() {
  const { config: file } = initialiseEvaluation(join(temporaryDirectory(), 'e'), 'agency.example/log');
  const config = loadConfig(file);
  return { file, config, trusted: readTrusted(config) };
}

function surroundings(parts: AsyncDisposableStack) {
  const running = { signal: new AbortController().signal, fatal: (error: unknown) => void error };
  return { events: new Events(openLog('error')), running, parts };
}

it('an evaluation has a witness of its own, which answers as one over the network does', async () => {
  await using parts = new AsyncDisposableStack();
  const { config, trusted } = evaluation();
  const own = await openOwnWitness(config, trusted, surroundings(parts));
  expect(own?.name).toBe('evaluation-witness');
  expect(await own?.ask('no checkpoint')).toEqual({ status: 400, text: expect.stringContaining('malformed') });
});

it('no witness is made where none is asked for', async () => {
  await using parts = new AsyncDisposableStack();
  const { file, trusted } = evaluation();
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^ownWitness:\n(?: .*\n)+/m, ''));
  expect(await openOwnWitness(loadConfig(file), trusted, surroundings(parts))).toBeNull();
});

it('outside of an evaluation a witness in the process that it watches is refused', async () => {
  await using parts = new AsyncDisposableStack();
  const { config, trusted } = evaluation();
  const forRecords = { manifest: { ...trusted.manifest, evaluation: false } };
  await expect(openOwnWitness(config, forRecords, surroundings(parts))).rejects.toThrow(/own-witness/);
});
