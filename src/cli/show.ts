// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import type { Audit } from '../access/audit.ts';
import { loadConfig } from '../base/config.ts';
import { assertSafeEnvironment } from '../base/environment.ts';
import { describeGap, describeLine } from '../search/describe.ts';
import type { IndexDb, ShownLine } from '../search/index-db.ts';
import { LocalTime } from '../search/local-time.ts';
import { oneConversation } from '../search/one-conversation.ts';
import { plainLine } from '../search/plain-text.ts';
import { withConfig, type ConfigOption } from './command.ts';
import { bold, dim, openOutput, table, yellow, type Output } from './output.ts';
import { stateLine, stateResult, zoneLine } from './search-output.ts';

const PAGE_LINES = 500;
/** Shown only when asked for: nobody says them, and they are many. */
const QUIET: ReadonlySet<string> = new Set(['typing', 'empty', 'sync', 'intakes']);

interface ShowCliOptions extends ConfigOption {
  readonly all: boolean;
  readonly zone: string;
  readonly json: boolean;
}

export function registerShow(program: Command): void {
  withConfig(program.command('show'))
    .description('Show a conversation, with every version of every message; without a name, list the conversations')
    .argument('[conversation]', '#number, title, the messenger’s identifier, or the other one’s name or number')
    .option('--all', 'typing notices and empty frames as well', false)
    .option('--zone <name>', 'time zone of times shown, such as America/New_York', 'UTC')
    .option('--json', 'one JSON object a line', false)
    .action(async (name: string | undefined, options: ShowCliOptions) => {
      assertSafeEnvironment();
      const time = new LocalTime(options.zone);
      const config = loadConfig(options.config);
      const [{ openIndex }, { audited }] = await Promise.all([import('../main/read.ts'), import('../main/audit.ts')]);
      await audited(config, 'show', async (audit) => {
        await using db = openIndex(config);
        await audit.record([{ act: 'login' }]);
        const output = openOutput(options.json);
        if (name === undefined) return await list(db, audit, output, time);
        const conversation = oneConversation(await db.conversationsCalled(name));
        return await show(db, audit, conversation, { output, time, all: options.all });
      });
    });
}

async function list(db: IndexDb, audit: Audit, output: Output, time: LocalTime): Promise<void> {
  const conversations = await db.conversations();
  await audit.record([{ act: 'view', leaf: null, lines: conversations.length }]);
  output.result(conversations);
  output.line(
    table([
      ['NUMBER', 'APP', 'KIND', 'LINES', 'LAST', 'TITLE'].map(dim),
      ...conversations.map(({ id, app, type, lines, lastMs, title }) => [
        `#${id}`,
        app,
        type,
        String(lines),
        lastMs === null ? '–' : time.text(lastMs),
        plainLine(title),
      ]),
    ]),
  );
}

interface Manner {
  readonly output: Output;
  readonly time: LocalTime;
  readonly all: boolean;
}

/** Page by page: however long a conversation is, only a page of it is in memory, and each is recorded before it is shown. */
async function show(db: IndexDb, audit: Audit, conversation: number, { output, time, all }: Manner): Promise<void> {
  let after: number | null = null;
  let hidden = 0;
  for (;;) {
    const page = await db.lines(conversation, { after, limit: PAGE_LINES });
    const leaf = page.lines[0]?.line.leaves[0] ?? null;
    await audit.record([{ act: 'view', leaf, lines: page.lines.length }]);
    for (const shown of page.lines) {
      if (output.json) process.stdout.write(`${jsonLine(shown)}\n`);
      else if (all || !QUIET.has(shown.line.kind)) printLine(output, shown, time);
      else hidden += 1;
    }
    after = page.next;
    if (after !== null) continue;
    for (const gap of await db.gaps(conversation)) {
      if (output.json) process.stdout.write(`${JSON.stringify({ gap })}\n`);
      else output.line(yellow(describeGap(gap, time)));
    }
    if (output.json) process.stdout.write(`${JSON.stringify({ index: stateResult(page.state) })}\n`);
    if (hidden > 0) output.line(dim(`${hidden} typing notices and empty frames are not shown: --all`));
    output.line(dim(`${zoneLine(time)}${stateLine(page.state)}`));
    return;
  }
}

function printLine(output: Output, shown: ShownLine, time: LocalTime): void {
  const { who, said, below } = describeLine(shown, time);
  const [first = '', ...rest] = said;
  output.line(`${dim(time.text(shown.atMs))}  ${who === '' ? '' : `${bold(who)}  `}${first}`);
  for (const line of rest) output.line(`    ${line}`);
  for (const line of below) output.line(dim(`      ${line}`));
}

function jsonLine({ id, atMs, line, people, members }: ShownLine): string {
  return JSON.stringify({ id, at: new Date(atMs).toISOString(), ...line, people: [...people.values()], members });
}
