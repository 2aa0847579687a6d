// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Command } from 'commander';
import type { HoldScope } from '../access/act.ts';
import { need } from '../base/config.ts';
import { countOf } from '../base/counted.ts';
import { Failure } from '../base/failure.ts';
import { readSigningKey } from '../base/secrets.ts';
import { ApprovedBox } from '../matters/approved-box.ts';
import { matterId } from '../matters/find-matter.ts';
import { approve, type Approval } from '../matters/hold-entry.ts';
import { extensionOf, placeHold } from '../matters/holds.ts';
import { targetsOf } from '../matters/targets.ts';
import { describeScope } from '../search/describe-act.ts';
import { keptQuery } from '../search/kept-query.ts';
import { utc } from '../search/describe.ts';
import { plainLine } from '../search/plain-text.ts';
import { withConfig } from './command.ts';
import { registerHoldRelease } from './hold-release.ts';
import { atReader, decide, type AtReader, type ReaderOptions } from './matter-reader.ts';
import { bold, dim, table, yellow } from './output.ts';

interface PlaceOptions extends ReaderOptions {
  readonly custodian?: string;
  readonly conversation?: string;
  readonly search?: string;
  readonly leaf?: string;
  readonly reference?: string;
  readonly officer: string;
}

export function registerHold(program: Command): void {
  const hold = program
    .command('hold')
    .description('Legal holds: placed and extended by an officer, released by two; the steward sets them in the store');
  registerPlace(hold);
  registerFollow(hold);
  registerList(hold);
  registerHoldRelease(hold);
}

/** Hands approved entries to whoever has a way to the archiver. */
export function submit({ config }: AtReader, approvals: readonly Approval[]): void {
  const box = new ApprovedBox(need(config.reader, 'reader', 'holding').spool);
  for (const approval of approvals) box.put(approval);
}

function registerPlace(hold: Command): void {
  withConfig(hold.command('place'))
    .description('Place a hold on everything of a custodian, a conversation, a search or a message, now and to come')
    .argument('<matter>', 'name or id of the matter it belongs to')
    .requiredOption('--officer <file>', 'private key of an officer of the manifest')
    .option('--custodian <name>', 'everything captured from a custodian’s accounts')
    .option('--conversation <name>', 'a conversation: #number, title or identifier')
    .option('--search <query>', 'whatever a search finds')
    .option('--leaf <n>', 'the message of this leaf of the log')
    .option('--reference <text>', 'stands in clear in the log, e.g. a docket number; the matter’s id if left out')
    .option('--json', 'machine-readable result', false)
    .action((value: string, options: PlaceOptions) =>
      atReader('hold place', options, async (at) => {
        const officer = readSigningKey(options.officer);
        const matter = matterId(at.db.acts, value);
        const scope = await scopeOf(at, options);
        const made = {
          origin: at.config.origin,
          matter,
          scope,
          reference: options.reference ?? matter,
          nowMs: Date.now(),
        };
        const kept = at.db.acts.kept(scope);
        const { hold: id, deed, approvals } = placeHold(kept, made);
        const signed = approvals.map((approval) => approve(approval, officer));
        await decide(
          at,
          [deed],
          `${bold(id)}  covers ${countOf(kept.lines, 'line')} in ${countOf(kept.packs.length, 'pack')} and ${countOf(kept.media.length, 'file')}`,
        );
        submit(at, signed);
        if (kept.lines === 0) {
          const why = 'right if it is placed before anything comes; else release it and correct what it is on';
          at.output.note(yellow(`this hold covers nothing yet: ${why}`));
        }
        at.output.result({ hold: id, lines: kept.lines, packs: kept.packs.length, media: kept.media.length });
      }),
    );
}

async function scopeOf({ db }: AtReader, options: PlaceOptions): Promise<HoldScope> {
  const { custodian, conversation, search, leaf } = options;
  if ([custodian, conversation, search, leaf].filter((one) => one !== undefined).length !== 1) {
    throw new Failure('matters/target', {
      expected: 'one of --custodian, --conversation, --search and --leaf',
      got: 'none or several',
      fix: 'give exactly one; what several are to cover takes several holds',
    });
  }
  if (custodian !== undefined) return { by: 'custodian', custodian };
  if (search !== undefined) return { by: 'search', query: keptQuery(search) };
  const wanted = {
    leaf: leaf === undefined ? [] : [leaf],
    range: [],
    conversation: conversation === undefined ? [] : [conversation],
  };
  const [target] = await targetsOf(db, wanted);
  const at = target !== undefined && 'leaf' in target ? target.leaf : 0;
  return leaf === undefined ? { by: 'conversation', leaf: at } : { by: 'record', leaf: at };
}

function registerFollow(hold: Command): void {
  withConfig(hold.command('follow'))
    .description('Extend every hold in force to what it covers by now; for a timer')
    .requiredOption('--officer <file>', 'private key of an officer of the manifest')
    .option('--json', 'machine-readable result', false)
    .action((options: ReaderOptions & { readonly officer: string }) =>
      atReader('hold follow', options, async (at) => {
        const officer = readSigningKey(options.officer);
        const made = { origin: at.config.origin, nowMs: Date.now() };
        const holds = at.db.acts.matters().flatMap((matter) => matter.holds);
        const logged = new Map(at.db.acts.holds().map((one) => [one.hold, one]));
        const approvals = holds.flatMap(({ hold: id, scope }) => {
          const own = logged.get(id);
          return own === undefined ? [] : (extensionOf(own, at.db.acts.kept(scope), made) ?? []);
        });
        await at.audit.record([{ act: 'report', what: 'hold follow', matter: null, items: approvals.length }]);
        submit(
          at,
          approvals.map((approval) => approve(approval, officer)),
        );
        at.output.result({ holds: holds.length, extensions: approvals.length });
        at.output.line(`${countOf(holds.length, 'hold')}, ${countOf(approvals.length, 'extension')}`);
      }),
    );
}

function registerList(hold: Command): void {
  withConfig(hold.command('list'))
    .description('List the holds: what they are on, and how they stand in the log')
    .option('--json', 'machine-readable result', false)
    .action((options: ReaderOptions) =>
      atReader('hold list', options, async ({ db, audit, output }) => {
        const logged = new Map(db.acts.holds().map((one) => [one.hold, one]));
        const holds = db.acts
          .matters()
          .flatMap(({ name, holds: own }) => own.map((one) => ({ ...one, name, log: logged.get(one.hold) ?? null })));
        await audit.record([{ act: 'report', what: 'holds', matter: null, items: holds.length }]);
        output.result(holds);
        const rows = holds.map(({ hold: id, name, scope, atMs, log }) => [
          id.slice(0, 8),
          log?.state ?? 'waits',
          String(log?.packs.length ?? 0),
          String(log?.media.length ?? 0),
          utc(atMs),
          plainLine(name),
          plainLine(describeScope(scope)),
        ]);
        output.line(table([['HOLD', 'STATE', 'PACKS', 'FILES', 'SINCE', 'MATTER', 'ON'].map(dim), ...rows]));
      }),
    );
}
