// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import { loadConfig, type Config } from '../base/config.ts';
import { assertSafeEnvironment } from '../base/environment.ts';
import { Events } from '../base/events.ts';
import { openLog } from '../base/log.ts';

export interface ConfigOption {
  readonly config: string;
}

/** Every command that works on a deployment takes the config file, and refuses an unsafe environment first. */
export function withConfig(command: Command): Command {
  return command.option('--config <file>', 'the deployment’s config', 'holdfast.yaml');
}

export function openDeployment({ config: file }: ConfigOption): { config: Config; events: Events } {
  assertSafeEnvironment();
  const config = loadConfig(file);
  return { config, events: new Events(openLog(config.log.level)) };
}
