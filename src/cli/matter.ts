// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { TAG, type Deed } from '../access/act.ts';
import { Failure } from '../base/failure.ts';
import { matterId } from '../matters/find-matter.ts';
import { targetsOf, type Wanted } from '../matters/targets.ts';
import { keptQuery } from '../search/kept-query.ts';
import { withConfig } from './command.ts';
import { atReader, decide, type AtReader, type ReaderOptions } from './matter-reader.ts';
import { registerMatterShow } from './matter-show.ts';
import { bold } from './output.ts';

type Removable = ReaderOptions & { readonly remove: boolean };

export function registerMatter(program: Command): void {
  const matter = program
    .command('matter')
    .description('Matters: custodians, saved searches, tags and notes that belong together; archived as records');
  registerMatterShow(matter);
  registerNaming(matter);
  registerMembers(matter);
  registerTag(matter);
}

/** A subcommand that decides something about one matter. */
function deciding<Options extends ReaderOptions>(
  name: string,
  options: Options,
  value: string,
  decision: (at: AtReader, matter: string) => Promise<{ deeds: readonly Deed[]; said: string }>,
): Promise<void> {
  return atReader(`matter ${name}`, options, async (at) => {
    const id = matterId(at.db.acts, value);
    const { deeds, said } = await decision(at, id);
    await decide(at, deeds, said);
    at.output.result({ matter: id, acts: deeds.length });
  });
}

function registerNaming(matter: Command): void {
  withConfig(matter.command('create'))
    .description('Begin a matter')
    .argument('<name>', 'what it is called')
    .option('--json', 'machine-readable result', false)
    .action((name: string, options: ReaderOptions) =>
      atReader('matter create', options, async (at) => {
        const id = randomBytes(16).toString('hex');
        await decide(at, [{ act: 'matter', matter: id, name, state: 'open' }], `${bold(id)}  begun`);
        at.output.result({ matter: id });
      }),
    );
  for (const [word, state] of [
    ['close', 'closed'],
    ['reopen', 'open'],
  ] as const) {
    withConfig(matter.command(word))
      .description(`Mark a matter as ${state}; nothing of it is lost`)
      .argument('<matter>', 'its name or id')
      .option('--json', 'machine-readable result', false)
      .action((value: string, options: ReaderOptions) =>
        deciding(word, options, value, async ({ db }, id) => {
          const name = db.acts.mattersCalled(id)[0]?.name ?? '';
          return { deeds: [{ act: 'matter', matter: id, name, state }], said: state };
        }),
      );
  }
}

function registerMembers(matter: Command): void {
  withConfig(matter.command('custodian'))
    .description('Add a custodian to a matter')
    .argument('<matter>', 'its name or id')
    .argument('<custodian>', 'as in the directory')
    .option('--remove', 'remove instead of add', false)
    .option('--json', 'machine-readable result', false)
    .action((value: string, custodian: string, options: Removable) =>
      deciding('custodian', options, value, async (_at, id) => ({
        deeds: [{ act: 'custodian', matter: id, custodian, on: !options.remove }],
        said: options.remove ? 'removed' : 'added',
      })),
    );
  withConfig(matter.command('save'))
    .description('Save a search in a matter, under a name that `saved:` finds')
    .argument('<matter>', 'its name or id')
    .argument('<name>', 'what the search is called')
    .argument('[query...]', 'the query; without one it is taken back')
    .option('--json', 'machine-readable result', false)
    .action((value: string, name: string, words: readonly string[], options: ReaderOptions) =>
      deciding('save', options, value, async (_at, id) => {
        const query = words.length === 0 ? null : keptQuery(words.join(' '));
        return {
          deeds: [{ act: 'saved-search', matter: id, name, query }],
          said: query === null ? 'taken back' : 'saved',
        };
      }),
    );
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

function withTargets(command: Command): Command {
  return command
    .option('--leaf <n>', 'the message of this leaf of the log; repeat for more', collect, [])
    .option('--range <from..to>', 'the lines of a conversation from one leaf to another; repeat for more', collect, [])
    .option('--conversation <name>', 'a whole conversation: #number, title or identifier; repeat for more', collect, [])
    .option('--search <query>', 'everything that a search finds now')
    .option('--json', 'machine-readable result', false);
}

function registerTag(matter: Command): void {
  withTargets(withConfig(matter.command('tag')))
    .description('Tag messages, ranges or conversations: responsive, privileged, issue, or a word of your own')
    .argument('<matter>', 'its name or id')
    .argument('<tag>', 'lower-case letters, digits and -')
    .option('--remove', 'take the tag off', false)
    .action((value: string, tag: string, options: Removable & Wanted) =>
      deciding('tag', options, value, async ({ db }, id) => {
        if (!TAG.test(tag)) {
          throw new Failure('matters/target', {
            expected: 'a tag of a-z, 0-9 and -',
            got: 'another form',
            where: '<tag>',
          });
        }
        const targets = await targetsOf(db, options);
        assertSome(targets.length);
        const deeds = targets.map((target): Deed => ({ act: 'tag', matter: id, tag, on: !options.remove, target }));
        return { deeds, said: `${options.remove ? 'taken off' : 'tagged'}: ${targets.length}` };
      }),
    );
  withTargets(withConfig(matter.command('note')))
    .description('Write a note on a matter, or on a message, range or conversation in it')
    .argument('<matter>', 'its name or id')
    .argument('<text>', 'the note')
    .action((value: string, text: string, options: ReaderOptions & Wanted) =>
      deciding('note', options, value, async ({ db }, id) => {
        const targets = await targetsOf(db, options);
        const about = targets.length === 0 ? [null] : targets;
        return { deeds: about.map((target): Deed => ({ act: 'note', matter: id, text, target })), said: 'noted' };
      }),
    );
}

function assertSome(targets: number): void {
  if (targets > 0) return;
  throw new Failure('matters/target', {
    expected: 'something to tag: --leaf, --range, --conversation or --search with a hit',
    got: 'nothing',
  });
}
