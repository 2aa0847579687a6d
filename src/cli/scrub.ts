// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import { countOf } from '../base/counted.ts';
import type { RoundFinding } from '../scrub/round-file.ts';
import { openDeployment, withConfig, type ConfigOption } from './command.ts';
import { bold, green, openOutput, red, yellow } from './output.ts';
import { ProgressLine } from './progress.ts';

export function registerScrub(program: Command): void {
  withConfig(program.command('scrub'))
    .description(
      'Read again all that is stored, at a set rate, from where it stopped. Exit code 0: all is as it was, 1: findings, 2: not all was read',
    )
    .option('--json', 'machine-readable result', false)
    .action(async (options: ConfigOption & { readonly json: boolean }) => {
      const { config, events } = openDeployment(options);
      const { scrubOnce } = await import('../main/scrub.ts');
      const output = openOutput(options.json);
      const line = new ProgressLine();
      const beganMs = performance.now();
      let firstBytes = -1;
      const result = await scrubOnce(config, events, {
        onFinding: (finding) => {
          line.clear();
          output.line(shown(finding));
        },
        onProgress: ({ readObjects, readBytes, bytes }) => {
          if (firstBytes < 0) firstBytes = readBytes;
          const elapsedMs = performance.now() - beganMs;
          const seconds = elapsedMs / 1000;
          const rate = (readBytes - firstBytes) / Math.max(seconds, 0.001);
          const leftMs = rate > 0 ? (1000 * (bytes - readBytes)) / rate : null;
          const perSecond = readObjects / Math.max(seconds, 0.001);
          line.show({
            step: 'scrub',
            records: readObjects,
            bytes: readBytes,
            totalBytes: bytes,
            recordsPerSecond: perSecond,
            elapsedMs,
            leftMs,
          });
        },
      });
      line.clear();
      const { state, complete, exitCode, signed } = result;
      output.result(result);
      const words = {
        0: green('scrubbed'),
        1: red(countOf(state.findings, 'finding')),
        2: yellow('not all was read or judged'),
      };
      output.line(bold(words[exitCode]));
      output.line(
        `${state.readObjects} of ${state.objects} packs and objects, ${state.readBytes} of ${state.bytes} bytes, ${countOf(state.size, 'leaf', 'leaves')}; round begun ${state.from}`,
      );
      if (!complete) output.line('The next start goes on where this one stopped.');
      else
        output.line(
          signed ? 'The result is on its way to the log.' : 'Not logged: the config names no `scrub.signing`.',
        );
      process.exitCode = exitCode;
    });
}

function shown({ code, severity, key, expected, got }: RoundFinding): string {
  return `${severity === 'finding' ? red(code) : yellow(code)}  ${key}: expected ${expected}, got ${got}`;
}
