// SPDX-License-Identifier: AGPL-3.0-or-later
import { statfsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

export interface Watermarks {
  /** Share of the volume in use at which operators are told. */
  readonly alarm: number;
  /** Share at which nothing more is taken from upstream, so that nothing more is acknowledged. */
  readonly stop: number;
  /** The spool may use at most this much of the volume, if set. */
  readonly maxBytes?: number;
}

export const WATERMARKS: Watermarks = { alarm: 0.8, stop: 0.9 };
const CHECK_EVERY_MS = 1000;

export type Level = 'normal' | 'alarm' | 'stop';

/** Bytes in use and in all, of the volume or of the quota, whichever is nearer to full. */
export type Usage = () => Promise<{ used: number; total: number }>;

/**
 * Watches how full the spool's volume is. Over the upper mark `ready` waits: upstream is held back, nothing is refused, nothing
 * acknowledged, and capture goes on by itself when space returns.
 */
export class WatermarkGate implements Disposable {
  readonly #usage: Usage;
  readonly #marks: Watermarks;
  readonly #onLevel: (level: Level, share: number) => void;
  readonly #timer: NodeJS.Timeout;
  #level: Level = 'normal';
  #waiting: (() => void)[] = [];

  constructor(usage: Usage, marks: Watermarks, onLevel: (level: Level, share: number) => void) {
    this.#usage = usage;
    this.#marks = marks;
    this.#onLevel = onLevel;
    this.#timer = setInterval(() => void this.check(), CHECK_EVERY_MS);
    this.#timer.unref();
  }

  get level(): Level {
    return this.#level;
  }

  async check(): Promise<Level> {
    const share = await this.#share();
    const level = share >= this.#marks.stop ? 'stop' : share >= this.#marks.alarm ? 'alarm' : 'normal';
    if (level !== this.#level) {
      this.#level = level;
      this.#onLevel(level, share);
    }
    if (level !== 'stop') for (const enter of this.#waiting.splice(0)) enter();
    return level;
  }

  /** A volume that does not even say how full it is takes nothing more. */
  async #share(): Promise<number> {
    try {
      const { used, total } = await this.#usage();
      return total > 0 ? used / total : 1;
    } catch {
      return 1;
    }
  }

  /** Resolves at once below the upper mark, else when space has returned. */
  async ready(): Promise<void> {
    while (this.#level === 'stop') await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Usage of the volume that holds `directory`, or of a quota on the spool's own bytes. */
export function volumeUsage(directory: string, ownBytes: () => number, maxBytes?: number): Usage {
  statfsSync(directory);
  return async () => {
    const { blocks, bavail, bfree, bsize } = await statfs(directory);
    const volume = { used: (blocks - bfree) * bsize, total: (blocks - bfree + bavail) * bsize };
    if (maxBytes === undefined) return volume;
    const quota = { used: ownBytes(), total: maxBytes };
    return quota.used / quota.total > volume.used / volume.total ? quota : volume;
  };
}
