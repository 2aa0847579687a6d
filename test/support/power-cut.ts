// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SeededRandom } from './random.ts';

/*
 * A disk that forgets what was not synced. It is fed with what `strace` saw a process do to files below one directory, and gives the
 * image that a power cut would leave at a moment: of every file what was written before its last fsync, of every directory the names
 * before its last fsync; of the rest nothing, or some sectors of it.
 */

/** System calls that the disk must see; everything is shown in hex, whole. */
export const TRACED =
  'openat,close,write,pwrite64,writev,pwritev,ftruncate,fsync,fdatasync,rename,unlink,mkdir,dup,dup2,fcntl';

const SECTOR_BYTES = 512;

interface Write {
  readonly at: number;
  readonly bytes: Buffer;
}

/** A file, apart from its names. */
interface Inode {
  synced: Buffer;
  /** Writes and truncations since, in their order. */
  pending: (Write | { readonly length: number })[];
  /** Where `write` goes on, per open file; one is enough here. */
  position: number;
}

export class ForgetfulDisk {
  readonly #root: string;
  /** Names as the process sees them, and as they were last synced. */
  readonly #names = new Map<string, Inode>();
  readonly #syncedNames = new Map<string, Inode>();
  readonly #open = new Map<number, { path: string; inode: Inode | null }>();
  readonly #unfinished = new Map<string, string>();
  /** Called before what a process writes to its output takes effect. */
  onOutput: (text: string) => void = () => undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** Takes in one line of `strace -f -xx`. */
  feed(line: string): void {
    const [, pid = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const begun = /^(.*) <unfinished \.\.\.>$/.exec(rest);
    if (begun !== null) {
      this.#unfinished.set(pid, begun[1] as string);
      return;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const whole = resumed === null ? rest : (this.#unfinished.get(pid) ?? '') + (resumed[1] as string);
    const call = /^(\w+)\((.*)\)\s+=\s+(-?\d+)/.exec(whole);
    if (call !== null && Number(call[3]) >= 0)
      this.#apply(call[1] as string, argumentsOf(call[2] as string), Number(call[3]));
  }

  #apply(call: string, args: readonly string[], result: number): void {
    const fd = Number(args[0]);
    switch (call) {
      case 'openat':
        return this.#openFile(text(args[1]), args[2] ?? '', result);
      case 'close':
        return void this.#open.delete(fd);
      case 'write':
        if (fd === 1) return this.onOutput(text(args[1]));
        return this.#write(fd, bytesOf(args[1]).subarray(0, result), null);
      case 'pwrite64':
        return this.#write(fd, bytesOf(args[1]).subarray(0, result), Number(args[3]));
      case 'ftruncate':
        return void this.#open.get(fd)?.inode?.pending.push({ length: Number(args[1]) });
      case 'fsync':
      case 'fdatasync':
        return this.#sync(fd);
      case 'rename':
        return this.#rename(text(args[0]), text(args[1]));
      case 'unlink':
        return void this.#names.delete(text(args[0]));
      case 'writev':
      case 'pwritev':
      case 'dup':
      case 'dup2':
        if (this.#open.has(fd)) throw new Error(`the model does not know ${call}`);
        return undefined;
      default:
        return undefined;
    }
  }

  #openFile(path: string, flags: string, fd: number): void {
    if (!path.startsWith(this.#root)) return void this.#open.delete(fd);
    let inode = this.#names.get(path) ?? null;
    if (inode === null && flags.includes('O_CREAT')) {
      inode = { synced: Buffer.alloc(0), pending: [], position: 0 };
      this.#names.set(path, inode);
    }
    if (inode !== null) inode.position = 0;
    if (inode !== null && flags.includes('O_TRUNC')) inode.pending.push({ length: 0 });
    this.#open.set(fd, { path, inode });
  }

  #write(fd: number, bytes: Buffer, at: number | null): void {
    const inode = this.#open.get(fd)?.inode;
    if (inode === null || inode === undefined) return;
    inode.pending.push({ at: at ?? inode.position, bytes });
    if (at === null) inode.position += bytes.length;
  }

  #sync(fd: number): void {
    const opened = this.#open.get(fd);
    if (opened === undefined) return;
    if (opened.inode !== null) {
      opened.inode.synced = applied(opened.inode.synced, opened.inode.pending);
      opened.inode.pending = [];
      return;
    }
    // A directory: its names are as they are now.
    const isChild = (path: string): boolean => dirname(path) === opened.path;
    for (const path of this.#syncedNames.keys()) if (isChild(path)) this.#syncedNames.delete(path);
    for (const [path, inode] of this.#names) if (isChild(path)) this.#syncedNames.set(path, inode);
  }

  #rename(from: string, to: string): void {
    const inode = this.#names.get(from);
    if (inode === undefined) return;
    this.#names.delete(from);
    this.#names.set(to, inode);
  }

  /** Writes what a power cut now would leave below `to`. Without `random`, nothing that was not synced; with it, any sectors of it. */
  image(to: string, random: SeededRandom | null): void {
    mkdirSync(join(to, 'objects'), { recursive: true });
    for (const [path, { synced, pending }] of this.#syncedNames) {
      const left =
        random === null
          ? synced
          : applied(
              synced,
              pending.flatMap((change) => torn(change, random)),
            );
      const target = join(to, path.slice(this.#root.length));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, left);
    }
  }
}

function applied(bytes: Buffer, changes: readonly (Write | { readonly length: number })[]): Buffer {
  let now = bytes;
  for (const change of changes) {
    const length = 'length' in change ? change.length : Math.max(now.length, change.at + change.bytes.length);
    const next = Buffer.alloc(length);
    next.set(now.subarray(0, length));
    if ('bytes' in change) next.set(change.bytes, change.at);
    now = next;
  }
  return now;
}

/** Each sector of a write arrives or does not. */
function torn(
  change: Write | { readonly length: number },
  random: SeededRandom,
): (Write | { readonly length: number })[] {
  if ('length' in change) return random.next() < 0.5 ? [change] : [];
  const parts: Write[] = [];
  for (let at = 0; at < change.bytes.length;) {
    const end = Math.min(change.bytes.length, at + SECTOR_BYTES - ((change.at + at) % SECTOR_BYTES));
    if (random.next() < 0.5) parts.push({ at: change.at + at, bytes: change.bytes.subarray(at, end) });
    at = end;
  }
  return parts;
}

/** The arguments of a call; in hex strings there are no commas. */
function argumentsOf(list: string): string[] {
  return list.split(', ');
}

function bytesOf(argument = ''): Buffer {
  if (argument.endsWith('...')) throw new Error('strace cut a string off');
  return Buffer.from(argument.slice(1, -1).replaceAll('\\x', ''), 'hex');
}

function text(argument?: string): string {
  return bytesOf(argument).toString();
}
