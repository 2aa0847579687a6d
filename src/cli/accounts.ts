// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../base/config.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { CONNECTOR_STATUS, statusDirectory, type AccountStatus, type ConnectorStatus } from '../main/housekeeping.ts';
import { utc } from '../search/describe.ts';
import { withConfig, type ConfigOption } from './command.ts';
import { dim, green, openOutput, red, table, yellow } from './output.ts';

/** A status file older than this was left by a process that no longer runs. */
const STALE_MS = 30_000;

export function registerAccounts(program: Command): void {
  withConfig(program.command('accounts'))
    .description('Show what every account’s capture is doing')
    .option('--probe', 'exit 1 unless there are accounts and all are capturing: for container health checks', false)
    .option('--json', 'machine-readable result', false)
    .action((options: ConfigOption & { probe: boolean; json: boolean }) => {
      const output = openOutput(options.json);
      const status = readStatus(join(statusDirectory(loadConfig(options.config)), CONNECTOR_STATUS));
      const ageMs = Date.now() - Date.parse(status.at);
      const running = ageMs < STALE_MS;
      output.result({ running, ...status });
      output.line(
        running
          ? `${green('running')}  ${status.connector}: ${status.waiting === 1 ? '1 record waits' : `${status.waiting} records wait`} for a receipt`
          : `${red('not running')}  last seen ${status.at}`,
      );
      output.line(
        table([
          ['ACCOUNT', 'APP', 'STATE', 'RECORDS', 'WAITING', 'OPEN GAPS', 'LAST CAPTURE'].map(dim),
          ...status.accounts.map((account) => row(account, running)),
        ]),
      );
      if (status.accounts.length === 0) output.note(yellow('no accounts: nothing is captured'));
      const wellAll =
        running &&
        status.spool !== 'stop' &&
        status.accounts.length > 0 &&
        status.accounts.every(({ health }) => health.state === 'capturing');
      if (options.probe && !wellAll) process.exitCode = 1;
    });
}

function row({ account, app, health, records, waiting, openGaps }: AccountStatus, running: boolean): string[] {
  const state = running ? health.state : 'stopped';
  const paint = state === 'capturing' ? green : state === 'starting' || state === 'degraded' ? yellow : red;
  const reasons = health.reasons.length > 0 && running ? ` (${health.reasons.join(', ')})` : '';
  const gaps = Object.entries(openGaps).map(([cause, count]) => `${cause} ×${count}`);
  const last = health.lastCaptureMs === null ? '–' : utc(health.lastCaptureMs);
  return [account, app, paint(state) + reasons, String(records), String(waiting), gaps.join(', ') || '–', last];
}

function readStatus(file: string): ConnectorStatus {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ConnectorStatus;
  } catch (cause) {
    throw new Failure('config/missing', {
      expected: 'the status file of a connector',
      got: codeOf(cause),
      where: file,
      fix: 'start one with `holdfast up` or `holdfast connect`',
      cause,
    });
  }
}
