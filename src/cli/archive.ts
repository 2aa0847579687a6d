// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import { openDeployment, withConfig, type ConfigOption } from './command.ts';

export function registerArchive(program: Command): void {
  withConfig(program.command('archive'))
    .description('Run the archiver: order, pack, lock, sign')
    .option('--confirm-retention', 'locks of more than 30 days are meant: nobody can shorten them', false)
    .action(async (options: ConfigOption & { confirmRetention: boolean }) => {
      const { config, events } = openDeployment(options);
      const { archive } = await import('../main/archive.ts');
      await archive(config, events, options.confirmRetention);
    });
}
