// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import { openDeployment, withConfig, type ConfigOption } from './command.ts';
import { bold, green, openOutput } from './output.ts';

export function registerTiles(program: Command): void {
  withConfig(program.command('tiles'))
    .description('Publish the log as C2SP tiles now; the archiver does it in its own rhythm')
    .option('--rebuild', 'make all of them again from the segments, whatever is there', false)
    .option('--json', 'machine-readable result', false)
    .action(async (options: ConfigOption & { rebuild: boolean; json: boolean }) => {
      const output = openOutput(options.json);
      const { config } = openDeployment(options);
      const { publishTiles } = await import('../main/tiles.ts');
      const { size, written } = await publishTiles(config, options);
      output.result({ size, written });
      output.line(`${bold(green('published'))}  tiles of ${size} leaves, ${written} written`);
    });
}
