// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { EntryBox } from '../access/entry-box.ts';
import type { Deed } from '../access/act.ts';
import { loadConfig, need, type Config } from '../base/config.ts';
import { countOf } from '../base/counted.ts';
import { assertSafeEnvironment } from '../base/environment.ts';
import { Events } from '../base/events.ts';
import { Failure } from '../base/failure.ts';
import { openLog } from '../base/log.ts';
import { readPublicKey, readSigningKey } from '../base/secrets.ts';
import { announce, ceremonyLine, outcomeOf, parseCeremony, signCeremony } from '../escrow/ceremony.ts';
import { recipientIdOf } from '../escrow/shares.ts';
import { readTrusted } from '../main/trusted.ts';
import type { EscrowEntry } from '../record/entry-types.ts';
import { isApproved } from '../record/hold.ts';
import { signersOf } from '../record/manifest.ts';
import { parsePolicy } from '../record/policy.ts';
import { ESCROW_ACTS } from '../record/vocabulary.ts';
import { plainLine } from '../search/plain-text.ts';
import { withConfig, type ConfigOption } from './command.ts';
import { registerCeremonies } from './escrow-ceremony.ts';
import { writeNew } from './keygen.ts';
import { bold, dim, openOutput, table, type Output } from './output.ts';
import { readNamed } from './read-named.ts';
import { sayWhoSigned } from './signatures.ts';

interface EscrowOptions extends ConfigOption {
  readonly json: boolean;
}

export function registerEscrow(program: Command): void {
  const escrow = program
    .command('escrow')
    .description('The escrow key in shares: each ceremony is announced in the log before it runs, by two officers');
  registerAnnounce(escrow);
  registerSign(escrow);
  registerSubmit(escrow);
  registerProof(escrow);
  registerCeremonies(escrow);
  registerClose(escrow);
  registerList(escrow);
}

interface AnnounceOptions extends EscrowOptions {
  readonly key?: string;
  readonly need?: string;
  readonly of?: string;
  readonly split?: string;
  readonly authority: string;
  readonly officer?: string;
  readonly out: string;
}

function registerAnnounce(escrow: Command): void {
  withConfig(escrow.command('announce'))
    .description('Write the announcement of a ceremony to a file, for two officers to sign')
    .argument('<act>', `${ESCROW_ACTS.join(' | ')}: make the shares, try them, or take the key out`)
    .option('--key <file>', 'split: public key of the recipient whose private key is split')
    .option('--need <n>', 'split: how many shares give the key')
    .option('--of <n>', 'split: how many shares are made')
    .option('--split <file>', 'drill, combine: the announcement of the split that made the shares, or its id')
    .requiredOption('--authority <text>', 'by whose word; stands in clear in the log, so no names')
    .option('--officer <file>', 'private key of an officer, to sign it at once')
    .requiredOption('--out <file>', 'where the announcement goes')
    .option('--json', 'machine-readable result', false)
    .action(async (act: string, options: AnnounceOptions) => {
      await atArchive('escrow announce', options, async ({ config, record, output }) => {
        const made = announce({ ...(await meant(act, options, config)), origin: config.origin, nowMs: Date.now() });
        const entry = options.officer === undefined ? made : signCeremony(made, readSigningKey(options.officer));
        await record(entry, 'announced');
        writeNew(options.out, `${JSON.stringify(entry)}\n`, 0o644);
        output.result({ ceremony: entry.ceremony, file: options.out });
        output.line(`${options.out} written: two officers sign it with \`holdfast escrow sign\`, then it is submitted`);
      });
    });
}

type Meant = Pick<EscrowEntry, 'act' | 'key' | 'need' | 'of' | 'authority'> & { readonly split: string | null };

async function meant(act: string, options: AnnounceOptions, config: Config): Promise<Meant> {
  const { key, need: least, of, split, authority } = options;
  const known = ESCROW_ACTS.find((one) => one === act);
  const isSplit = known === 'split';
  const isGiven = isSplit ? key !== undefined && least !== undefined && of !== undefined : split !== undefined;
  if (known === undefined || !isGiven) {
    throw new Failure('config/missing-part', {
      expected: 'split with --key, --need and --of; or drill or combine with --split',
      got: 'something else',
      where: 'escrow announce',
    });
  }
  if (isSplit) {
    const id = recipientIdOf(readPublicKey(key as string));
    return { act: known, key: id, need: Number(least), of: Number(of), authority, split: null };
  }
  const made = await splitCalled(split as string, config);
  return { act: known, key: made.key, need: made.need, of: made.of, authority, split: made.split };
}

/** By its file, or by the beginning of its id as the index knows it. */
async function splitCalled(value: string, config: Config): Promise<EscrowEntry> {
  const found = existsSync(value) ? [parseCeremony(readNamed(value, 'a file'), value)] : await ceremoniesOf(config);
  const splits = found.filter(
    ({ act, state, ceremony }) =>
      act === 'split' && state === 'announced' && (existsSync(value) || ceremony.startsWith(value)),
  );
  const [only] = splits;
  if (only !== undefined && splits.length === 1) return only;
  throw new Failure('escrow/not-a-ceremony', {
    expected: 'the announcement of one split, as a file or by the beginning of its id',
    got: `${splits.length} of them`,
    where: '--split',
    fix: '`holdfast escrow list` shows those that the log has',
  });
}

async function ceremoniesOf(config: Config): Promise<EscrowEntry[]> {
  const { openIndex } = await import('../main/read.ts');
  await using db = openIndex(config);
  return db.acts.ceremonies().map(({ entry }) => entry);
}

function registerSign(escrow: Command): void {
  escrow
    .command('sign')
    .description('Sign an announcement as an officer, on the machine where the key is')
    .argument('<file>', 'what `escrow announce` wrote')
    .requiredOption('--officer <file>', 'private key of an officer of the manifest')
    .action((file: string, options: { readonly officer: string }) => {
      const output = openOutput(false);
      const entry = parseCeremony(readNamed(file, 'a file'), file);
      // Before anything is signed: an officer must see what the own name goes under.
      output.line(toSign(entry));
      const signed = signCeremony(entry, readSigningKey(options.officer));
      writeFileSync(file, `${JSON.stringify(signed)}\n`);
      sayWhoSigned(output, entry, signed);
    });
}

function registerSubmit(escrow: Command): void {
  withConfig(escrow.command('submit'))
    .description('Hand a signed announcement to the archiver')
    .argument('<file>', 'what two officers signed')
    .option('--json', 'machine-readable result', false)
    .action((file: string, options: EscrowOptions) =>
      atArchive('escrow submit', options, async (at) => {
        const entry = parseCeremony(readNamed(file, 'a file'), file);
        await submit(at, entry, 'submitted');
        at.output.line('on its way: the ceremony may run once `holdfast escrow proof` finds it in the log');
      }),
    );
}

function registerProof(escrow: Command): void {
  withConfig(escrow.command('proof'))
    .description('Write the proof that an announcement stands in the log: the ceremony’s machine asks for it')
    .argument('<file>', 'the announcement that was submitted')
    .requiredOption('--out <file>', 'where the proof goes')
    .option('--epoch <file>', 'for a drill: where the newest epoch goes that is sealed to the key')
    .option('--policy <file>', 'C2SP policy: a checkpoint that witnesses have cosigned, if there is one')
    .option('--json', 'machine-readable result', false)
    .action((file: string, options: EscrowOptions & { out: string; epoch?: string; policy?: string }) =>
      atArchive('escrow proof', options, async ({ config, record, output }) => {
        const entry = parseCeremony(readNamed(file, 'a file'), file);
        const { ceremonyProof } = await import('../main/escrow.ts');
        const policy = options.policy === undefined ? null : parsePolicy(readNamed(options.policy, 'a file'));
        const { leaf, proof, epoch } = await ceremonyProof(config, entry, policy);
        if (options.epoch !== undefined && epoch === null) {
          throw new Failure('escrow/does-not-open', { expected: `an epoch sealed to key ${entry.key}`, got: 'none' });
        }
        await record(entry, 'proven');
        writeNew(options.out, proof, 0o644);
        if (options.epoch !== undefined && epoch !== null) writeNew(options.epoch, epoch, 0o644);
        output.result({ ceremony: entry.ceremony, leaf, proof: options.out, epoch: options.epoch ?? null });
        output.line(
          `${options.out} written: ${told(entry)}, stands at leaf ${leaf}. Good for a week from its announcement`,
        );
      }),
    );
}

function registerClose(escrow: Command): void {
  withConfig(escrow.command('close'))
    .description('Log how an announced ceremony ended')
    .argument('<file>', 'its announcement')
    .argument('<outcome>', 'done | failed')
    .requiredOption('--officer <file>', 'private key of an officer of the manifest')
    .option('--json', 'machine-readable result', false)
    .action((file: string, outcome: string, options: EscrowOptions & { readonly officer: string }) =>
      atArchive('escrow close', options, async (at) => {
        if (outcome !== 'done' && outcome !== 'failed') {
          throw new Failure('config/missing-part', {
            expected: 'done or failed',
            got: 'another word',
            where: 'outcome',
          });
        }
        const entry = outcomeOf(parseCeremony(readNamed(file, 'a file'), file), outcome, Date.now());
        const signed = signCeremony(entry, readSigningKey(options.officer));
        await submit(at, signed, outcome);
        at.output.line(`${told(signed)}: on its way to the log`);
      }),
    );
}

function registerList(escrow: Command): void {
  withConfig(escrow.command('list'))
    .description('List the ceremonies that the log tells of')
    .option('--json', 'machine-readable result', false)
    .action(async (options: EscrowOptions) => {
      assertSafeEnvironment();
      const [{ openIndex }, { audited }] = await Promise.all([import('../main/read.ts'), import('../main/audit.ts')]);
      const config = loadConfig(options.config);
      await audited(config, 'escrow list', async (audit) => {
        await using db = openIndex(config);
        const found = db.acts.ceremonies();
        await audit.record([{ act: 'report', what: 'escrow', matter: null, items: found.length }]);
        const output = openOutput(options.json);
        output.result(found);
        const rows = found.map(({ leaf, entry: { at, act, state, ceremony, key, need: least, of, by, authority } }) => [
          dim(at),
          bold(act),
          state,
          ceremony.slice(0, 8),
          `key ${key.slice(0, 8)}`,
          `${least} of ${of}`,
          countOf(by.length, 'officer'),
          authority,
          dim(`leaf ${leaf}`),
        ]);
        if (rows.length > 0) output.line(table(rows));
        output.line(dim(countOf(rows.length, 'entry', 'entries')));
      });
    });
}

/** What a step on a machine with a network works with: each one leaves a record of who took it. */
interface AtArchive {
  readonly config: Config;
  readonly output: Output;
  readonly record: (entry: EscrowEntry, step: Extract<Deed, { act: 'escrow' }>['step']) => Promise<void>;
}

async function atArchive(what: string, options: EscrowOptions, work: (at: AtArchive) => Promise<void>): Promise<void> {
  assertSafeEnvironment();
  const config = loadConfig(options.config);
  const { audited } = await import('../main/audit.ts');
  await audited(config, what, async (audit) => {
    const record: AtArchive['record'] = ({ act, ceremony, key }, step) =>
      audit.record([{ act: 'login' }, { act: 'escrow', step, what: act, ceremony, key }]);
    await work({ config, output: openOutput(options.json), record });
  });
}

/** Into the box that whoever has a way to the archiver empties; and at once, where this machine has one. */
async function submit(
  { config, output, record }: AtArchive,
  entry: EscrowEntry,
  step: 'submitted' | 'done' | 'failed',
): Promise<void> {
  const line = ceremonyLine(entry);
  if (!isApproved(entry, signersOf(readTrusted(config).manifest, 'officer'))) {
    throw new Failure('escrow/unapproved', {
      expected: 'signatures of officers whom the manifest names',
      got: 'others',
      where: config.manifest,
    });
  }
  await record(entry, step);
  new EntryBox(need(config.reader, 'reader', 'escrow').spool).put(line);
  const { shipOnce } = await import('../main/read.ts');
  await shipOnce(config, new Events(openLog(config.log.level)));
  output.result({ ceremony: entry.ceremony, act: entry.act, state: entry.state });
}

const told = ({ act, ceremony, state }: EscrowEntry): string => `${bold(act)} ${ceremony.slice(0, 8)}, ${state}`;

function toSign({ act, ceremony, state, authority, key, need: least, of, split, log, at }: EscrowEntry): string {
  return [
    `${bold(act)} ${ceremony}, ${state}`,
    `  authority  ${plainLine(authority)}`,
    `  key        ${key}, ${least} of ${of} shares`,
    ...(split === ceremony ? [] : [`  split      ${split}`]),
    `  log        ${log}`,
    `  made       ${at}`,
  ].join('\n');
}
