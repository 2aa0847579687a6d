// SPDX-License-Identifier: AGPL-3.0-or-later
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { entryPattern, GRAMMAR } from '../../src/record/entry-grammar.ts';
import type { EntryType } from '../../src/record/entry-types.ts';
import { CATALOGUE } from '../../src/verify/findings.ts';
import { TABLE, tamperTable } from './table.ts';

const TOOLS = new URL('../../tools/', import.meta.url);

function python<T>(expression: string): T {
  const program = `import json, sys; sys.dont_write_bytecode = True; from verifier import findings, form; print(json.dumps(${expression}))`;
  return JSON.parse(execFileSync('python3', ['-c', program], { cwd: TOOLS, encoding: 'utf8' })) as T;
}

const sources = ['verify.py', ...readdirSync(new URL('verifier/', TOOLS)).map((name) => `verifier/${name}`)]
  .filter((name) => name.endsWith('.py'))
  .map((name) => [name, readFileSync(new URL(name, TOOLS), 'utf8')] as const);

describe('the second verifier', () => {
  test('has the grammar of the specification', () => {
    const types = Object.keys(GRAMMAR) as EntryType[];
    const ours = Object.fromEntries(types.map((type) => [type, entryPattern(type)]));
    expect(python('form.PATTERNS')).toEqual(ours);
  });

  test('has only codes of the catalogue, with its severities', () => {
    const known = Object.entries(CATALOGUE);
    const of = (severity: string): string[] => known.filter(([, [each]]) => each === severity).map(([code]) => code);
    expect(of('note')).toEqual(expect.arrayContaining(python<string[]>('sorted(findings.NOTES)')));
    const unchecked = python<string[]>('sorted(findings.UNCHECKED)').filter((code) => code.startsWith('verify/'));
    expect(of('unchecked')).toEqual(expect.arrayContaining(unchecked));
    const used = sources.flatMap(([, text]) => text.match(/verify\/[a-z]+(?:-[a-z]+)+(?!-?\{)/g) ?? []);
    expect(used.filter((code) => !(code in CATALOGUE))).toEqual([]);
  });

  test('imports the standard library and itself, and names its licence', () => {
    const modules = /^(?:import|from) ([a-z0-9_.]+)/gm;
    const standard =
      'argparse base64 binascii bisect functools hashlib json os re subprocess sys tempfile verifier'.split(' ');
    for (const [name, text] of sources) {
      const foreign = [...text.matchAll(modules)].map(([, module = '']) => module.split('.')[0] ?? '');
      expect(
        foreign.filter((module) => module !== '' && !standard.includes(module)),
        name,
      ).toEqual([]);
      expect(
        text.replace('#!/usr/bin/env python3\n', '').startsWith('# SPDX-License-Identifier: Apache-2.0\n'),
        name,
      ).toBe(true);
      expect(text.split('\n').length, name).toBeLessThan(330);
    }
  });
});

test('the table of tampering is that of the corpus', () => {
  expect(readFileSync(TABLE, 'utf8')).toBe(tamperTable());
});
