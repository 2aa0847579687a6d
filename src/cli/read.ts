// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import type { IndexProgress } from '../search/indexer.ts';
import type { Served } from '../main/web.ts';
import { openDeployment, withConfig, type ConfigOption } from './command.ts';
import { bold, green, openOutput, yellow } from './output.ts';
import { ProgressLine } from './progress.ts';
import { stateLine, stateResult } from './search-output.ts';

interface ReadCliOptions extends ConfigOption {
  readonly once: boolean;
  readonly rebuild: boolean;
  readonly serve: boolean;
  readonly json: boolean;
}

export function registerRead(program: Command): void {
  withConfig(program.command('read'))
    .description('Follow the log, verify it, open it with the reader key, and keep the index that search and show use')
    .option('--once', 'stop when the index is complete up to the log’s checkpoint', false)
    .option('--rebuild', 'delete the index first: it is built again from the archive alone', false)
    .option('--serve', 'serve the API on this machine as well, for whoever holds the token it names', false)
    .option('--json', 'machine-readable result, with --once', false)
    .action(async (options: ReadCliOptions) => {
      const { config, events } = openDeployment(options);
      const { readOn, readOnce, shipOnce } = await import('../main/read.ts');
      const progress = new ProgressLine();
      const settings = { rebuild: options.rebuild, onProgress: shownOn(progress) };
      if (!options.once) return readOn(config, events, { ...settings, serves: options.serve, onServed });
      const isShipped = await shipOnce(config, events);
      const state = await readOnce(config, settings);
      progress.clear();
      const output = openOutput(options.json);
      output.result(state === null ? null : stateResult(state));
      if (!isShipped) output.note(yellow('some records of what was looked at still wait in the reader’s spool'));
      if (state !== null) output.line(`${bold(green('indexed'))}  ${stateLine(state)}`);
    });
}

function onServed({ address, tokenFile }: Served): void {
  const how = tokenFile === null ? `sign on at ${address}/sign-on` : `its token is in ${tokenFile}`;
  process.stderr.write(`the API is served at ${bold(`${address}/api/v1`)}; ${how}\n`);
}

function shownOn(line: ProgressLine): (progress: IndexProgress) => void {
  const startMs = performance.now();
  return ({ records, bytes, totalBytes }) => {
    const elapsedMs = Math.max(1, performance.now() - startMs);
    const leftMs = bytes === 0 ? null : (elapsedMs * Math.max(0, totalBytes - bytes)) / bytes;
    const recordsPerSecond = (1000 * records) / elapsedMs;
    line.show({ step: 'indexing', records, bytes, totalBytes, recordsPerSecond, leftMs, elapsedMs });
  };
}
