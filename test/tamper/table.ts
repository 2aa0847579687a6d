// SPDX-License-Identifier: AGPL-3.0-or-later
import { writeFileSync } from 'node:fs';
import { CATALOGUE, type FindingCode } from '../../src/verify/findings.ts';
import { CORPUS, type Group } from './corpus.ts';

// Writes docs/tampering.md from the corpus: `node test/tamper/table.ts`. A test compares.

export const TABLE = new URL('../../docs/tampering.md', import.meta.url);

const HEAD = `# What tampering is found, and by which code

Every row is tried by \`test/tamper\` on an archive that the real writer made: one change, written and signed again with everything that follows from it
where an insider could do that, and then both verifiers, \`holdfast verify\` and [\`tools/verify.py\`](../tools/README.md). Both must give exactly
these codes; the clean archive gives none. A row without a code is something that is allowed, and must yield nothing. Changes "with
nobody’s keys" are those of whoever can write to the store; "with all keys but the root’s", those of operator, archiver, connectors and log together.

This file is made by \`node test/tamper/table.ts\`.
`;

export function tamperTable(): string {
  const kinds = CORPUS.reduce((sum, { items }) => sum + items.length, 0);
  const codes = new Set(CORPUS.flatMap(({ items }) => items.flatMap((item) => [...item.codes, ...(item.notes ?? [])])));
  const counted = `${kinds} kinds, ${codes.size} codes of ${Object.keys(CATALOGUE).length}.\n`;
  return [HEAD, counted, ...CORPUS.map(section), rest(codes)].join('\n');
}

function section({ title, by, bucket, items }: Group): string {
  const rows = items.map(({ kind, codes, notes }) => {
    const all = [...codes, ...(notes ?? [])].map((code) => `\`${code}\``).join(', ');
    return `| ${kind.replaceAll('|', '\\|')} | ${all} |`;
  });
  const where = bucket ? ', in a bucket' : '';
  return [`## ${title}`, '', `With ${by} keys${where}.`, '', '| what | codes |', '| --- | --- |', ...rows, ''].join(
    '\n',
  );
}

/** Codes that no row yields, so that nobody takes the table for more than it is. */
function rest(tried: ReadonlySet<FindingCode>): string {
  const others = Object.entries(CATALOGUE).filter(([code]) => !tried.has(code as FindingCode));
  const lines = others.map(([code, [severity, meaning]]) => `| \`${code}\` | ${severity} | ${meaning} |`);
  const words = 'Held by tests of their own in `test/verify`, or of what cannot be had in a store.';
  return [
    '## Codes without a row',
    '',
    words,
    '',
    '| code | severity | meaning |',
    '| --- | --- | --- |',
    ...lines,
    '',
  ].join('\n');
}

if (import.meta.main) writeFileSync(TABLE, tamperTable());
