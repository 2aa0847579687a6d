#!/usr/bin/env node
// SPDX-License-Identifier: AGPL-3.0-or-later
import { Command, CommanderError, Help, type Option } from 'commander';
import { registerEnd } from '../cli/end.ts';
import { registerAccessLog } from '../cli/access-log.ts';
import { registerAccounts } from '../cli/accounts.ts';
import { registerArchive } from '../cli/archive.ts';
import { registerConnect } from '../cli/connect.ts';
import { registerDirectory } from '../cli/directory.ts';
import { registerDoctor } from '../cli/doctor.ts';
import { registerEscrow } from '../cli/escrow.ts';
import { registerExport } from '../cli/export.ts';
import { registerHold } from '../cli/hold.ts';
import { registerInit } from '../cli/init.ts';
import { registerKeygen } from '../cli/keygen.ts';
import { registerLink } from '../cli/link.ts';
import { registerManifest } from '../cli/manifest.ts';
import { registerSuccessor } from '../cli/successor.ts';
import { registerMatter } from '../cli/matter.ts';
import { explain } from '../cli/output.ts';
import { registerProve } from '../cli/prove.ts';
import { registerPolicy } from '../cli/policy.ts';
import { registerRead } from '../cli/read.ts';
import { registerScrub } from '../cli/scrub.ts';
import { registerSearch } from '../cli/search.ts';
import { registerShow } from '../cli/show.ts';
import { registerTiles } from '../cli/tiles.ts';
import { registerSteward } from '../cli/steward.ts';
import { registerUp } from '../cli/up.ts';
import { registerVerify } from '../cli/verify.ts';
import { registerWitness } from '../cli/witness.ts';
import { VERSION } from './version.ts';

const EXIT_FAILED = 2;

// Unless somebody takes this signal, Node opens a debugger on it, for whoever has the same user.
process.on('SIGUSR1', () => undefined);

const program = new Command('holdfast')
  .description('Archives an agency’s messages: sealed at capture, chained, written once, checkable by anyone')
  .version(VERSION)
  .configureHelp({ optionDescription: describeOption })
  .exitOverride();
registerKeygen(program);
registerInit(program);
registerManifest(program);
registerSuccessor(program);
registerEnd(program);
registerDoctor(program);
registerUp(program);
registerConnect(program);
registerArchive(program);
registerLink(program);
registerAccounts(program);
registerPolicy(program);
registerRead(program);
registerSearch(program);
registerShow(program);
registerAccessLog(program);
registerDirectory(program);
registerMatter(program);
registerHold(program);
registerSteward(program);
registerEscrow(program);
registerExport(program);
registerTiles(program);
registerProve(program);
registerScrub(program);
registerVerify(program);
registerWitness(program);

try {
  await program.parseAsync();
} catch (error) {
  // Never 1 for a mistyped command: from verify that means findings.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_FAILED;
  else {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = EXIT_FAILED;
  }
}

/** Without the defaults that say nothing: a switch is off and a list empty unless it is given. */
function describeOption(option: Option): string {
  const { defaultValue, description } = option as { readonly defaultValue: unknown; readonly description: string };
  const isEmpty = defaultValue === false || (Array.isArray(defaultValue) && defaultValue.length === 0);
  return isEmpty ? description : new Help().optionDescription(option);
}
