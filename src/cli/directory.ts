// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { codeOf, Failure } from '../base/failure.ts';
import { directoryDeeds, readDirectory } from '../matters/directory-csv.ts';
import { plainLine } from '../search/plain-text.ts';
import { withConfig } from './command.ts';
import { atReader, decide, type ReaderOptions } from './matter-reader.ts';
import { bold, dim, table } from './output.ts';

export function registerDirectory(program: Command): void {
  const directory = program
    .command('directory')
    .description(
      'The agency’s directory: whose an identifier or number is, and from when until when; archived as records',
    );
  withConfig(directory.command('import'))
    .description('Put a new version of the directory into force, from a CSV file: identifier, custodian, from, to')
    .argument('<file>', 'CSV in UTF-8; days such as 2026-11-22, or empty')
    .option('--json', 'machine-readable result', false)
    .action((file: string, options: ReaderOptions) =>
      atReader('directory import', options, async (at) => {
        const rows = readDirectory(textOf(file));
        const deeds = directoryDeeds(rows);
        await decide(at, deeds, `${bold(String(rows.length))} ${rows.length === 1 ? 'row' : 'rows'} imported`);
        at.output.result({ rows: rows.length, parts: deeds.length });
      }),
    );
  withConfig(directory.command('show'))
    .description('Show the version in force')
    .option('--json', 'machine-readable result', false)
    .action((options: ReaderOptions) =>
      atReader('directory show', options, async ({ db, audit, output }) => {
        const found = db.acts.directory();
        const items = found?.rows.length ?? 0;
        await audit.record([{ act: 'report', what: 'directory', matter: null, items }]);
        output.result(found);
        if (found === null) return output.line('no directory was imported yet');
        const day = (ms: number | null): string => (ms === null ? '–' : new Date(ms).toISOString().slice(0, 10));
        output.line(
          table([
            ['IDENTIFIER', 'CUSTODIAN', 'FROM', 'TO'].map(dim),
            ...found.rows.map((row) => [
              plainLine(row.identifier),
              plainLine(row.custodian),
              day(row.fromMs),
              day(row.toMs),
            ]),
          ]),
        );
        output.line(dim(`version ${found.version.slice(0, 8)} of ${new Date(found.atMs).toISOString().slice(0, 19)}Z`));
      }),
    );
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Failure('config/missing', { expected: 'a CSV file', got: codeOf(cause), where: file, cause });
  }
}
