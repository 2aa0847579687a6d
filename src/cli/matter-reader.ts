// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Audit } from '../access/audit.ts';
import type { Deed } from '../access/act.ts';
import { loadConfig, type Config } from '../base/config.ts';
import { assertSafeEnvironment } from '../base/environment.ts';
import type { IndexDb } from '../search/index-db.ts';
import type { ConfigOption } from './command.ts';
import { dim, openOutput, type Output } from './output.ts';

export interface ReaderOptions extends ConfigOption {
  readonly json: boolean;
}

/** What a command of a reader's works with: the index, the audit, and where it writes. */
export interface AtReader {
  readonly config: Config;
  readonly db: IndexDb;
  readonly audit: Audit;
  readonly output: Output;
}

/** Runs a command over the index; the sign-on is recorded before it, a refusal behind it. */
export async function atReader<T>(
  what: string,
  options: ReaderOptions,
  work: (at: AtReader) => Promise<T>,
): Promise<T> {
  assertSafeEnvironment();
  const config = loadConfig(options.config);
  const [{ openIndex }, { audited }] = await Promise.all([import('../main/read.ts'), import('../main/audit.ts')]);
  return await audited(config, what, async (audit) => {
    await using db = openIndex(config);
    await audit.record([{ act: 'login' }]);
    return await work({ config, db, audit, output: openOutput(options.json) });
  });
}

/** Acts recorded in one go: more of them take several. */
const AT_ONCE = 200;

/** Records what was decided, and says when it counts. */
export async function decide({ audit, output }: AtReader, deeds: readonly Deed[], said: string): Promise<void> {
  for (let at = 0; at < deeds.length; at += AT_ONCE) await audit.record(deeds.slice(at, at + AT_ONCE));
  output.line(said);
  output.line(
    dim('It counts once it is archived and indexed: within seconds where `holdfast read` and the archiver run.'),
  );
}
