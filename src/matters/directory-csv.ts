// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { parse } from 'csv-parse/sync';
import { directoryRowForm, MOST_DIRECTORY_ROWS, type Deed, type DirectoryRow } from '../access/act.ts';
import { codeOf, Failure } from '../base/failure.ts';

/** Names of the columns, in any order; the last two may be missing. Dates are days, UTC, both included. */
export const COLUMNS = ['identifier', 'custodian', 'from', 'to'] as const;
const DAY_MS = 86_400_000;
const MOST_ROWS = 100_000;

type Parsed = Readonly<Record<string, string>>;

/** Reads the agency's directory. Throws `matters/directory`, which names the row and never quotes it. */
export function readDirectory(text: string): DirectoryRow[] {
  const rows = parsed(text);
  if (rows.length === 0) throw wrong(1, 'at least one row below the head', 'none');
  if (rows.length > MOST_ROWS) throw wrong(MOST_ROWS, `at most ${MOST_ROWS} rows`, String(rows.length));
  const unknown = Object.keys(rows[0] as Parsed).some((name) => !(COLUMNS as readonly string[]).includes(name));
  const missing = COLUMNS.slice(0, 2).some((name) => !Object.hasOwn(rows[0] as Parsed, name));
  if (unknown || missing) throw wrong(1, `the columns ${COLUMNS.join(', ')}`, 'others');
  const read = rows.map((row, at) => rowOf(row, at + 2));
  assertApart(read);
  return read;
}

function parsed(text: string): Parsed[] {
  try {
    const columns = (head: string[]): string[] => head.map((name) => name.trim().toLowerCase());
    return parse(text, { bom: true, columns, skip_empty_lines: true, trim: true }) as unknown as Parsed[];
  } catch (error) {
    const line = Number((error as { lines?: unknown }).lines);
    throw wrong(Number.isSafeInteger(line) ? line : 0, 'CSV in UTF-8, every row as long as the head', codeOf(error));
  }
}

function rowOf({ identifier = '', custodian = '', from = '', to = '' }: Parsed, line: number): DirectoryRow {
  const row = { identifier, custodian, fromMs: dayOf(from, line, 0), toMs: dayOf(to, line, DAY_MS - 1) };
  if (identifier === '' || custodian === '') throw wrong(line, 'an identifier and a custodian', 'an empty field');
  if (!directoryRowForm.safeParse(row).success) throw wrong(line, 'fields of at most 400 characters', 'a longer one');
  if (row.fromMs !== null && row.toMs !== null && row.fromMs > row.toMs)
    throw wrong(line, 'from before to', 'after it');
  return row;
}

function dayOf(text: string, line: number, offsetMs: number): number | null {
  if (text === '') return null;
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  // `Date` takes a day 31 of a month of 30 for the first of the next.
  if (!(ms >= 0) || new Date(ms).toISOString().slice(0, 10) !== text)
    throw wrong(line, 'a day such as 2026-11-22', 'another');
  return ms + offsetMs;
}

/** One identifier is one custodian's at a time. */
function assertApart(rows: readonly DirectoryRow[]): void {
  const order = rows.map((row, at) => ({ ...row, line: at + 2 }));
  for (const same of Map.groupBy(order, ({ identifier }) => identifier).values()) {
    const sorted = same.toSorted((a, b) => (a.fromMs ?? 0) - (b.fromMs ?? 0));
    sorted.forEach(({ fromMs, line }, at) => {
      const before = sorted[at - 1];
      if (before !== undefined && (before.toMs ?? Infinity) >= (fromMs ?? 0))
        throw wrong(line, 'an identifier that is nobody else’s at that time', `that of row ${before.line}`);
    });
  }
}

/** The acts that put a version of the directory into the log; it is in force once all are there. */
export function directoryDeeds(rows: readonly DirectoryRow[]): Deed[] {
  const version = randomBytes(16).toString('hex');
  const of = Math.max(1, Math.ceil(rows.length / MOST_DIRECTORY_ROWS));
  return Array.from({ length: of }, (_, at) => {
    const part = rows.slice(at * MOST_DIRECTORY_ROWS, (at + 1) * MOST_DIRECTORY_ROWS);
    return { act: 'directory', version, part: at + 1, of, rows: part };
  });
}

function wrong(line: number, expected: string, got: string): Failure {
  return new Failure('matters/directory', {
    expected,
    got,
    where: `row ${line} of the file`,
    fix: 'nothing was imported; the columns are identifier, custodian, from, to',
  });
}
