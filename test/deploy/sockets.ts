// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LISTENING = '0A';

/** The one process whose command line holds all of these words. */
export function processOf(...words: readonly string[]): number {
  const found = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    const line = textOf(`/proc/${name}/cmdline`).split('\0');
    return words.every((word) => line.includes(word));
  });
  if (found.length !== 1) throw new Error(`expected one process with ${words.join(' ')}, got ${found.length}`);
  return Number(found[0]);
}

/** TCP ports a process listens on, with the address as the kernel prints it. */
export function listeningOf(pid: number): string[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap(
      (fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1] ?? [],
    ),
  );
  return ['tcp', 'tcp6'].flatMap((family) =>
    textOf(`/proc/${pid}/net/${family}`)
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, ...rest]) => state === LISTENING && own.has(rest[5] ?? ''))
      .map(([, address = '']) => `${address.split(':')[0]}:${Number.parseInt(address.split(':')[1] ?? '', 16)}`),
  );
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
