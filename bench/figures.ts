// SPDX-License-Identifier: AGPL-3.0-or-later

/** One line of what a bench found out. Ratios are of one run on one machine; rates and times tell of the machine as well. */
export interface Figure {
  readonly name: string;
  readonly measured: string;
  /** What is demanded; empty where nothing is. */
  readonly wanted: string;
  /** True where it holds, and where nothing is demanded. */
  readonly holds: boolean;
}

/** What a bench sends to the runner that started it. */
export interface Told {
  readonly figures: readonly Figure[];
  readonly peakMiB: number;
}

export function atLeast(name: string, value: number, wanted: number, shown = value.toFixed(2)): Figure {
  return { name, measured: shown, wanted: `at least ${wanted}`, holds: value >= wanted };
}

export function atMost(name: string, value: number, wanted: number, shown = value.toFixed(2)): Figure {
  return { name, measured: shown, wanted: `at most ${wanted}`, holds: value <= wanted };
}

export function noted(name: string, measured: string): Figure {
  return { name, measured, wanted: '', holds: true };
}

/** Most memory this process ever held, all threads. */
export function peakMiB(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

/** Prints the figures, gives them to the runner if there is one, and lets the process fail where one falls short. */
export function tell(figures: readonly Figure[]): void {
  console.log(tableOf(figures));
  const told: Told = { figures, peakMiB: peakMiB() };
  process.send?.(told);
  if (figures.some(({ holds }) => !holds)) process.exitCode = 1;
}

export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, measured, wanted, holds }) => [
    wanted === '' ? ' ' : holds ? '✓' : '✗',
    name,
    measured,
    wanted,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
