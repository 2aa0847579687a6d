// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from './failure.ts';

// The only file that reads process.env, and it reads it to refuse.

const SECRET_NAME = /(?:SECRET|PASSWORD|PASSWD|TOKEN|PRIVATE|API_?KEY|ACCESS_KEY|SESSION_KEY|_KEY$)/i;
/** Names that look like secrets, belong to others, and are none of ours to judge unless they would be used. */
const OURS = /^(?:HOLDFAST_|AWS_(?:SECRET|SESSION)|REDIS_|S3_)/i;
const DEBUGGER = /--inspect|--debug|--heapsnapshot|--heap-prof|--cpu-prof|--report/i;

/**
 * Refuses secrets in the environment, where every child process and crash report could read them, and options that open a
 * debugger on a process that holds plaintext. Throws `config/secret-in-environment` or `config/debugger`.
 */
export function assertSafeEnvironment(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  nodeOptions: readonly string[] = process.execArgv,
): void {
  const secret = Object.keys(environment).find(
    (name) => OURS.test(name) && SECRET_NAME.test(name) && environment[name] !== '',
  );
  if (secret !== undefined) {
    throw new Failure('config/secret-in-environment', {
      expected: 'secrets in files named by the config',
      got: 'one in the environment',
      where: `$${secret}`,
      fix: 'write it to a file with mode 0600, name the file in the config, and unset the variable',
    });
  }
  if (DEBUGGER.test(environment['NODE_OPTIONS'] ?? '')) throw debuggerAt('$NODE_OPTIONS');
  if (nodeOptions.some((option) => DEBUGGER.test(option))) throw debuggerAt('the command line');
}

function debuggerAt(where: string): Failure {
  return new Failure('config/debugger', {
    expected: 'no debugger on a process that holds plaintext',
    got: 'an option that opens one',
    where,
    fix: 'remove it',
  });
}

/** What a terminal tells: colours only where people look. */
export function wantsColour(
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  return isTerminal && environment['NO_COLOR'] === undefined && environment['TERM'] !== 'dumb';
}
