// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import { loadConfig } from '../base/config.ts';
import { assertSafeEnvironment } from '../base/environment.ts';
import { Failure } from '../base/failure.ts';
import type { LoggedAct } from '../search/acts-db.ts';
import { describeDeed } from '../search/describe-act.ts';
import { utc } from '../search/describe.ts';
import { plainLine } from '../search/plain-text.ts';
import { withConfig, type ConfigOption } from './command.ts';
import { bold, dim, openOutput, yellow } from './output.ts';
import { stateLine, stateResult } from './search-output.ts';

const MOST_ACTS = 1000;

interface AccessLogOptions extends ConfigOption {
  readonly limit: string;
  readonly after?: string;
  readonly user?: string;
  readonly act?: string;
  readonly leaf?: string;
  readonly json: boolean;
}

export function registerAccessLog(program: Command): void {
  withConfig(program.command('access-log'))
    .description('Show who looked at what: every search, view, export and refusal, as the log of the archive has it')
    .option('--limit <n>', 'acts on a page, newest first', '100')
    .option('--after <mark>', 'the next page: the mark that the page before gave')
    .option('--user <name>', 'only what this user did')
    .option(
      '--act <name>',
      'only acts of this kind: login, search, view, file, export, denial, tag, note, hold, escrow …',
    )
    .option('--leaf <n>', 'only acts about the message whose record has this number in the log')
    .option('--json', 'machine-readable result', false)
    .action(async (options: AccessLogOptions) => {
      assertSafeEnvironment();
      const config = loadConfig(options.config);
      const [{ openIndex }, { audited }] = await Promise.all([import('../main/read.ts'), import('../main/audit.ts')]);
      await audited(config, 'access-log', async (audit) => {
        await using db = openIndex(config);
        const state = await db.state();
        const page = db.acts.accessLog({
          limit: whole(options.limit, '--limit', MOST_ACTS),
          after: options.after ?? null,
          ...(options.user === undefined ? {} : { user: options.user }),
          ...(options.act === undefined ? {} : { act: options.act }),
          ...(options.leaf === undefined ? {} : { leaf: whole(options.leaf, '--leaf', Number.MAX_SAFE_INTEGER) }),
        });
        const what = { act: 'report', what: 'access-log', matter: null, items: page.acts.length } as const;
        await audit.record([{ act: 'login' }, what]);
        const output = openOutput(options.json);
        output.result({ ...page, index: state === null ? null : stateResult(state) });
        for (const act of page.acts) output.line(actLine(act));
        if (page.next !== null) output.line(dim(`more: --after ${page.next}`));
        if (state !== null) output.line(dim(stateLine(state)));
        output.line(dim('What was done since waits in the reader’s spool until it is archived and indexed.'));
      });
    });
}

function actLine({ atMs, by, deed, leaf }: LoggedAct): string {
  const who = `${plainLine(by.user)} ${dim(`(${plainLine(by.reader)}, ${by.via}, session ${by.session.slice(0, 8)})`)}`;
  const name = deed.act === 'denial' ? yellow(deed.act) : bold(deed.act);
  return `${dim(utc(atMs))}  ${who}  ${name}  ${plainLine(describeDeed(deed))}  ${dim(`leaf ${leaf}`)}`;
}

function whole(text: string, option: string, most: number): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  if (number >= 0 && number <= most) return number;
  throw new Failure('search/query', { expected: `0 to ${most}`, got: 'something else', where: option });
}
