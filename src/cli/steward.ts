// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import { countOf } from '../base/counted.ts';
import { Failure } from '../base/failure.ts';
import { openDeployment, withConfig, type ConfigOption } from './command.ts';
import { bold, green, openOutput, red, yellow } from './output.ts';

interface StewardOptions extends ConfigOption {
  readonly once: boolean;
  readonly every: string;
  readonly json: boolean;
}

export function registerSteward(program: Command): void {
  withConfig(program.command('steward'))
    .description(
      'Set and lift the store’s legal holds as the log says; a role with the right to do that, and without keys',
    )
    .option('--once', 'one round over the log and the whole store, then stop; 1 if there are findings', false)
    .option('--every <seconds>', 'how often the log is looked at', '60')
    .option('--json', 'machine-readable result, with --once', false)
    .action(async (options: StewardOptions) => {
      const { config, events } = openDeployment(options);
      const { stewardOn, stewardOnce } = await import('../main/steward.ts');
      if (!options.once) return stewardOn(config, events, everyMs(options.every));
      const report = await stewardOnce(config);
      const output = openOutput(options.json);
      output.result(report);
      const { wanted, set, lifted, missing, unlogged, unenforced, holds, checkpoint, ignored } = report;
      const findings = missing.length + unlogged.length;
      output.line(
        `${bold(findings === 0 ? green('held') : red('findings'))}  ${countOf(holds, 'hold')} in force ${holds === 1 ? 'names' : 'name'} ${countOf(wanted, 'object')}, up to checkpoint ${checkpoint}`,
      );
      if (unenforced)
        output.line(yellow('this store has no legal holds: the log says what must stay, nothing enforces it'));
      output.line(`set ${set.length}, lifted ${lifted.length}`);
      if (ignored > 0)
        output.line(
          yellow(
            `of the log’s hold entries ${ignored} ${ignored === 1 ? 'counts' : 'count'} for nothing: see \`holdfast verify\``,
          ),
        );
      for (const key of missing) output.line(red(`missing   ${key}`));
      for (const key of unlogged)
        output.line(red(`unlogged  ${key}: held, and no hold of this log ever named it; left as it is`));
      if (findings > 0) process.exitCode = 1;
    });
}

function everyMs(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text) * 1000;
  throw new Failure('search/query', { expected: 'seconds, from 1 on', got: 'something else', where: '--every' });
}
