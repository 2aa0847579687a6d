// SPDX-License-Identifier: AGPL-3.0-or-later
import type { parseManifest } from '../manifest.ts';
import { viewHash } from '../proof/content.ts';
import { MAX_JSON_LINE, type ProofPlace } from './check-proof.ts';
import { LineTooLong, linesIn } from './lines.ts';
import type { ProvenRecords } from './proven-records.ts';

const RECORDS_FILE = 'records.csv';
const LINES_FILE = 'messages.jsonl';
const HEAD = 'leaf,record_id,line,scope\r';
const ROW = /^(0|[1-9]\d{0,15}),([0-9a-f]{64}),(L\d{1,16}),(hit|context)\r$/;
const MOST_ROW = 1000;

type Manifest = NonNullable<ReturnType<typeof parseManifest>>;

interface Row {
  readonly leaf: number;
  readonly id: string;
  readonly line: string;
  readonly scope: string;
}

interface ExportedLine {
  readonly type: string;
  readonly line: string;
  readonly scope: string;
  readonly text: string | null;
  readonly versions: readonly { readonly leaf: number; readonly text: string | null }[];
  readonly records: readonly {
    readonly leaf: number;
    readonly id: string;
    readonly view: unknown;
    readonly defect?: string;
  }[];
}

/**
 * Every listed record is proven, every proven one listed; and the lines of `messages.jsonl`, in their order, show exactly those, and say
 * what was disclosed of them. Null where there is no such file; else how many lines.
 */
export async function checkLines(
  { pathOf, findings }: Pick<ProofPlace, 'pathOf' | 'findings'>,
  { formats, counts }: Manifest,
  proven: ProvenRecords | null,
): Promise<number | null> {
  const rows = listedRows(pathOf(RECORDS_FILE));
  const isThere = formats.includes('jsonl');
  let [listed, lines] = [0, 0];
  const take = async (): Promise<Row | null> => {
    const { value, done } = await rows.next();
    if (done === true) return null;
    listed += 1;
    if (proven === null || proven.list(value.leaf, value.id)) return value;
    throw new Mismatch(RECORDS_FILE, 'records that are proven', `leaf ${value.leaf}`);
  };
  try {
    for await (const line of isThere ? exportedLines(pathOf(LINES_FILE)) : []) {
      lines += 1;
      assertText(line);
      for (const record of line.records) assertShown(line, record, await take(), proven);
    }
    if (!isThere) while ((await take()) !== null);
    else if ((await take()) !== null) throw new Mismatch(LINES_FILE, 'all records that are listed', 'less');
    assertCounts({ listed, lines: isThere ? lines : null, proven }, counts);
  } catch (error) {
    const found = asMismatch(error);
    findings.add(
      found.file === RECORDS_FILE ? 'exported/records' : 'exported/lines',
      found.file,
      found.expected,
      found.got,
    );
  } finally {
    await rows.return(undefined);
  }
  return isThere ? lines : null;
}

function assertCounts(
  { listed, lines, proven }: { listed: number; lines: number | null; proven: ProvenRecords | null },
  counts: Manifest['counts'],
): void {
  if (lines !== null && lines !== counts['lines'])
    throw new Mismatch(LINES_FILE, `${counts['lines']} lines, as the manifest says`, String(lines));
  if (counts['records'] !== undefined && listed !== counts['records'])
    throw new Mismatch(RECORDS_FILE, `${counts['records']} records, as the manifest says`, String(listed));
  if (proven !== null && proven.listed !== proven.count)
    throw new Mismatch(RECORDS_FILE, `all ${proven.count} records that are proven`, String(proven.listed));
}

function assertShown(
  { line, scope }: ExportedLine,
  { leaf, id, view, defect }: ExportedLine['records'][number],
  row: Row | null,
  proven: ProvenRecords | null,
): void {
  if (row === null || row.leaf !== leaf || row.id !== id || row.line !== line || row.scope !== scope)
    throw new Mismatch(LINES_FILE, `what is listed behind line ${row?.line ?? 'none'}`, `another record in ${line}`);
  // What the index could not read is shown with its defect.
  if (view === null && defect !== undefined) return;
  if (proven !== null && !proven.says(leaf, viewHash(view)))
    throw new Mismatch(LINES_FILE, `what record ${leaf} says, as it is disclosed`, 'something else');
}

/** What a line says, and said before, is what its records say. */
function assertText({ line, text, versions, records }: ExportedLine): void {
  for (const version of versions) {
    const found = records.find(({ leaf }) => leaf === version.leaf)?.view as
      | { content?: { text?: unknown } }
      | undefined;
    if (found?.content?.text !== version.text)
      throw new Mismatch(LINES_FILE, `what record ${version.leaf} says`, `another text in ${line}`);
  }
  if (text !== (versions.at(-1)?.text ?? null))
    throw new Mismatch(LINES_FILE, 'the last version of a text', `another text in ${line}`);
}

async function* listedRows(path: string): AsyncGenerator<Row, undefined> {
  let isHead = true;
  for await (const text of linesIn(path, MOST_ROW)) {
    const [, leaf, id = '', line = '', scope = ''] = ROW.exec(text) ?? [];
    if (isHead ? text !== HEAD : leaf === undefined)
      throw new Mismatch(RECORDS_FILE, 'a list of records', 'another row');
    if (!isHead) yield { leaf: Number(leaf), id, line, scope };
    isHead = false;
  }
}

async function* exportedLines(path: string): AsyncGenerator<ExportedLine> {
  for await (const text of linesIn(path, MAX_JSON_LINE)) {
    const line = JSON.parse(text) as ExportedLine;
    if (line.type !== 'line') continue;
    if (!Array.isArray(line.records) || !Array.isArray(line.versions))
      throw new Mismatch(LINES_FILE, 'records behind each line', 'none');
    yield line;
  }
}

class Mismatch extends Error {
  readonly file: string;
  readonly expected: string;
  readonly got: string;

  constructor(file: string, expected: string, got: string) {
    super(`${file}: expected ${expected}, got ${got}`);
    this.file = file;
    this.expected = expected;
    this.got = got;
  }
}

function asMismatch(error: unknown): Mismatch {
  if (error instanceof Mismatch) return error;
  if (error instanceof LineTooLong) return new Mismatch(LINES_FILE, error.message, 'a longer one');
  if (error instanceof SyntaxError || error instanceof TypeError)
    return new Mismatch(LINES_FILE, 'its form', 'another');
  throw error;
}
