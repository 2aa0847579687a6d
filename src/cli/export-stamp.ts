// SPDX-License-Identifier: AGPL-3.0-or-later
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadConfig, type Config } from '../base/config.ts';
import { assertSafeEnvironment } from '../base/environment.ts';
import { Failure } from '../base/failure.ts';
import type { StampResult } from '../export/stamps/stamp.ts';
import { countOf } from '../search/describe.ts';
import type { ConfigOption } from './command.ts';
import { bold, green, openOutput, yellow, type Output } from './output.ts';

interface StampCliOptions extends ConfigOption {
  readonly json: boolean;
}

export function registerExportStamp(program: Command): void {
  program
    .command('stamp')
    .description(
      'Have an export’s manifest stamped by the time-stamping authorities of the config: they see a hash, nothing else',
    )
    .argument('<folder>', 'what `holdfast export` wrote')
    .option('--config <file>', 'the deployment’s config', 'holdfast.yaml')
    .option('--json', 'machine-readable result', false)
    .action(async (folder: string, _options: StampCliOptions, command: Command) => {
      assertSafeEnvironment();
      const options = command.optsWithGlobals<StampCliOptions>();
      const config = loadConfig(options.config);
      const output = openOutput(options.json);
      if (config.timeStamps.length === 0) {
        throw new Failure('config/missing-part', {
          expected: '`timeStamps` for stamping exports',
          got: 'none',
          fix: 'name authorities in the config; see docs/config.md',
        });
      }
      const result = await stamped(config, resolve(folder));
      output.result(result);
      printStamps(result, folder, output);
      if (result.failed.length > 0) process.exitCode = 1;
    });
}

/** Empty where the config names no authority. */
export async function stamped(config: Config, folder: string): Promise<StampResult> {
  if (config.timeStamps.length === 0) return { stamped: [], failed: [] };
  // Loaded only where authorities are named: it takes an ASN.1 library.
  const [{ stampExport }, { timeAuthorities }] = await Promise.all([
    import('../export/stamps/stamp.ts'),
    import('../main/time-authorities.ts'),
  ]);
  return await stampExport(folder, timeAuthorities(config), new AbortController().signal);
}

export function printStamps({ stamped: names, failed }: StampResult, folder: string, output: Output): void {
  for (const name of names) output.line(`${bold(green('stamped'))}   ${name}`);
  if (failed.length === 0) return;
  const who = countOf(failed.length, 'time-stamping authority').replace('authoritys', 'authorities');
  output.note(yellow(`no time stamp by ${who} (${failed.join(', ')}); later: holdfast export stamp ${folder}`));
}
