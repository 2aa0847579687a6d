// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { need } from '../base/config.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { readSigningKey } from '../base/secrets.ts';
import { ApprovedBox } from '../matters/approved-box.ts';
import { approve, parseApproval } from '../matters/hold-entry.ts';
import { holdCalled, releaseOf } from '../matters/holds.ts';
import { withConfig } from './command.ts';
import { writeNew } from './keygen.ts';
import { atReader, type ReaderOptions } from './matter-reader.ts';
import { bold, openOutput } from './output.ts';

/** A release goes from officer to officer as a file: each signs it where the own key is. */
export function registerHoldRelease(hold: Command): void {
  withConfig(hold.command('release'))
    .description('Write the release of a hold to a file, for two officers to sign')
    .argument('<hold>', 'the beginning of its id')
    .requiredOption('--out <file>', 'where it goes')
    .option('--json', 'machine-readable result', false)
    .action((value: string, options: ReaderOptions & { readonly out: string }) =>
      atReader('hold release', options, async ({ config, db, audit, output }) => {
        const found = holdCalled(db.acts.holds(), value);
        await audit.record([{ act: 'report', what: 'hold release', matter: null, items: 1 }]);
        writeNew(options.out, `${JSON.stringify(releaseOf(found, config.origin, Date.now()))}\n`, 0o644);
        output.result({ hold: found.hold, file: options.out });
        output.line(`${options.out} written: two officers sign it with \`holdfast hold sign\`, within a week`);
      }),
    );
  hold
    .command('sign')
    .description('Sign a release as an officer, on the machine where the key is')
    .argument('<file>', 'what `hold release` wrote')
    .requiredOption('--officer <file>', 'private key of an officer of the manifest')
    .action((file: string, options: { readonly officer: string }) => {
      const signed = approve(parseApproval(textOf(file)), readSigningKey(options.officer));
      writeFileSync(file, `${JSON.stringify(signed)}\n`);
      openOutput(false).line(`${bold(signed.entry.hold)}  ${signed.entry.state}, signed by ${signed.entry.by.length}`);
    });
  withConfig(hold.command('submit'))
    .description('Hand a signed release to the archiver')
    .argument('<file>', 'what two officers signed')
    .option('--json', 'machine-readable result', false)
    .action((file: string, options: ReaderOptions) =>
      atReader('hold submit', options, async ({ config, audit, output }) => {
        const approval = parseApproval(textOf(file));
        await audit.record([{ act: 'report', what: 'hold submit', matter: null, items: 1 }]);
        new ApprovedBox(need(config.reader, 'reader', 'holding').spool).put(approval);
        output.result({ hold: approval.entry.hold, state: approval.entry.state });
        output.line('on its way: it counts once the log has it');
      }),
    );
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Failure('config/missing', {
      expected: 'a file to sign or submit',
      got: codeOf(cause),
      where: file,
      cause,
    });
  }
}
