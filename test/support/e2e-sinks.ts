// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import type { Needles } from './e2e-needles.ts';

const CHUNK_BYTES = 32 * 1024 * 1024;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

/** What was found where: places under a sink's name, and what it is that leaked there. */
export class Leaks {
  readonly #needles: Needles;
  readonly #found = new Map<string, Set<string>>();
  scannedBytes = 0;
  readonly #scanned = new Map<string, number>();

  constructor(needles: Needles) {
    this.#needles = needles;
  }

  /** Every sink with a leak, and what leaked into it. */
  get found(): Record<string, string[]> {
    return Object.fromEntries([...this.#found].map(([sink, names]) => [sink, [...names].toSorted()]));
  }

  /** Sinks with the bytes that were looked at; a sink with nothing in it proves nothing. */
  get scanned(): Record<string, number> {
    return Object.fromEntries(this.#scanned);
  }

  bytes(sink: string, bytes: Buffer): void {
    this.#count(sink, bytes.length);
    for (const name of this.#needles.find(bytes)) this.#found.set(sink, (this.#found.get(sink) ?? new Set()).add(name));
  }

  text(sink: string, text: string): void {
    this.bytes(sink, Buffer.from(text));
  }

  /** Names and contents of all files under a directory, but those that `skips` names by their relative paths. */
  directory(sink: string, directory: string, skips: (path: string) => boolean = () => false): void {
    for (const file of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      const path = join(file.parentPath, file.name);
      const name = relative(directory, path);
      if (skips(name)) continue;
      this.text(sink, name);
      if (file.isFile()) this.file(sink, path);
    }
  }

  /** Piece by piece, each with the end of the one before. */
  file(sink: string, path: string): void {
    const fd = openSync(path, 'r');
    try {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      let before = Buffer.alloc(0);
      for (let length = readSync(fd, chunk); length > 0; length = readSync(fd, chunk)) {
        this.bytes(sink, Buffer.concat([before, chunk.subarray(0, length)]));
        before = Buffer.from(chunk.subarray(Math.max(0, length - this.#needles.longest), length));
      }
    } finally {
      closeSync(fd);
    }
  }

  /** Like {@link directory}, for files of gigabytes that are mostly holes. They may change meanwhile. */
  sparseDirectory(sink: string, directory: string): void {
    const archive = join(mkdtempSync(join(tmpdir(), 'sparse-')), 'data.tar');
    try {
      const { status } = spawnSync('tar', ['--sparse', '--warning=none', '-cf', archive, '-C', directory, '.']);
      if (status !== 0 && status !== 1) throw new Error(`tar ended with ${status}`);
      this.file(sink, archive);
    } finally {
      rmSync(dirname(archive), { recursive: true });
    }
  }

  /** What the kernel tells everybody on the machine of a process. */
  process(sink: string, pid: number): void {
    for (const name of ['environ', 'cmdline']) this.bytes(sink, readFileSync(`/proc/${pid}/${name}`));
  }

  /** All that a process may write to, wherever it lies: heap, stacks, buffers. */
  memory(sink: string, pid: number): void {
    const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
    const fd = openSync(`/proc/${pid}/mem`, 'r');
    try {
      for (const line of maps) {
        const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
        if (from !== undefined && to !== undefined)
          this.#range(sink, fd, Number.parseInt(from, 16), Number.parseInt(to, 16));
      }
    } finally {
      closeSync(fd);
    }
  }

  #range(sink: string, fd: number, from: number, to: number): void {
    for (let at = from; at < to; at += CHUNK_BYTES) {
      const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, to - at));
      let length = 0;
      try {
        length = readSync(fd, chunk, 0, chunk.length, at);
      } catch {
        // Reserved and never used, or given back meanwhile.
        continue;
      }
      const piece = chunk.subarray(0, length);
      if (!piece.equals(ZEROS.subarray(0, length))) this.bytes(sink, piece);
    }
  }

  #count(sink: string, bytes: number): void {
    this.scannedBytes += bytes;
    this.#scanned.set(sink, (this.#scanned.get(sink) ?? 0) + bytes);
  }
}

/** Every command that a Redis carries out, as anybody with its password could watch them. Comes back after a restart. */
export class RedisMonitor implements Disposable {
  readonly #port: number;
  readonly #seen: Buffer[] = [];
  #socket: Socket | null = null;
  #closed = false;

  constructor(port: number) {
    this.#port = port;
    this.#connect();
  }

  get captured(): Buffer {
    return Buffer.concat(this.#seen);
  }

  #connect(): void {
    if (this.#closed) return;
    this.#socket = connect(this.#port, '127.0.0.1', () => this.#socket?.write('MONITOR\r\n'));
    this.#socket.on('data', (bytes: Buffer) => this.#seen.push(bytes));
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => setTimeout(() => this.#connect(), 50));
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#socket?.destroy();
  }
}
