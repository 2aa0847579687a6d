// SPDX-License-Identifier: AGPL-3.0-or-later

import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { LinkOptions, LinkStep, Session } from '../../src/connectors/connector.ts';
import { askDesk, LinkDesk } from '../../src/main/link-desk.ts';
import { eventually } from '../support/eventually.ts';

type Link = (account: string, signal: AbortSignal, options?: LinkOptions) => AsyncIterable<LinkStep>;

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'link-desk-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'link');
}

function openDesk(directory: string, link: Link): AbortController {
  const stop = new AbortController();
  const health = (): ReturnType<Session['health']> => ({
    state: 'capturing',
    sinceMs: 0,
    reasons: [],
    lastCaptureMs: null,
  });
  const session: Session = { run: () => Promise.resolve(), health, link };
  const desk = new LinkDesk(
    directory,
    [{ backend: 'main', session, labels: new Map([['+15550001111', 'duty']]) }],
    stop.signal,
  );
  desk.open();
  onTestFinished(() => desk[Symbol.dispose]());
  return stop;
}

test('passes on every step to whoever asked, in order, and leaves no file', async () => {
  const directory = temporary();
  const asked: unknown[] = [];
  openDesk(directory, async function* (account, _signal, options) {
    asked.push(account, options);
    yield { step: 'show-code', code: 'ABCD1234', expiresInSeconds: 60 };
    await eventually(() => readdirSync(directory).length).toBe(2);
    expect(readdirSync(directory).map((file) => statSync(join(directory, file)).mode & 0o077)).toEqual([0, 0]);
    yield { step: 'linked' };
  });
  const steps = await Array.fromAsync(askDesk(directory, 'duty', { code: true }, AbortSignal.timeout(20_000)));
  expect(steps.map(({ step }) => step)).toEqual(['show-code', 'linked']);
  expect(asked).toEqual(['+15550001111', { code: true }]);
  expect(readdirSync(directory)).toEqual([]);
});

test('stops linking when nobody looks any more', async () => {
  const directory = temporary();
  const over = Promise.withResolvers<string>();
  openDesk(directory, async function* (_account, signal) {
    yield { step: 'show-qr', uri: 'secret', expiresInSeconds: 60 };
    signal.addEventListener('abort', () => over.resolve('aborted'));
    await over.promise;
  });
  for await (const { step } of askDesk(directory, 'duty', {}, AbortSignal.timeout(20_000)))
    if (step === 'show-qr') break;
  expect(await over.promise).toBe('aborted');
  await eventually(() => readdirSync(directory)).toEqual([]);
});

test('says so when no connector is there', async () => {
  const directory = temporary();
  const steps = askDesk(directory, 'duty', {}, AbortSignal.timeout(20_000));
  await expect(Array.fromAsync(steps)).rejects.toThrow('config/connector-away');
  expect(existsSync(directory)).toBe(false);
});

test('a failure of the session is the last step, without its text', async () => {
  const directory = temporary();
  openDesk(directory, () => {
    throw new Error('+15550001111 refused');
  });
  const steps = await Array.fromAsync(askDesk(directory, 'duty', {}, AbortSignal.timeout(20_000)));
  expect(steps).toEqual([{ step: 'failed', reason: 'Error' }]);
});
