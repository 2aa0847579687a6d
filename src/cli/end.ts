// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { openDeployment, withConfig, type ConfigOption } from './command.ts';
import { writeNew } from './keygen.ts';
import { bold, openOutput } from './output.ts';

interface EndOptions extends ConfigOption {
  readonly link: string;
  readonly newLog: string;
  readonly out: string;
  readonly json: boolean;
}

export function registerEnd(program: Command): void {
  withConfig(program.command('end'))
    .description('End this log with the link that the root signed, and write what the log that follows begins with')
    .requiredOption('--link <file>', 'link.json, from `holdfast successor`')
    .requiredOption('--new-log <file>', 'private log key of the log that follows')
    .requiredOption('--out <file>', 'where the document goes that the next config names as `predecessor`')
    .option('--json', 'machine-readable result', false)
    .action(async (options: EndOptions) => {
      const output = openOutput(options.json);
      const { config, events } = openDeployment(options);
      const { endWith } = await import('../main/end.ts');
      const { link, predecessor } = await endWith(config, events, options.link, options.newLog);
      // A run that was cut short, or not seen to end, is run again: the same bytes are no other document.
      if (!isAlready(options.out, `${predecessor}\n`)) writeNew(options.out, `${predecessor}\n`, 0o644);
      output.result({ predecessor: options.out, ended: link.from.name, next: link.to.name, cause: link.cause });
      const how =
        link.cause === 'exchanged' ? 'has ended: nothing is ever written to it again' : `counts to where the root says`;
      output.line(`${bold(link.from.name)} ${how}.`);
      output.line(
        `${options.out} written. Name it as \`predecessor\` in the archiver’s config of ${link.to.name}, and start that.`,
      );
    });
}

const isAlready = (file: string, text: string): boolean => existsSync(file) && readFileSync(file, 'utf8') === text;
