// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import { Failure } from '../base/failure.ts';
import { matterId } from '../matters/find-matter.ts';
import { termReport, termReportCsv, type Term, type TermCounter } from '../matters/term-report.ts';
import type { Matter } from '../search/acts-db.ts';
import { describeScope, describeTarget } from '../search/describe-act.ts';
import { utc } from '../search/describe.ts';
import { plainLine } from '../search/plain-text.ts';
import { withConfig } from './command.ts';
import { atReader, type AtReader, type ReaderOptions } from './matter-reader.ts';
import { bold, dim, table, type Output } from './output.ts';

export function registerMatterShow(matter: Command): void {
  withConfig(matter.command('list'))
    .description('List the matters')
    .option('--json', 'machine-readable result', false)
    .action((options: ReaderOptions) =>
      atReader('matter list', options, async ({ db, audit, output }) => {
        const matters = db.acts.matters();
        await audit.record([{ act: 'report', what: 'matters', matter: null, items: matters.length }]);
        output.result(matters);
        output.line(table([['ID', 'STATE', 'TAGS', 'SEARCHES', 'HOLDS', 'NAME'].map(dim), ...matters.map(row)]));
      }),
    );
  withConfig(matter.command('show'))
    .description('Show a matter with all that belongs to it')
    .argument('<matter>', 'its name or id')
    .option('--json', 'machine-readable result', false)
    .action((value: string, options: ReaderOptions) =>
      atReader('matter show', options, async (at) => {
        const found = known(at, value);
        const items = found.tags.length + found.notes.length;
        await at.audit.record([{ act: 'report', what: 'matter', matter: found.matter, items }]);
        at.output.result(found);
        print(at.output, found);
      }),
    );
  registerReport(matter);
}

function registerReport(matter: Command): void {
  withConfig(matter.command('report'))
    .description('Count what each saved search of a matter finds: hits, hits of its own, conversations, by custodian')
    .argument('<matter>', 'its name or id')
    .option('--csv', 'as CSV', false)
    .option('--json', 'machine-readable result', false)
    .action((value: string, options: ReaderOptions & { readonly csv: boolean }) =>
      atReader('matter report', options, async (at) => {
        const { matter: id, searches, custodians } = known(at, value);
        const terms: Term[] = searches.map(({ name, query }) => ({ name, query }));
        const counts = await termReport(counterOf(at), terms, custodians);
        await at.audit.record([{ act: 'report', what: 'terms', matter: id, items: counts.length }]);
        at.output.result(counts);
        if (options.csv && !options.json) process.stdout.write(termReportCsv(counts));
        if (options.csv) return;
        const rows = counts.map(({ term, custodian, hits, unique, families }) => [
          String(hits),
          String(unique),
          String(families),
          plainLine(custodian ?? '(all)'),
          plainLine(term),
        ]);
        at.output.line(table([['HITS', 'UNIQUE', 'FAMILIES', 'CUSTODIAN', 'SEARCH'].map(dim), ...rows]));
      }),
    );
}

function counterOf({ db }: AtReader): TermCounter {
  return { count: (query) => db.count(query), families: async (root) => db.acts.families(root) };
}

function known({ db }: AtReader, value: string): Matter {
  const id = matterId(db.acts, value);
  const found = db.acts.matters().find(({ matter }) => matter === id);
  if (found !== undefined) return found;
  throw new Failure('matters/not-found', { expected: 'a matter that is indexed', got: 'an id that no matter has yet' });
}

function row({ matter, state, tags, searches, holds, name }: Matter): string[] {
  return [matter.slice(0, 8), state, ...[tags, searches, holds].map(({ length }) => String(length)), plainLine(name)];
}

function print(output: Output, { matter, name, state, custodians, searches, tags, notes, holds }: Matter): void {
  output.line(`${bold(plainLine(name))}  ${state}  ${dim(matter)}`);
  for (const custodian of custodians) output.line(`  custodian  ${plainLine(custodian)}`);
  for (const search of searches) output.line(`  search     ${plainLine(search.name)}: ${plainLine(search.query)}`);
  for (const { hold, scope } of holds)
    output.line(`  hold       ${hold.slice(0, 8)} on ${plainLine(describeScope(scope))}`);
  for (const { tag, target, atMs, user } of tags) {
    output.line(`  ${tag}  ${describeTarget(target)}  ${dim(`${plainLine(user)} ${utc(atMs)}`)}`);
  }
  for (const { text, target, atMs, user } of notes) {
    const on = target === null ? '' : ` on ${describeTarget(target)}`;
    output.line(`  note${on}  ${plainLine(text)}  ${dim(`${plainLine(user)} ${utc(atMs)}`)}`);
  }
}
