// SPDX-License-Identifier: AGPL-3.0-or-later
import { countOf } from '../base/counted.ts';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../base/config.ts';
import { assertSafeEnvironment } from '../base/environment.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { DEFAULT_BATES, parseBates } from '../export/bates.ts';
import type { Estimate, ExportOptions, ExportResult, PreparedExport } from '../export/export.ts';
import { FORMATS, type Format } from '../export/formats.ts';
import { PROOFS, type Bates, type Proofs } from '../export/rendering.ts';
import { DEFAULT_CONTEXT, parseRecordIds, type Selection } from '../export/selection.ts';
import { LocalTime } from '../search/local-time.ts';
import { plainLine } from '../search/plain-text.ts';
import { parseQuery } from '../search/query-parse.ts';
import { registerExportCheck } from './export-check.ts';
import { exportProgress } from './export-progress.ts';
import { printStamps, registerExportStamp, stamped } from './export-stamp.ts';
import { withConfig, type ConfigOption } from './command.ts';
import { bold, dim, green, openOutput, yellow, type Output } from './output.ts';
import { ProgressLine } from './progress.ts';

interface ExportCliOptions extends ConfigOption {
  readonly conversation?: string;
  readonly records?: string;
  readonly format: string;
  readonly out?: string;
  readonly context: string;
  readonly whole: string;
  readonly zone: string;
  readonly bates: string;
  readonly proofs: string;
  readonly estimate: boolean;
  readonly json: boolean;
}

export function registerExport(program: Command): void {
  const command = withConfig(program.command('export'));
  registerExportCheck(command);
  registerExportStamp(command);
  command
    .description(
      'Write messages, with what is around them, as RSMF, JSONL, CSV, HTML or PDF, with a statement of completeness',
    )
    .argument('[query...]', 'what to export, in the language of search; or give --conversation or --records')
    .option('--conversation <name>', 'a whole conversation: #number, title, or the other one’s name')
    .option('--records <file>', 'the messages of these records: their ids, one a line')
    .option('--format <list>', `formats, with commas between: ${FORMATS.join(', ')}`, FORMATS.join(','))
    .option('--out <folder>', 'where to write; it must not exist yet')
    .option('--context <n>', 'messages before and after each hit', String(DEFAULT_CONTEXT.around))
    .option('--whole <n>', 'a conversation of up to this many messages comes whole', String(DEFAULT_CONTEXT.wholeUpTo))
    .option('--zone <zone>', 'IANA time zone of days in the query and of all times that people read', 'UTC')
    .option('--bates <number>', 'Bates number of the first page', DEFAULT_BATES)
    .option('--proofs <what>', `what to prove of the records: ${PROOFS.join(', ')}`, 'records' satisfies Proofs)
    .option('--estimate', 'say how much it would be, and write nothing', false)
    .option('--json', 'machine-readable summary', false)
    .action(async (words: readonly string[], options: ExportCliOptions) => {
      assertSafeEnvironment();
      const chosen = exportOptions(words, options);
      const out = outOf(options);
      const config = loadConfig(options.config);
      const [{ withExport }, { audited }] = await Promise.all([
        import('../main/export.ts'),
        import('../main/audit.ts'),
      ]);
      const output = openOutput(options.json);
      const progress = new ProgressLine();
      const onProgress = exportProgress(progress);
      await audited(config, 'export', async (audit) => {
        await audit.record([{ act: 'login' }]);
        return await withExport(config, audit, chosen, onProgress, async (prepared) => {
          progress.clear();
          for (const name of prepared.unmatched) output.note(yellow(`nothing here is called ${plainLine(name)}`));
          if (out === null) {
            const items = prepared.estimate.lines;
            await audit.record([{ act: 'report', what: 'estimate of an export', matter: null, items }]);
            return estimated(output, prepared);
          }
          output.note(dim(estimateLine(prepared.estimate)));
          const result = await prepared.write(out, onProgress);
          progress.clear();
          const stamps = await stamped(config, out);
          output.result({ ...result, stamps });
          if (!options.json) printResult(output, result);
          printStamps(stamps, out, output);
        });
      });
    });
}

function exportOptions(words: readonly string[], options: ExportCliOptions): ExportOptions {
  const zone = new LocalTime(options.zone);
  return {
    selection: selectionOf(words.join(' ').trim(), options),
    rule: { around: numberOf(options.context, '--context'), wholeUpTo: numberOf(options.whole, '--whole') },
    formats: formatsOf(options.format),
    zone,
    bates: batesOf(options.bates),
    proofs: proofsOf(options.proofs),
  };
}

function selectionOf(text: string, { conversation, records, zone }: ExportCliOptions): Selection {
  const given = [text === '' ? undefined : text, conversation, records].filter((one) => one !== undefined);
  if (given.length !== 1) {
    throw optionFailure('a query, --conversation or --records: one of them', String(given.length), 'the selection');
  }
  if (conversation !== undefined) return { by: 'conversation', name: conversation };
  if (records !== undefined) return { by: 'records', ids: parseRecordIds(readList(records)) };
  return { by: 'query', query: parseQuery(text, new LocalTime(zone)) };
}

function readList(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw optionFailure('a file with ids of records', codeOf(cause), file);
  }
}

function formatsOf(text: string): Format[] {
  const names = text.split(',').map((name) => name.trim().toLowerCase());
  const formats = FORMATS.filter((format) => names.includes(format));
  if (formats.length === new Set(names).size) return formats;
  throw optionFailure(`some of ${FORMATS.join(', ')}, with commas between`, 'something else', '--format');
}

function numberOf(text: string, where: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw optionFailure('a whole number', 'something else', where);
}

function batesOf(text: string): Bates {
  const bates = parseBates(text);
  if (bates !== null) return bates;
  throw optionFailure('letters and then digits, such as DOT0000001', 'something else', '--bates');
}

function proofsOf(text: string): Proofs {
  const proofs = PROOFS.find((one) => one === text);
  if (proofs !== undefined) return proofs;
  throw optionFailure(`one of ${PROOFS.join(', ')}`, 'something else', '--proofs');
}

function outOf({ out, estimate }: ExportCliOptions): string | null {
  if (estimate) return null;
  if (out !== undefined) return resolve(out);
  throw optionFailure('--out with a folder that does not exist yet, or --estimate', 'neither', '--out');
}

function optionFailure(expected: string, got: string, where: string): Failure {
  return new Failure('export/option', { expected, got, where });
}

function estimated(output: Output, { estimate }: PreparedExport): void {
  output.result(estimate);
  output.line(estimateLine(estimate));
}

function estimateLine({ conversations, lines, hits, files, fileBytes }: Estimate): string {
  const around = `${countOf(lines, 'line')} of ${countOf(conversations, 'conversation')}`;
  return `${countOf(hits, 'hit')}; with what is around: ${around}, ${countOf(files, 'file')} of ${sizeText(fileBytes)}`;
}

function sizeText(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function printResult(output: Output, result: ExportResult): void {
  const { out, lines, written, bytes, gaps, checkpoint, filesMissing, filesCorrupt, manifestSha256 } = result;
  output.line(
    `${bold(green('exported'))}  ${countOf(lines, 'line')} into ${countOf(written, 'file')}, ${sizeText(bytes)}: ${out}`,
  );
  if (gaps > 0) output.line(yellow(`${countOf(gaps, 'gap')} within its span: see completeness.txt`));
  if (filesMissing + filesCorrupt > 0) {
    output.line(
      yellow(`${countOf(filesMissing + filesCorrupt, 'file')} of the archive could not be given: see completeness.txt`),
    );
  }
  output.line(dim(`complete up to checkpoint ${checkpoint.size} (${checkpoint.at}); manifest ${manifestSha256}`));
}
