// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import { loadConfig } from '../base/config.ts';
import type { Check } from '../main/check.ts';
import { withConfig, type ConfigOption } from './command.ts';
import { bold, dim, green, openOutput, red, yellow } from './output.ts';

const MARK = { ok: green('✓'), note: yellow('!'), fail: red('✗') } as const;

export function registerDoctor(program: Command): void {
  withConfig(program.command('doctor'))
    .description('Look at everything this deployment stands on, and say what to mend')
    .option('--policy <file>', 'C2SP policy that auditors hold the log to: whether its quorum can be met')
    .option('--json', 'machine-readable result', false)
    .action(async (options: ConfigOption & { policy?: string; json: boolean }) => {
      const output = openOutput(options.json);
      const { examine } = await import('../main/doctor.ts');
      const checks = await examine(loadConfig(options.config), options.policy ?? null);
      const fails = checks.filter(({ level }) => level === 'fail').length;
      const notes = checks.filter(({ level }) => level === 'note').length;
      output.result({ fails, notes, checks });
      output.line(
        bold(fails === 0 ? green('well') : red(`${fails} to mend`)) + (notes > 0 ? yellow(`, ${notes} to know`) : ''),
      );
      for (const area of new Set(checks.map((check) => check.area))) {
        output.line(`\n${bold(area)}`);
        for (const check of checks.filter((candidate) => candidate.area === area)) output.line(show(check));
      }
      if (fails > 0) process.exitCode = 1;
    });
}

const NAME_WIDTH = 22;

function show({ check, level, expected, got, fix }: Check): string {
  const line = `  ${MARK[level]} ${check.padEnd(NAME_WIDTH)} ${got}`;
  if (level === 'ok') return line;
  return [
    line,
    `      ${dim('expected')} ${expected}`,
    ...(fix === '' ? [] : [`      ${dim('do')}       ${fix}`]),
  ].join('\n');
}
