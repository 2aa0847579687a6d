// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { searchPath } from '../services/packages.ts';
import { temporaryDirectory } from '../support/spool-kit.ts';
import { DEPLOY, readCompose } from './compose-file.ts';
import { PROJECT } from './image.ts';

const PROGRAM = /\/cli\.js$/;

/** The program as its entry point puts it together, but that commands only say that they would run. */
async function program(): Promise<{ root: Command; ran: string[] }> {
  const root = new Command('holdfast').exitOverride().configureOutput({ writeErr: () => undefined });
  const entry = readFileSync(join(PROJECT, 'src', 'main', 'cli.ts'), 'utf8');
  for (const [, name = '', file = ''] of entry.matchAll(
    /^import \{ (register\w+) \} from '\.\.\/(cli\/[\w-]+\.ts)';$/gm,
  )) {
    const module = (await import(join(PROJECT, 'src', file))) as Record<string, (command: Command) => void>;
    module[name]?.(root);
  }
  const ran: string[] = [];
  const tamed = (command: Command): void => {
    if (command.commands.length === 0) command.action(() => void ran.push(command.name()));
    command.exitOverride().configureOutput({ writeErr: () => undefined });
    for (const one of command.commands) tamed(one);
  };
  tamed(root);
  return { root, ran };
}

/** What stands behind the program, or behind our image, which starts it. */
function wordsOf(words: readonly string[], isOurs: boolean): string[] | null {
  const at = words.findIndex((word) => PROGRAM.test(word));
  if (at >= 0) return words.slice(at + 1);
  return isOurs && words.length > 0 && !words.some((word) => word.startsWith('/app/')) ? [...words] : null;
}

function ofUnits(): [string, string[]][] {
  const directory = join(DEPLOY, 'systemd');
  return readdirSync(directory).flatMap((name) =>
    [...readFileSync(join(directory, name), 'utf8').matchAll(/^ExecStart=(.*)$/gm)].map(
      ([, line = '']): [string, string[]] => [name, wordsOf(line.split(' '), false) ?? []],
    ),
  );
}

function ofCompose(): [string, string[]][] {
  const { services } = readCompose(new Proxy({}, { get: () => 'x' }));
  return Object.entries(services).flatMap(([name, { image, entrypoint = [], command = [], healthcheck }]) => {
    const isOurs = image.startsWith('localhost/holdfast:');
    const probe = 'test' in healthcheck && PROGRAM.test(healthcheck.test[3] ?? '') ? healthcheck.test : [];
    // The daily verification puts this word in front of those it is given.
    const given = name === 'auditor-daily' ? command.toSpliced(1, 0, 'verify') : command;
    return [[...entrypoint, ...given], probe].flatMap((words): [string, string[]][] => {
      const found = wordsOf(words, isOurs);
      return found === null || found.length === 0 ? [] : [[`compose: ${name}`, found]];
    });
  });
}

const started = z.object({
  image: z.string(),
  command: z.array(z.string()).default([]),
  args: z.array(z.string()).default([]),
});

function ofKubernetes(): [string, string[]][] {
  const directory = join(DEPLOY, 'kubernetes');
  return readdirSync(directory).flatMap((file) => {
    const found: [string, string[]][] = [];
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      const one = started.safeParse(value);
      const words = one.success
        ? wordsOf([...one.data.command, ...one.data.args], one.data.image.includes('/holdfast:'))
        : null;
      if (words !== null) found.push([file, words]);
      for (const member of Object.values(value)) walk(member);
    };
    for (const document of parseAllDocuments(readFileSync(join(directory, file), 'utf8'))) walk(document.toJS());
    return found;
  });
}

const LINES = [...ofUnits(), ...ofCompose(), ...ofKubernetes()];

describe('what deploy/ starts', () => {
  it('is found in every kind of file, and is every role', () => {
    const roles = (lines: [string, string[]][]): Set<string | undefined> => new Set(lines.map(([, [role]]) => role));
    for (const role of ['connect', 'archive', 'verify', 'witness', 'steward']) {
      for (const lines of [ofUnits(), ofCompose(), ofKubernetes()]) expect(roles(lines)).toContain(role);
    }
    for (const lines of [ofUnits(), ofKubernetes()]) expect(roles(lines)).toContain('read');
    expect(roles(ofUnits())).toContain('hold');
  });

  it.each(LINES)('%s: the program takes %j', async (_file, words) => {
    const { root, ran } = await program();
    await root.parseAsync(words, { from: 'user' });
    expect(ran).toHaveLength(1);
  });

  it('would be refused with an option that there is not', async () => {
    const { root } = await program();
    await expect(root.parseAsync(['steward', '--keys', 'x'], { from: 'user' })).rejects.toThrow(/unknown option/);
    await expect(root.parseAsync(['witness', '--name', 'x'], { from: 'user' })).rejects.toThrow(/required option/);
  });

  it('is what systemd takes for units', () => {
    const [from, to] = [join(DEPLOY, 'systemd'), temporaryDirectory()];
    const names = readdirSync(from);
    for (const name of names) {
      const text = readFileSync(join(from, name), 'utf8');
      // Where the program is elsewhere on this machine.
      writeFileSync(join(to, name), text.replaceAll('/usr/local/bin/node', process.execPath));
    }
    const files = names.map((name) => join(to, name));
    const options = { encoding: 'utf8', env: { ...process.env, PATH: searchPath() } } as const;
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...files], options);
    expect([status, stdout, stderr]).toEqual([0, '', '']);
  }, 60_000);
});
