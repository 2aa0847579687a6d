// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import { Failure } from '../../../src/base/failure.ts';
import { hasLosslessIntake } from '../../../src/connectors/signal/config.ts';
import { signal } from '../../../src/connectors/signal/index.ts';

const { parseConfig } = signal;

function problemsOf(settings: unknown): string {
  try {
    parseConfig(settings);
  } catch (error) {
    if (error instanceof Failure && error.code === 'config/invalid') return error.detail.got;
    throw error;
  }
  return 'none';
}

test('needs an address and one intake; everything else has a value', () => {
  const config = parseConfig({ api: 'http://127.0.0.1:8080', webhook: { port: 9080 }, journal: '/log/out.log' });
  expect(config.webhook).toEqual({ host: '127.0.0.1', port: 9080, path: '/' });
  expect(config.websocket).toBe(true);
  expect(config.limits.body).toBe(64 * 1024 * 1024);
  expect(config.thresholds.phoneIdle).toEqual([14, 21, 28].map((days) => days * 86_400_000));
  expect(config.timeouts.webSocketSilence).toBe(180_000);
});

test('names every problem with its path', () => {
  expect(
    problemsOf({ api: 'ftp://x', webhook: { port: 70_000 }, thresholds: { outage: '5 minutes' }, typo: 1 }),
  ).toMatch(/api[^]*webhook\.port[^]*thresholds\.outage/);
  expect(problemsOf({ api: 'http://x', typo: 1 })).toContain('typo');
  expect(problemsOf({ api: 'http://x', websocket: false })).toContain('at least one of webhook, journal and websocket');
  expect(problemsOf({ api: 'http://x', thresholds: { referenceHorizon: '60d' } })).toContain(
    'thresholds.referenceHorizon',
  );
  expect(problemsOf(null)).toContain('(top level)');
});

test('says in words of ours what was expected', () => {
  expect(problemsOf({ api: 'http://x', webhook: { port: '9080' }, typo: 1 })).toBe(
    '2 problems:\n  webhook.port: expected a number, got text\n  (top level): no such setting: typo',
  );
});

test('does not call a setup lossless whose only intake is the WebSocket', () => {
  expect(hasLosslessIntake(parseConfig({ api: 'http://x' }))).toBe(false);
  expect(hasLosslessIntake(parseConfig({ api: 'http://x', journal: '/out.log' }))).toBe(true);
  expect(hasLosslessIntake(parseConfig({ api: 'http://x', webhook: { port: 1 } }))).toBe(true);
});
