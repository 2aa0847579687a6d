// SPDX-License-Identifier: AGPL-3.0-or-later
import { stringify } from 'csv-stringify/sync';
import { parseQuery } from '../search/query-parse.ts';
import { ALL, ofCustodian, type Query, type QueryNode } from '../search/query.ts';

/** How often a term is found: in all, by it alone, and in how many conversations. */
export interface TermCount {
  readonly term: string;
  /** Null: whoever it was captured from. */
  readonly custodian: string | null;
  readonly hits: number;
  /** Lines that no other term of the report finds. */
  readonly unique: number;
  /** Conversations with a hit: what a hit brings with it when it is produced whole. */
  readonly families: number;
}

export interface Term {
  readonly name: string;
  readonly query: string;
}

/** What counts lines, and conversations that hold some of them. */
export interface TermCounter {
  count(query: Query): Promise<number>;
  families(query: QueryNode | null): Promise<number>;
}

/**
 * Counts for each term, over all and for each custodian, exactly. `wanted`: names of those to count; what is unique is so among all.
 * Throws what a query throws.
 */
export async function termReport(
  counter: TermCounter,
  terms: readonly Term[],
  custodians: readonly string[],
  wanted: readonly string[] | null = null,
): Promise<TermCount[]> {
  const parsed = terms.map(({ name, query }) => ({ name, query: parseQuery(query) }));
  const counts: TermCount[] = [];
  for (const term of parsed) {
    if (wanted !== null && !wanted.includes(term.name)) continue;
    for (const custodian of [null, ...custodians]) {
      const others = parsed.filter((one) => one !== term).map(({ query }) => query);
      const hits = await counter.count(narrowed(term.query, custodian, []));
      const unique = await counter.count(narrowed(term.query, custodian, others));
      const families = await counter.families(narrowed(term.query, custodian, []).root);
      counts.push({ term: term.name, custodian, hits, unique, families });
    }
  }
  return counts;
}

function narrowed({ text, root }: Query, custodian: string | null, without: readonly Query[]): Query {
  const found = custodian === null ? (root ?? ALL) : ofCustodian(root, custodian);
  const nodes = [found, ...without.map((query): QueryNode => ({ op: 'not', node: query.root ?? ALL }))];
  return { text, root: { op: 'and', nodes } };
}

/** One row a term and custodian. What a spreadsheet would run as a formula stays text. */
export function termReportCsv(counts: readonly TermCount[]): string {
  const rows = counts.map(({ term, custodian, hits, unique, families }) => ({
    term,
    custodian: custodian ?? '(all)',
    hits,
    unique,
    families,
  }));
  return stringify(rows, { header: true, escape_formulas: true, record_delimiter: 'windows' });
}
