// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Guard } from '../services/guard.ts';
import { readCompose } from './compose-file.ts';

const guard = new Guard('signal-stop');
afterAll(() => guard.end());

const environment = new Proxy({}, { get: () => 'x' });
const [script = ''] = readCompose(environment).services['signal']?.command ?? [];
const said = join(guard.dir, 'said');

function program(name: string, body: string): void {
  writeFileSync(join(guard.dir, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}

/** The shell that compose puts first, with stand-ins for what it starts. */
function start(api: string) {
  writeFileSync(said, '');
  program('entrypoint.sh', `echo api starts >>${said}; ${api}`);
  program('supervisorctl', `echo "supervisorctl $*" >>${said}`);
  const command = script.replaceAll('$$', '$').replace('/entrypoint.sh', join(guard.dir, 'entrypoint.sh'));
  const child = spawn('/bin/sh', ['-c', command], {
    env: { PATH: `${guard.dir}:/usr/bin:/bin` },
    stdio: 'ignore',
    detached: true,
  });
  guard.watch(child, { group: true });
  return child;
}

describe('the first process of the Signal container', () => {
  it('stops signal-cli before the API, and ends well', async () => {
    // As the image’s own entry point does, the last command takes the place of the shell.
    const child = start('exec sleep 60');
    await expect.poll(() => readFileSync(said, 'utf8')).toContain('api starts');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(readFileSync(said, 'utf8')).toBe('api starts\nsupervisorctl stop all\n');
  });

  it('ends as the API ends, so that the container is started again', async () => {
    expect(await once(start('exit 1'), 'exit')).toEqual([1, null]);
    expect(readFileSync(said, 'utf8')).toBe('api starts\n');
  });
});
