// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { need } from '../base/config.ts';
import { countOf } from '../base/counted.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { readSigningKey } from '../base/secrets.ts';
import { ApprovedBox } from '../matters/approved-box.ts';
import { approve, parseApproval, type Approval } from '../matters/hold-entry.ts';
import { parseHoldDocument } from '../record/hold.ts';
import { holdCalled, releaseOf } from '../matters/holds.ts';
import { plainLine } from '../search/plain-text.ts';
import { withConfig } from './command.ts';
import { writeNew } from './keygen.ts';
import { atReader, type ReaderOptions } from './matter-reader.ts';
import { bold, openOutput } from './output.ts';
import { sayWhoSigned } from './signatures.ts';

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
        const objects = `${countOf(found.packs.length, 'pack')} and ${countOf(found.media.length, 'file')}`;
        output.line(`${bold(found.hold)}  ${found.state}, reference ${plainLine(found.reference)}, names ${objects}`);
        output.line(`${options.out} written: two officers sign it with \`holdfast hold sign\`, within a week`);
      }),
    );
  hold
    .command('sign')
    .description('Sign a release as an officer, on the machine where the key is')
    .argument('<file>', 'what `hold release` wrote')
    .requiredOption('--officer <file>', 'private key of an officer of the manifest')
    .action((file: string, options: { readonly officer: string }) => {
      const output = openOutput(false);
      const approval = parseApproval(textOf(file));
      // Before anything is signed: an officer must see what the own name goes under.
      output.line(toSign(approval));
      const signed = approve(approval, readSigningKey(options.officer));
      writeFileSync(file, `${JSON.stringify(signed)}\n`);
      sayWhoSigned(output, approval.entry, signed.entry);
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

function toSign({ entry, document }: Approval): string {
  const { hold, state, matter, log, at } = entry;
  const { packs, media } = parseHoldDocument(document);
  const named = `${countOf(packs.length, 'pack')} and ${countOf(media.length, 'file')}`;
  return [
    `${bold(hold)}  ${state}`,
    `  reference  ${plainLine(matter)}`,
    `  log        ${log}`,
    `  made       ${at}`,
    `  objects    ${state === 'released' ? 'all that the hold names' : named}`,
  ].join('\n');
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
