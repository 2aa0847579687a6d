// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { read, ROOT, treeFiles } from './files.ts';

const help = spawnSync(process.execPath, [`${ROOT}src/main/cli.ts`, '--help'], { encoding: 'utf8' });
const commands = new Set([...help.stdout.matchAll(/^ {2}([a-z][a-z-]*)(?: |$)/gm)].map(([, name]) => name));

const helps = new Map<string, string>();

/** What a command says of itself; it must be able to. */
function helpOf(command: string): string {
  const known = helps.get(command);
  if (known !== undefined) return known;
  const own = spawnSync(process.execPath, [`${ROOT}src/main/cli.ts`, ...command.split(' '), '--help'], {
    encoding: 'utf8',
  });
  expect([command, own.status]).toEqual([command, 0]);
  helps.set(command, own.stdout);
  return own.stdout;
}

/** A command with the word behind it, where that is a command of its own. */
function withSubcommand(command: string, rest: string): string {
  const word = /^ ([a-z][a-z-]*)/.exec(rest)?.[1];
  const isOwn =
    word !== undefined && new RegExp(`^ {2}${word} `, 'm').test(helpOf(command).split('Commands:')[1] ?? '');
  return isOwn ? `${command} ${word}` : command;
}

describe('the command line', () => {
  it('shows its commands', () => {
    expect(help.status).toBe(0);
    expect([...commands]).toEqual(
      expect.arrayContaining(['keygen', 'init', 'doctor', 'up', 'connect', 'archive', 'link', 'accounts', 'verify']),
    );
  });

  it('has every command that a document names', () => {
    const documents = treeFiles().filter((file) => file.endsWith('.md'));
    const named = documents.flatMap((file) =>
      [...read(file).matchAll(/(?:npx holdfast|`holdfast) ([a-z][a-z-]*)(?! v1)\b/g)].map(([, command]) => ({
        file,
        command,
      })),
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter(({ command }) => !commands.has(command))).toEqual([]);
  });

  it('has every option that a document shows with a command', () => {
    const shown = treeFiles()
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) => [
        ...read(file)
          .replaceAll(/ \\\n\s*/g, ' ')
          .matchAll(/^ +npx holdfast ([a-z][a-z-]*)( [^#\n]*)?/gm),
      ])
      .flatMap(([line, command = '', rest = '']) =>
        [...rest.matchAll(/ (--[a-z-]+)/g)].map(([, option = '']) => ({
          line,
          command: withSubcommand(command, rest),
          option,
        })),
      );
    expect(shown.length).toBeGreaterThan(20);
    expect(shown.filter(({ command, option }) => !helpOf(command).includes(`  ${option} `))).toEqual([]);
  }, 300_000);

  it('explains every option of every command', () => {
    for (const command of commands) {
      if (command === 'help') continue;
      const text = helpOf(String(command));
      for (const [, option, meaning] of text.matchAll(/^ {2}(--?\S+(?:, --\S+)?(?: <[^>]+>)?) {2,}(.*)$/gm)) {
        expect(meaning, `${command} ${option}`).not.toBe('');
      }
    }
  });
});
