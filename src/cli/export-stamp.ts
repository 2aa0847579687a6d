// SPDX-License-Identifier: AGPL-3.0-or-later
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadConfig, type Config } from '../base/config.ts';
import { assertSafeEnvironment } from '../base/environment.ts';
import type { Stamped } from '../main/stamp.ts';
import type { ConfigOption } from './command.ts';
import { bold, green, openOutput, yellow, type Output } from './output.ts';

interface StampCliOptions extends ConfigOption {
  readonly json: boolean;
}

export function registerExportStamp(program: Command): void {
  program
    .command('stamp')
    .description(
      'Lay beside an export what others say of it: time stamps by the authorities of the config, who see a hash and nothing else, and cosignatures of witnesses',
    )
    .argument('<folder>', 'what `holdfast export` wrote')
    .option('--config <file>', 'the deployment’s config', 'holdfast.yaml')
    .option('--json', 'machine-readable result', false)
    .action(async (folder: string, _options: StampCliOptions, command: Command) => {
      assertSafeEnvironment();
      const options = command.optsWithGlobals<StampCliOptions>();
      const config = loadConfig(options.config);
      const output = openOutput(options.json);
      const result = await stamped(config, resolve(folder));
      output.result(result);
      printStamps(result, folder, output);
      if (result.failed.length > 0) process.exitCode = 1;
    });
}

export async function stamped({ timeStamps, archive, trust }: Config, folder: string): Promise<Stamped> {
  const { stampFolder } = await import('../main/stamp.ts');
  return await stampFolder(folder, { timeStamps, archive: archive.url, s3: archive.s3 ?? null, trust });
}

export function printStamps({ stamped: names, failed, witnessed }: Stamped, folder: string, output: Output): void {
  for (const name of names) output.line(`${bold(green('stamped'))}   ${name}`);
  if (witnessed !== null) output.line(`${bold(green('cosigned'))}  by witnesses, at ${witnessed} leaves`);
  if (failed.length === 0) return;
  output.note(yellow(`not stamped by all (${failed.join(', ')}); again later: holdfast export stamp ${folder}`));
}
