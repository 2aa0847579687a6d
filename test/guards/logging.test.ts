// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { Events } from '../../src/base/events.ts';
import { Failure } from '../../src/base/failure.ts';
import { code, openLog } from '../../src/base/log.ts';
import { read, treeFiles } from './files.ts';

const CANARY = 'Meet me at Dock 7, +12025550171';

describe('a log line', () => {
  it('is written in one place only', () => {
    const writers = treeFiles().filter(
      (file) => file.startsWith('src/') && /\.write\(\s*'(?:debug|info|warn|error)'/.test(read(file)),
    );
    expect(writers).toEqual(['src/base/events.ts']);
    const consoles = treeFiles().filter((file) => file.startsWith('src/') && /\bconsole\./.test(read(file)));
    expect(consoles).toEqual([]);
  });

  it('lets no text through that is not a word of ours', () => {
    for (const text of [CANARY, '+12025550171', 'Dana Ortiz', 'a\nb', '', 'é', 'x'.repeat(200)]) {
      expect(code(text)).toMatch(/^\(\d+-characters\)$/);
    }
    for (const word of ['spool/commit', 'backend-outage', 'c1d25d55dbff861a8a7c6c298762ba4b', 'SIGTERM', '0.1.0']) {
      expect(code(word)).toBe(word);
    }
  });

  it.each([false, true])('carries nothing of what a caller might pass by mistake (on a terminal: %s)', (isTTY) => {
    const lines: string[] = [];
    const log = openLog('debug', { isTTY, write: (line) => lines.push(line) });
    const events = new Events(log) as unknown as Record<string, (...args: unknown[]) => void>;
    const names = Object.getOwnPropertyNames(Events.prototype).filter((name) => name !== 'constructor');
    expect(names.length).toBeGreaterThan(15);
    for (const name of names) events[name]?.call(events, CANARY, new Error(CANARY), [CANARY], CANARY);
    for (const name of names) events[name]?.call(events, CANARY, CANARY, [CANARY], { text: CANARY });
    new Events(log).fatal(
      'up',
      new Failure('spool/commit', { expected: 'a durable commit', got: 'EIO', cause: new Error(CANARY) }),
    );
    expect(lines.length).toBe(2 * names.length + 1);
    for (const line of lines) expect(line).not.toMatch(/Dock|2025550171/);
    expect(lines.at(-1)).toContain('spool/commit');
  });

  it.each([false, true])(
    'tells of a failure what its author says, and nobody’s number (on a terminal: %s)',
    (isTTY) => {
      const lines: string[] = [];
      const key = `log/agency.example/1/segment/0000000000001234`;
      new Events(openLog('debug', { isTTY, write: (line) => lines.push(line) })).fatal(
        'archive',
        new Failure('archive/superseded', {
          expected: 'to write the next segment',
          got: 'chat 12025550171@g.us, tel:+12025550171, é\n\u001B[2J and dana@agency.example',
          where: key,
          fix: 'run one archiver per log',
          cause: new Error(CANARY),
        }),
      );
      const [line = ''] = lines;
      for (const said of ['archive/superseded', 'to write the next segment', key, 'run one archiver per log'])
        expect(line).toContain(said);
      expect(line).not.toMatch(/2025550171|dana|Dock|\n./);
      expect(line).not.toContain('\u001B[2J');
      expect(line.match(/\(\d+-characters\)/g)).toHaveLength(3);
    },
  );

  it('is given words by one event alone, and only those of a failure', () => {
    const others = treeFiles().filter((file) => file.startsWith('src/') && /\{ words:? ?\w* ?\}/.test(read(file)));
    expect(others).toEqual(['src/base/events.ts', 'src/base/log.ts']);
  });
});
