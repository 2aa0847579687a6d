// SPDX-License-Identifier: AGPL-3.0-or-later
import { FormatError } from '../../src/record/format-error.ts';
import type { Target } from './target.ts';

// Parsers with every fault that the hunter must find, each at an input with a 9 in it.

const EXAMPLES = [Buffer.from('a line with 12345 and 678\n')];

function broken(name: string, fault: (text: string) => void): Target {
  return {
    name,
    examples: EXAMPLES,
    read: (bytes) => {
      const text = bytes.toString('latin1');
      if (text.includes('9')) fault(text);
      if (text !== String(EXAMPLES[0])) throw new FormatError('format/entry', 'the line', 'another');
    },
  };
}

function forMs(ms: number): void {
  for (const from = process.threadCpuUsage(); process.threadCpuUsage(from).user < ms * 1000;);
}

export async function targets(): Promise<readonly Target[]> {
  return [
    broken('throws', (text) => (JSON.parse('null') as { length: number }).length + text.length),
    broken('undocumented', () => {
      throw Object.assign(new Error('no'), { code: 'format/nobody-knows' });
    }),
    broken('repeats', (text) => {
      throw new FormatError('format/entry', 'a line', text.padEnd(3000));
    }),
    broken('endless', () => forMs(Infinity)),
    broken('greedy', () => {
      for (const held: string[][] = []; ;) held.push(Array.from({ length: 1e5 }, (_, n) => `${n} ${held.length}`));
    }),
    broken('slow', () => forMs(300)),
    broken('same', () => undefined),
  ];
}
