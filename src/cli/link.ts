// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import { encodeQR } from 'qr';
import { Failure } from '../base/failure.ts';
import type { LinkStep } from '../connectors/connector.ts';
import { openDeployment, withConfig, type ConfigOption } from './command.ts';
import { bold, green, openOutput, red, yellow, type Output } from './output.ts';

export function registerLink(program: Command): void {
  withConfig(program.command('link'))
    .description('Link an account: shows the code for the agency’s phone')
    .argument('<account>', 'its name in the config')
    .option('--code', 'WhatsApp: a code to type into the phone instead of one to scan', false)
    .option('--json', 'each step as a line of JSON; the code’s content is a credential', false)
    .action(async (account: string, options: ConfigOption & { code: boolean; json: boolean }) => {
      const { config } = openDeployment(options);
      const output = openOutput(options.json);
      const stop = new AbortController();
      process.once('SIGINT', () => stop.abort());
      const { linkSteps } = await import('../main/link.ts');
      const linked = await follow(linkSteps(config, account, { code: options.code }, stop.signal), output, account);
      if (!linked) process.exitCode = 1;
    });
}

async function follow(steps: AsyncIterable<LinkStep>, output: Output, account: string): Promise<boolean> {
  let waiting = false;
  for await (const step of steps) {
    if (output.json) process.stdout.write(`${JSON.stringify(step)}\n`);
    switch (step.step) {
      case 'show-qr':
        output.line(encodeQR(step.uri, 'term', { ecc: 'low', border: 2 }));
        output.line(
          `${bold('Scan it')} with the phone of account ${account}: Settings → Linked devices → Link new device`,
        );
        output.line(step.expiresInSeconds === null ? '' : `A fresh code follows in ${step.expiresInSeconds} s.`);
        waiting = false;
        break;
      case 'show-code':
        output.line(`${bold(step.code)}`);
        output.line(
          `${bold('Type it')} into the phone of account ${account}: Linked devices → Link a device → Link with phone number`,
        );
        waiting = false;
        break;
      case 'waiting':
        if (!waiting) output.line('waiting for the phone …');
        waiting = true;
        break;
      case 'expired':
        output.line(yellow('expired'));
        break;
      case 'linked':
        output.line(
          `${green('linked')}  the archive of account ${account} begins now; earlier messages are on the phone only`,
        );
        return true;
      case 'failed':
        throw new Failure('config/link-failed', {
          expected: 'a linked device',
          got: step.reason,
          where: `account ${account}`,
          fix: 'see the README of its connector',
        });
    }
  }
  output.line(red('not linked'));
  return false;
}
