// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import { openDeployment, withConfig, type ConfigOption } from './command.ts';

export function registerUp(program: Command): void {
  withConfig(program.command('up'))
    .description('Run all roles in one process')
    .option('--confirm-retention', 'locks of more than 30 days are meant: nobody can shorten them', false)
    .action(async (options: ConfigOption & { confirmRetention: boolean }) => {
      const { config, events } = openDeployment(options);
      const { up } = await import('../main/up.ts');
      await up(config, events, options.confirmRetention);
    });
}
