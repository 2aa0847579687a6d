// SPDX-License-Identifier: AGPL-3.0-or-later
import { InvalidArgumentError, Option, type Command } from 'commander';
import { Events } from '../base/events.ts';
import { openLog } from '../base/log.ts';

interface WitnessCliOptions {
  readonly name: string;
  readonly key: string;
  readonly directory: string;
  readonly trust: readonly string[];
  readonly listen: { readonly host: string; readonly port: number };
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

export function registerWitness(program: Command): void {
  program
    .command('witness')
    .description('Run a witness: cosign checkpoints of logs that only grow (C2SP tlog-witness)')
    .requiredOption('--name <name>', 'under which it signs, as manifests and policies name it')
    .requiredOption('--key <file>', 'its private key, made by keygen witness on this machine')
    .requiredOption('--directory <path>', 'its database: never restored from a backup')
    .requiredOption('--trust <file>', 'trust.json of a log to watch; repeat for more', collect)
    .addOption(
      new Option('--listen <host:port>', 'where it takes requests')
        .argParser(addressOf)
        .default({ host: '127.0.0.1', port: 8090 }, '127.0.0.1:8090'),
    )
    .action(async ({ listen, ...options }: WitnessCliOptions) => {
      const { witness } = await import('../main/witness.ts');
      await witness({ ...options, ...listen }, new Events(openLog('info')));
    });
}

function addressOf(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === '' || Number(port) > 65_535) throw new InvalidArgumentError('expected host:port');
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}
