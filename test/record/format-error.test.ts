// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FORMAT_CODES, FormatError } from '../../src/record/format-error.ts';

const folder = new URL('../../src/record/', import.meta.url);
const sources = readdirSync(folder)
  .filter((name) => name.endsWith('.ts') && name !== 'format-error.ts')
  .map((name) => readFileSync(new URL(name, folder), 'utf8'))
  .join('\n');

describe('the codes of the format', () => {
  it('are each listed once', () => {
    expect(new Set(FORMAT_CODES).size).toBe(FORMAT_CODES.length);
  });

  it.each(FORMAT_CODES)('%s is in use', (code) => {
    expect(sources).toContain(`'${code}'`);
  });

  it('stand in front of what was expected and what was got', () => {
    const error = new FormatError('format/entry', 'this', 'that');
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.code, error.expected, error.got]).toEqual([
      'FormatError',
      'format/entry',
      'this',
      'that',
    ]);
    expect(error.message).toBe('format/entry: expected this, got that');
  });
});
