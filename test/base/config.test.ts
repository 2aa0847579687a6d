// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { evaluationConfig, configTemplate } from '../../src/cli/config-template.ts';
import { need, parseConfig, type Config } from '../../src/base/config.ts';
import { Failure } from '../../src/base/failure.ts';

const GOOD = evaluationConfig('agency.example/log', 'file:///srv/archive');

function failureOf(text: string): Failure {
  try {
    parseConfig(text, '/etc/holdfast/holdfast.yaml');
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('the config was accepted');
}

const parse = (text: string): Config => parseConfig(text, '/etc/holdfast/holdfast.yaml');

describe('the templates that init writes', () => {
  it('are valid configs', () => {
    expect(parse(GOOD).archive.flushAfter).toBe(1000);
    expect(parse(configTemplate('agency.example/log')).redis?.host).toBe('redis');
  });
});

describe('a config', () => {
  it('has its paths relative to its file', () => {
    const config = parse(GOOD);
    expect(config.trust).toBe('/etc/holdfast/trust.json');
    expect(config.keys.log).toBe('/etc/holdfast/keys/log.key');
    expect(config.spool?.directory).toBe('/etc/holdfast/spool');
  });

  it('names every mistake with its path, all at once', () => {
    const text = GOOD.replace('flushAfter: 1s', 'flushAfter: soon')
      .replace('period: P1D', 'period: a day')
      .replace('name: connector', 'name: John Smith');
    const { code, detail } = failureOf(text);
    expect(code).toBe('config/invalid');
    expect(detail.got).toMatch(/archive\.flushAfter: expected a duration/);
    expect(detail.got).toMatch(/retention\.0\.period: expected an ISO 8601 period/);
    expect(detail.got).toMatch(/connector\.name: expected a label/);
    expect(detail.where).toBe('/etc/holdfast/holdfast.yaml');
  });

  it('refuses members it does not know', () => {
    expect(failureOf(`${GOOD}\nverbose: true\n`).detail.got).toContain('(top level): no such setting: verbose');
  });

  it('says what is wrong in words of its own, and repeats no value', () => {
    const text = GOOD.replace(/^trust: .*$/m, 'trust: [12025550171]')
      .replace(/^manifest: .*\n/m, '')
      .replace('period: P1D', 'period: 12025550171');
    const { detail } = failureOf(text);
    expect(detail.got).toMatch(/^ {2}trust: expected text, got a list$/m);
    expect(detail.got).toMatch(/^ {2}manifest: needed: text$/m);
    expect(detail.got).toMatch(/^ {2}retention\.0\.period: expected text, got a number$/m);
    expect(detail.got).not.toMatch(/12025550171|Invalid|received|undefined/);
  });

  it('says what to do about YAML that is none', () => {
    expect(failureOf('origin: [').detail.fix).toContain('docs/config.md');
  });

  it('refuses broken YAML with the line, and duplicate keys', () => {
    expect(failureOf('origin: [').detail.where).toMatch(/holdfast\.yaml:\d+$/);
    expect(failureOf(`${GOOD}\norigin: other\n`).code).toBe('config/yaml');
  });

  it('refuses aliases that would blow up', () => {
    expect(() => parse(`a: &a [x]\nb: [*a, *a]\n${GOOD}`)).toThrow();
  });

  it('holds its parts against each other', () => {
    const accounts = `accounts:
  - { name: one, app: signal, account: "+12025550100", backend: main, retention: other }
  - { name: one, app: signal, account: "+12025550100", backend: gone, retention: evaluation }
`;
    const { got } = failureOf(GOOD.replace(/^accounts: \[\]$/m, accounts.trim())).detail;
    for (const part of [
      'accounts.0.retention',
      'accounts.0.backend',
      'accounts.1.backend',
      'accounts: each name once',
      'accounts: each account once',
    ]) {
      expect(got).toContain(part);
    }
    expect(failureOf(GOOD.replace('file:///srv/archive', 's3://bucket/x')).detail.got).toContain('archive.s3');
  });

  it('takes no retention that the cap on locks would cut short', () => {
    const s3 = (days: number): string => `s3://bucket/x\n  s3: { region: r, credentials: c, maxRetainDays: ${days} }`;
    const period = /^ {4}period: .*$/m;
    const parts = (days: number): string =>
      GOOD.replace('file:///srv/archive', s3(days)).replace(period, '    period: P30D');
    expect(parse(parts(31)).retention[0]?.period).toBe('P30D');
    expect(failureOf(parts(30)).detail.got).toContain('retention.0.period');
  });

  it('never shows an account in an error', () => {
    const { got } = failureOf(
      GOOD.replace(
        /^accounts: \[\]$/m,
        'accounts:\n  - { name: one, app: sms, account: "+12025550199", backend: main, retention: evaluation }',
      ),
    ).detail;
    expect(got).not.toContain('12025550199');
  });

  it('says which part a role lacks', () => {
    expect(() => need(undefined, 'spool', 'a connector')).toThrow('config/missing-part');
  });
});
