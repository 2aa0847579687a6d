// SPDX-License-Identifier: AGPL-3.0-or-later

import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The programs the tests start, and the Debian package each comes with. */
const PACKAGE_OF: Readonly<Record<string, string>> = {
  'redis-server': 'redis-server',
  'ceph-mon': 'ceph-mon',
  monmaptool: 'ceph-mon',
  'ceph-osd': 'ceph-osd',
  radosgw: 'radosgw',
  'radosgw-admin': 'ceph-common',
  ceph: 'ceph-common',
  strace: 'strace',
  chromium: 'chromium',
  python3: 'python3',
  openssl: 'openssl',
  'systemd-analyze': 'systemd',
};

/** Asked by invoke-rc.d and deb-systemd-invoke whether a package may start its daemon; 101 means no. */
const POLICY_FILE = '/usr/sbin/policy-rc.d';
const POLICY = '#!/bin/sh\nexit 101\n';

/** `/usr/sbin` is not in the path of ordinary Debian users, who may run these programs all the same. */
export function searchPath(): string {
  const own = process.env['PATH'] ?? '';
  return [...own.split(':'), '/usr/local/bin', '/usr/bin', '/usr/sbin', '/bin', '/sbin'].filter(Boolean).join(':');
}

function isInstalled(program: string): boolean {
  return searchPath()
    .split(':')
    .some((directory) => {
      try {
        accessSync(join(directory, program), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

export function missingPackages(): string[] {
  const missing = Object.keys(PACKAGE_OF).filter((program) => !isInstalled(program));
  return [...new Set(missing.map((program) => PACKAGE_OF[program] ?? program))];
}

/** Installs what is missing, or throws with the command that does. The tests never do without a service. */
export async function ensurePackages(say: (line: string) => void): Promise<void> {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const install = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  const isDebian = existsSync('/etc/debian_version') && isInstalled('apt-get');
  const isRoot = process.getuid?.() === 0;
  if (!isDebian || !isRoot) {
    const prefix = isRoot ? '' : 'sudo ';
    const command = isDebian ? `${prefix}apt-get update && ${prefix}${install}` : `(on Debian 12) ${install}`;
    throw new Error(`the tests need these Debian packages: ${missing.join(' ')}; install them with: ${command}`);
  }
  await withoutDaemons(async () => {
    say('apt-get update');
    // A source of no concern here may be out of reach; whether the lists suffice is for the installation to say.
    await apt(['update']);
    say(install);
    const { code, output } = await apt(['install', '-y', '--no-install-recommends', ...missing]);
    if (code !== 0) throw new Error(`"${install}" ended with code ${code}:\n${output.slice(-2000)}`);
  });
  const still = missingPackages();
  if (still.length > 0) throw new Error(`"${install}" succeeded, but these are still missing: ${still.join(' ')}`);
}

async function withoutDaemons(act: () => Promise<void>): Promise<void> {
  const isOurs = !existsSync(POLICY_FILE);
  const remove = (): void => rmSync(POLICY_FILE, { force: true });
  if (isOurs) {
    writeFileSync(POLICY_FILE, POLICY, { mode: 0o755, flag: 'wx' });
    process.once('exit', remove);
  }
  try {
    await act();
  } finally {
    if (isOurs) {
      remove();
      process.removeListener('exit', remove);
    }
  }
}

async function apt(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  // A waiting time for the lock, because a machine just started may be updating itself.
  const child = spawn('apt-get', ['-qq', '-o', 'Dpkg::Use-Pty=0', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
