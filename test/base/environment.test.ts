// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { assertSafeEnvironment, wantsColour } from '../../src/base/environment.ts';

const codeOf = (environment: Record<string, string>): string | null => {
  try {
    assertSafeEnvironment(environment);
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('the environment', () => {
  it('may hold no secret of ours, whatever its name', () => {
    for (const name of [
      'AWS_SECRET_ACCESS_KEY',
      'AWS_SESSION_TOKEN',
      'REDIS_PASSWORD',
      'HOLDFAST_LOG_KEY',
      'HOLDFAST_TOKEN',
      'S3_SECRET',
    ]) {
      expect(codeOf({ [name]: 'value-that-must-not-show' })).toBe('config/secret-in-environment');
    }
  });

  it('never shows the value it refuses', () => {
    try {
      assertSafeEnvironment({ REDIS_PASSWORD: 'value-that-must-not-show' });
    } catch (error) {
      expect(String(error)).toContain('$REDIS_PASSWORD');
      expect(String(error)).not.toContain('value-that-must-not-show');
    }
  });

  it('may hold what is none of ours, and empty names', () => {
    expect(codeOf({ PATH: '/bin', GITHUB_TOKEN: 'x', AWS_REGION: 'us-east-1', AWS_SECRET_ACCESS_KEY: '' })).toBe(null);
  });

  it('may open no debugger and write no heap dumps', () => {
    for (const options of [
      '--inspect',
      '--inspect-brk=0.0.0.0:9229',
      '--heapsnapshot-signal=SIGUSR2',
      '--report-on-signal',
      '--cpu-prof',
    ]) {
      expect(codeOf({ NODE_OPTIONS: options })).toBe('config/debugger');
    }
    expect(codeOf({ NODE_OPTIONS: '--max-old-space-size=256' })).toBe(null);
    expect(() => assertSafeEnvironment({}, ['--inspect=127.0.0.1:0'])).toThrow('config/debugger');
    expect(() => assertSafeEnvironment({}, ['--disable-sigusr1'])).not.toThrow();
  });
});

describe('colours', () => {
  it('are for terminals whose user wants them', () => {
    expect(wantsColour(true, {})).toBe(true);
    expect(wantsColour(false, {})).toBe(false);
    expect(wantsColour(true, { NO_COLOR: '' })).toBe(false);
    expect(wantsColour(true, { TERM: 'dumb' })).toBe(false);
  });
});
