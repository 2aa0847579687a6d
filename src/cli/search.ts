// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import { loadConfig } from '../base/config.ts';
import { assertSafeEnvironment } from '../base/environment.ts';
import { Failure } from '../base/failure.ts';
import { called } from '../search/describe.ts';
import type { Hit, HitPage, SearchOrder } from '../search/index-db.ts';
import { LocalTime } from '../search/local-time.ts';
import { plainLine } from '../search/plain-text.ts';
import { parseQuery } from '../search/query-parse.ts';
import type { Query } from '../search/query.ts';
import { snippetOf } from '../search/snippet.ts';
import { withConfig, type ConfigOption } from './command.ts';
import { bold, dim, openOutput, yellow, type Output } from './output.ts';
import { stateLine, stateResult, zoneLine } from './search-output.ts';

const ORDERS: readonly SearchOrder[] = ['newest', 'oldest', 'relevance'];
const MOST_HITS = 1000;

interface SearchCliOptions extends ConfigOption {
  readonly order: string;
  readonly limit: string;
  readonly after?: string;
  readonly zone: string;
  readonly json: boolean;
}

export function registerSearch(program: Command): void {
  withConfig(program.command('search'))
    .description(
      'Find messages: words, "phrases", begin*, -not, OR, (…), from: to: in: on: before: after: has: kind: …',
    )
    .argument('<query...>', 'the query; several arguments are one query. Put -- before one that begins with -')
    .option('--order <order>', 'newest, oldest or relevance', 'newest')
    .option('--limit <n>', 'hits on a page', '50')
    .option('--after <mark>', 'the next page: the mark that the page before gave')
    .option('--zone <name>', 'time zone of days in the query and of times shown, such as America/New_York', 'UTC')
    .option('--json', 'machine-readable result', false)
    .action(async (words: readonly string[], options: SearchCliOptions) => {
      assertSafeEnvironment();
      const page = { order: orderOf(options.order), limit: limitOf(options.limit), after: options.after ?? null };
      const time = new LocalTime(options.zone);
      const query = parsed(words.join(' '), time);
      const config = loadConfig(options.config);
      const [{ openIndex }, { audited }] = await Promise.all([import('../main/read.ts'), import('../main/audit.ts')]);
      await audited(config, 'search', async (audit) => {
        await using db = openIndex(config);
        const found = await db.search(query, page);
        const total = await db.count(query);
        const shown = found.hits.map(({ leaf }) => leaf);
        await audit.record([
          { act: 'login' },
          { act: 'search', query: query.text, order: page.order, hits: total, shown },
        ]);
        const output = openOutput(options.json);
        output.result(resultOf(found, total, query, time));
        if (!options.json) printHits(output, found, total, query, time);
      });
    });
}

/** Shows whoever asked where the query went wrong: it is their own text, on their own terminal. */
function parsed(text: string, time: LocalTime): Query {
  try {
    return parseQuery(text, time);
  } catch (error) {
    const at = error instanceof Failure ? /^character (\d+)/.exec(error.detail.where ?? '')?.[1] : undefined;
    if (at !== undefined && text.length < 500) {
      process.stderr.write(`${plainLine(text)}\n${' '.repeat(Math.max(0, Number(at) - 1))}^\n`);
    }
    throw error;
  }
}

function orderOf(text: string): SearchOrder {
  const order = ORDERS.find((one) => one === text);
  if (order !== undefined) return order;
  throw new Failure('search/query', { expected: ORDERS.join(', '), got: 'something else', where: '--order' });
}

function limitOf(text: string): number {
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MOST_HITS) return limit;
  throw new Failure('search/query', { expected: `1 to ${MOST_HITS}`, got: 'something else', where: '--limit' });
}

function resultOf({ hits, next, unmatched, state }: HitPage, total: number, { root }: Query, time: LocalTime): unknown {
  const shown = hits.map((hit) => ({
    ...hit,
    at: new Date(hit.atMs).toISOString(),
    local: time.text(hit.atMs),
    snippet: snippetOf(hit.text, root),
  }));
  return { total, hits: shown, next, unmatched, zone: time.zone, index: stateResult(state) };
}

function printHits(
  output: Output,
  { hits, next, unmatched, state }: HitPage,
  total: number,
  { root }: Query,
  time: LocalTime,
): void {
  output.line(bold(`${total} ${total === 1 ? 'hit' : 'hits'}`));
  for (const name of unmatched) output.note(yellow(`nobody and nothing here is called ${plainLine(name)}`));
  for (const hit of hits) {
    output.line(
      `${dim(time.text(hit.atMs))}  ${bold(who(hit))}  ${dim(`${plainLine(hit.title)} #${hit.conversation ?? '–'}`)}${marks(hit)}`,
    );
    const snippet = snippetOf(hit.text, root).map(({ text, hit: isHit }) =>
      isHit ? yellow(plainLine(text)) : plainLine(text),
    );
    output.line(`    ${snippet.join('') || dim(`(${hit.kind})`)}`);
  }
  if (next !== null) output.line(dim(`more: --after ${next}`));
  output.line(dim(`${zoneLine(time)}${stateLine(state)}`));
}

const who = ({ author, kind }: Hit): string => (author === null ? `(${kind})` : plainLine(called(author)));

function marks({ edited, deleted, copies, kind }: Hit): string {
  const words = [
    ...(kind === 'message' ? [] : [kind]),
    ...(edited ? ['edited'] : []),
    ...(deleted ? ['deleted'] : []),
    ...(copies > 1 ? [`captured ${copies} times`] : []),
  ];
  return words.length === 0 ? '' : `  ${yellow(words.join(', '))}`;
}
