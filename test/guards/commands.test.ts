// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { read, ROOT, treeFiles } from './files.ts';

const help = spawnSync(process.execPath, [`${ROOT}src/main/cli.ts`, '--help'], { encoding: 'utf8' });
const commands = new Set([...help.stdout.matchAll(/^ {2}([a-z]+)(?: |$)/gm)].map(([, name]) => name));

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
      [...read(file).matchAll(/(?:npx holdfast|`holdfast) ([a-z]+)(?! v1)\b/g)].map(([, command]) => ({
        file,
        command,
      })),
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter(({ command }) => !commands.has(command))).toEqual([]);
  });

  it('explains every option of every command', () => {
    for (const command of commands) {
      if (command === 'help') continue;
      const own = spawnSync(process.execPath, [`${ROOT}src/main/cli.ts`, String(command), '--help'], {
        encoding: 'utf8',
      });
      expect(own.status).toBe(0);
      for (const [, option, text] of own.stdout.matchAll(/^ {2}(--?\S+(?:, --\S+)?(?: <[^>]+>)?) {2,}(.*)$/gm)) {
        expect(text, `${command} ${option}`).not.toBe('');
      }
    }
  });
});
