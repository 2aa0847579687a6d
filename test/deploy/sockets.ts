// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The state of a socket that takes from anybody, by protocol. */
const OPEN: Readonly<Record<string, string>> = { tcp: '0A', udp: '07' };
const ACCEPTS = 0x10000;

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

/**
 * Where a process can be spoken to: TCP ports with the address as the kernel prints it, UDP ports that take from anybody, and
 * sockets in the file system or the abstract name space.
 */
export function listeningOf(pid: number): string[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap(
      (fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1] ?? [],
    ),
  );
  const internet = ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((family) =>
    tableOf(pid, family)
      .filter(([, , , state, ...rest]) => state === OPEN[family.slice(0, 3)] && own.has(rest[5] ?? ''))
      .map(([, address = '']) => {
        const [host = '', port = ''] = address.split(':');
        const place = `${host}:${Number.parseInt(port, 16)}`;
        return family.startsWith('udp') ? `udp ${place}` : place;
      }),
  );
  const local = tableOf(pid, 'unix')
    .filter(([, , , flags = '', , , inode = '']) => (Number.parseInt(flags, 16) & ACCEPTS) !== 0 && own.has(inode))
    .map((cells) => `unix ${cells[7] ?? '(unnamed)'}`);
  return [...internet, ...local];
}

/** A process and all that it started and that still runs. */
export function familyOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    textOf(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.filter((child) => textOf(`/proc/${child}/cmdline`) !== '').flatMap(familyOf)];
}

function tableOf(pid: number, family: string): string[][] {
  return textOf(`/proc/${pid}/net/${family}`)
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
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
