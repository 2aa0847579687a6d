// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DEPLOY } from './compose-file.ts';

const oneOrMore = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (Array.isArray(value) ? value : [value]));
const condition = z.record(z.string(), z.record(z.string(), oneOrMore));

const statement = z.strictObject({
  Sid: z.string().regex(/^[A-Za-z]+$/),
  Effect: z.enum(['Allow', 'Deny']),
  Principal: z.literal('*').optional(),
  Action: oneOrMore,
  Resource: oneOrMore,
  Condition: condition.default({}),
});

const policy = z.strictObject({ Version: z.literal('2012-10-17'), Statement: z.array(statement).min(1) });

export type Statement = z.output<typeof statement>;

/** What the placeholders of the policies stand for in a test. */
export const PLACES = {
  PARTITION: 'aws',
  ACCOUNT: '111122223333',
  BUCKET: 'records',
  PREFIX: 'holdfast',
  MAX_RETAIN_DAYS: '4000',
};

export const ROLES = ['archiver', 'reader', 'auditor', 'steward'] as const;
export type Role = (typeof ROLES)[number];

/** A policy of deploy/, filled in as its README says. */
export function readPolicy(file: string, places: Partial<typeof PLACES> = {}): readonly Statement[] {
  let text = readFileSync(join(DEPLOY, file), 'utf8');
  for (const [name, value] of Object.entries({ ...PLACES, ...places })) text = text.replaceAll(`@${name}@`, value);
  return policy.parse(JSON.parse(text)).Statement;
}

/** One request, as a policy sees it. */
export interface PolicyRequest {
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  /** Values of condition keys; a key that is not here is absent from the request. */
  readonly keys?: Readonly<Record<string, string>>;
}

/** What AWS decides by these statements: a deny wins, and nothing is allowed that no statement allows. */
export function decide(statements: readonly Statement[], request: PolicyRequest): 'allow' | 'deny' | 'no-say' {
  const matching = statements.filter((one) => matches(one, request));
  if (matching.some(({ Effect }) => Effect === 'Deny')) return 'deny';
  return matching.length > 0 ? 'allow' : 'no-say';
}

function matches(
  { Action, Resource, Condition }: Statement,
  { principal, action, resource, keys = {} }: PolicyRequest,
): boolean {
  const values = { 'aws:PrincipalArn': principal, 'aws:SecureTransport': 'true', ...keys };
  return (
    Action.some((pattern) => like(pattern, action)) &&
    Resource.some((pattern) => like(pattern, resource)) &&
    Object.entries(Condition).every(([operator, tests]) =>
      Object.entries(tests).every(([key, wanted]) => holds(operator, values[key as keyof typeof values], wanted)),
    )
  );
}

/** The operators that the policies use. Negated ones hold for a key that is absent, the others do not. */
function holds(operator: string, value: string | undefined, wanted: readonly string[]): boolean {
  switch (operator) {
    case 'Null':
      return wanted.includes(String(value === undefined));
    case 'Bool':
      return value !== undefined && wanted.includes(value);
    case 'StringNotEquals':
    case 'ArnNotEquals':
      return value === undefined || !wanted.some((pattern) => like(pattern, value));
    case 'NumericGreaterThan':
      return value !== undefined && wanted.some((bound) => Number(value) > Number(bound));
    default:
      throw new Error(`no rule for ${operator}`);
  }
}

function like(pattern: string, text: string): boolean {
  const expression = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`, 's').test(text);
}
