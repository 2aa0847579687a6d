// SPDX-License-Identifier: AGPL-3.0-or-later
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { PROJECT } from '../support/e2e-process.ts';

/** Packages that a start with these modules loads. */
function loadedBy(...modules: readonly string[]): string[] {
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = new Set();
    registerHooks({
      load(url, context, next) {
        const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1];
        if (name !== undefined) loaded.add(name);
        return next(url, context);
      },
    });
    process.argv = [process.execPath, 'holdfast', '--version'];
    process.on('exit', () => process.stdout.write('\\n' + JSON.stringify([...loaded])));
    for (const module of ${JSON.stringify(modules)}) await import(process.cwd() + '/src/' + module);`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program];
  const said = execFileSync(process.execPath, args, { cwd: PROJECT, encoding: 'utf8' });
  return JSON.parse(said.slice(said.lastIndexOf('\n') + 1)) as string[];
}

/** Large, and for one role or command each. */
const OF_ONE_ROLE = ['bullmq', 'ioredis', 'fastify', '@aws-sdk/client-s3', 'pdfkit', 'fontkit', 'nodemailer', 'pkijs'];

describe('a command that searches', () => {
  it('does not wait for what other roles and commands are made of', () => {
    const loaded = loadedBy('main/cli.ts', 'main/read.ts', 'main/audit.ts');
    expect(loaded).toContain('commander');
    expect(OF_ONE_ROLE.filter((name) => loaded.includes(name))).toEqual([]);
  });
});
