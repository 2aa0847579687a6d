// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import { openDeployment, withConfig, type ConfigOption } from './command.ts';

export function registerConnect(program: Command): void {
  withConfig(program.command('connect'))
    .description('Run the connector: capture, seal, spool, ship through Redis')
    .action(async (options: ConfigOption) => {
      const { config, events } = openDeployment(options);
      const { connect } = await import('../main/connect.ts');
      await connect(config, events);
    });
}
