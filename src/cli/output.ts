// SPDX-License-Identifier: AGPL-3.0-or-later
import { wantsColour } from '../base/environment.ts';
import { Failure, type FailureDetail } from '../base/failure.ts';
import { FormatError } from '../record/format-error.ts';

/** Where a command writes: results to standard output, everything else to standard error. */
export interface Output {
  readonly json: boolean;
  line(text: string): void;
  note(text: string): void;
  result(value: unknown): void;
}

export function openOutput(json: boolean): Output {
  return {
    json,
    line: (text) => {
      if (!json) process.stdout.write(`${text}\n`);
    },
    note: (text) => void process.stderr.write(`${text}\n`),
    result: (value) => {
      if (json) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    },
  };
}

const paint = (code: string, text: string): string =>
  wantsColour(process.stdout.isTTY === true) ? `\u001B[${code}m${text}\u001B[0m` : text;
export const bold = (text: string): string => paint('1', text);
export const green = (text: string): string => paint('32', text);
export const red = (text: string): string => paint('31', text);
export const yellow = (text: string): string => paint('33', text);
export const dim = (text: string): string => paint('2', text);

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '),
    )
    .join('\n');
}

/** What the operator reads when a command fails: code, expected, got, where, what to do. Foreign errors are named, not quoted. */
export function explain(error: unknown): string {
  if (error instanceof Failure) {
    return told(error.code, error.detail);
  }
  if (error instanceof FormatError) {
    return told(error.code, { expected: error.expected, got: error.got, ...error.place });
  }
  return `${red('error')} unexpected: ${error instanceof Error ? (error.stack ?? error.name) : typeof error}`;
}

function told(code: string, { expected, got, where, fix }: FailureDetail): string {
  const lines = [`${red('error')} ${bold(code)}`, `  expected  ${expected}`, `  got       ${got}`];
  if (where !== undefined) lines.push(`  where     ${where}`);
  if (fix !== undefined) lines.push(`  do        ${fix}`);
  return lines.join('\n');
}
