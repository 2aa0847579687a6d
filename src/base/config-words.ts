// SPDX-License-Identifier: AGPL-3.0-or-later
import type { z } from 'zod';
import { Failure } from './failure.ts';

export interface Problem {
  readonly at: string;
  readonly message: string;
}

/** Which settings are read, for the message: what was expected, where they stand, what shows how they are written. */
export interface SettingsPlace {
  readonly expected: string;
  readonly where: string;
  readonly fix: string;
}

/** Throws `config/invalid` with every problem's path. */
export function parseSettings<Schema extends z.ZodType>(
  schema: Schema,
  settings: unknown,
  place: SettingsPlace,
): z.output<Schema> {
  const parsed = schema.safeParse(settings, { error: settingWords });
  if (parsed.success) return parsed.data;
  throw invalidSettings(
    place,
    parsed.error.issues.map(({ path, message }) => ({ at: path.join('.'), message })),
  );
}

export function invalidSettings(place: SettingsPlace, problems: readonly Problem[]): Failure {
  const lines = problems.map(({ at, message }) => `  ${at === '' ? '(top level)' : at}: ${message}`);
  const got = `${lines.length} ${lines.length === 1 ? 'problem' : 'problems'}:\n${lines.join('\n')}`;
  return new Failure('config/invalid', { ...place, got });
}

/**
 * What is wrong with a setting, in words for whoever wrote it: what was expected and what kind of thing was there, never the value, which may
 * be a number or a password. Undefined where a schema says it better itself.
 */
function settingWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? `needed: ${typeWords(issue.expected)}`
        : `expected ${typeWords(issue.expected)}, got ${kindOf(issue.input)}`;
    case 'unrecognized_keys':
      return `no such setting: ${issue.keys.join(', ')}`;
    case 'invalid_value':
      return `expected ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `expected at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `expected at most ${issue.maximum}${unitOf(issue.origin)}`;
    case 'invalid_format':
      return issue.format === 'regex'
        ? `expected text of the form ${issue.pattern}`
        : `expected a valid ${issue.format}`;
    case 'invalid_union':
      return 'expected another kind of value';
    default:
      return undefined;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'a group of settings',
  record: 'a group of settings',
  string: 'text',
};

function typeWords(type: string): string {
  return TYPES[type] ?? type;
}

function kindOf(input: unknown): string {
  if (input === null) return 'nothing';
  if (Array.isArray(input)) return 'a list';
  return typeWords(typeof input);
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' || origin === 'set' ? ' entries' : '';
}
