// SPDX-License-Identifier: AGPL-3.0-or-later
import { cp, chmod, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startSignalEmulator, type SignalEmulator } from '../emulators/signal/emulator.ts';
import type { WhatsAppEmulator } from '../emulators/whatsapp/api.ts';
import { startWhatsAppEmulator } from '../emulators/whatsapp/emulator.ts';
import { redirectionTo } from '../emulators/whatsapp/redirect.ts';
import { scanTerminal } from '../support/e2e-qr.ts';
import { FIELD_PHONE, handOverHistory, liveThroughTheNight, NIGHT_RECORDS, NIGHT_SHIFT, world } from './night-shift.ts';
import { contacts, duty, DUTY_PHONE, harbour, members, operations, ortiz } from './people.ts';
import { freePort, holdfast, readStatus, Running, until, watch } from './steps.ts';
import { firstDays, lastDay, midweek, rush, type Happening } from './week.ts';

const ORIGIN = 'field-office.example/holdfast/demo';
const RUSH = 200;

const bold = (text: string): string => (process.stdout.isTTY ? `\u001B[1m${text}\u001B[0m` : text);
const dim = (text: string): string => (process.stdout.isTTY ? `\u001B[2m${text}\u001B[0m` : text);
let step = 0;
const say = (text: string): void => console.log(text);
const heading = (text: string): void => console.log(`\n${bold(`${(step += 1)}  ${text}`)}`);

interface Place {
  readonly directory: string;
  readonly config: string;
  readonly archive: string;
  readonly spool: string;
}

async function prepare(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-demo-'));
  const made = await holdfast('init', directory, '--evaluation', '--origin', ORIGIN);
  if (made.code !== 0) throw new Error(made.output);
  say(dim(indent(made.output.trim())));
  return {
    directory,
    config: join(directory, 'holdfast.yaml'),
    archive: join(directory, 'archive'),
    spool: join(directory, 'spool'),
  };
}

async function startMessenger({ directory }: Place): Promise<SignalEmulator> {
  const groups = [operations, harbour].map(({ internalId, name, revision }) => ({
    internalId,
    name,
    revision,
    members: (members[internalId] ?? []).map(({ uuid }) => uuid),
  }));
  return startSignalEmulator({
    dataDir: join(directory, 'signal'),
    seed: 7,
    trustNewIdentities: 'always',
    accounts: [
      {
        number: DUTY_PHONE,
        uuid: duty.uuid,
        contacts: contacts.map(({ uuid, number, name }) => ({ uuid, number: number ?? null, name: name ?? '' })),
        groups,
      },
    ],
  });
}

/** The evaluation's config with two accounts, and clocks that suit a demo of a minute. */
async function configure({ config }: Place, signal: SignalEmulator): Promise<void> {
  const port = await freePort();
  const text = await readFile(config, 'utf8');
  const [head = ''] = text.split('# An account is one phone number');
  await writeFile(
    config,
    `${head.replace('flushAfter: 1s', 'flushAfter: 500ms')}accounts:
  - { name: duty-phone, app: signal, account: "${DUTY_PHONE}", backend: main, retention: evaluation }
  - { name: field-phone, app: whatsapp, account: "+${FIELD_PHONE}", backend: main, retention: evaluation }

whatsapp:
  main: {}
signal:
  main:
    api: ${signal.url}
    webhook: { host: 127.0.0.1, port: ${port} }
    journal: ${signal.journalPath}
    intervals: { accounts: 500ms, journal: 250ms, identities: 1s, groups: 1s, contacts: 1s, devices: 1s, sweep: 500ms, retry: 250ms }
    thresholds: { outage: 1s, attachmentDelete: 1s }
`,
  );
  signal.webhookUrl = `http://127.0.0.1:${port}/`;
}

async function play(signal: SignalEmulator, happenings: readonly Happening[]): Promise<void> {
  for (const { payload, attachments } of happenings) {
    const files = [...(attachments ?? [])].map(([id, content]) => ({ id, content }));
    await signal.receive(DUTY_PHONE, payload, { attachments: files });
  }
}

async function liveThroughTheWeek(place: Place, signal: SignalEmulator): Promise<void> {
  const account = async () => (await readStatus(place.spool))?.accounts[0];
  await until('capture to begin', async () => (await account())?.health.state === 'capturing');
  say(`Monday, Tuesday   ${firstDays().length} messages: two groups, photos, an edit, receipts, a disappearing timer`);
  await play(signal, firstDays());
  say(`Wednesday         ${midweek().length} messages: one is deleted for everyone, one edited twice; four scripts`);
  await play(signal, midweek());
  say('Wednesday night   Dana Ortiz gets a new phone: her safety number changes');
  signal.changeIdentity(DUTY_PHONE, ortiz.uuid);
  say('Thursday          the Signal container is gone for a while, and comes back');
  await signal.exitProcess();
  await until('the outage to be noticed', async () => (await account())?.openGaps['backend-outage'] !== undefined);
  await signal.startProcess({ redialMs: 0 });
  await until('the outage to end', async () => (await account())?.openGaps['backend-outage'] === undefined);
  say(`Thursday, later   ${RUSH} messages in one rush`);
  await signal.receiveBurst(
    DUTY_PHONE,
    rush(RUSH).map(({ payload }) => payload),
  );
  say(`Friday            ${lastDay().length} messages: the report is filed`);
  await play(signal, lastDay());
}

/** The owner of the field phone scans what `holdfast link` shows. */
async function linkFieldPhone(place: Place, whatsapp: WhatsAppEmulator): Promise<void> {
  say(dim(`    holdfast link field-phone --config ${place.config}`));
  let isScanned = false;
  const code = await watch(['link', 'field-phone', '--config', place.config], (printed) => {
    const qr = isScanned || !printed.includes('Scan it') ? null : scanTerminal(printed);
    if (qr === null) return;
    isScanned = true;
    say(process.stdout.isTTY ? indent(printed.trimEnd()) : '    (the QR code, for a terminal to show)');
    void whatsapp.scanQr(qr, FIELD_PHONE);
  });
  if (code !== 0) throw new Error(`holdfast link ended with ${code}`);
  say('    scanned by the emulated phone: linked');
}

async function capturingOn(place: Place, app: 'signal' | 'whatsapp'): Promise<boolean> {
  const status = await readStatus(place.spool);
  return status?.accounts.find((account) => account.app === app)?.health.state === 'capturing';
}

async function liveThroughTheShift(place: Place, whatsapp: WhatsAppEmulator): Promise<void> {
  const nightShift = await whatsapp.addGroup(NIGHT_SHIFT);
  await linkFieldPhone(place, whatsapp);
  await until('capture of WhatsApp to begin', () => capturingOn(place, 'whatsapp'));
  say('At the link       the phone hands over what was said before');
  await handOverHistory(whatsapp);
  say('Thursday night    a group at berth 9: a photo, an edit, a deletion, a poll, a reaction');
  await liveThroughTheNight(whatsapp, nightShift);
}

async function command(place: Place, ...args: string[]): Promise<void> {
  const shown = args.map((arg) => (/[^a-z0-9-]/i.test(arg) ? `'${arg}'` : arg)).join(' ');
  say(dim(`    holdfast ${shown} --config ${place.config}`));
  const { code, output } = await holdfast(...args, '--config', place.config);
  if (code !== 0) throw new Error(output);
  say(`${indent(output.trim())}\n`);
}

async function readConversations(place: Place): Promise<void> {
  await command(place, 'read', '--once');
  await command(place, 'show', harbour.name ?? '');
  await command(place, 'show', NIGHT_SHIFT.subject);
  await command(place, 'search', 'reefer OR "seals broken"');
}

/** What was found leaves the archive, with what is around it, as files that others load, read and check. */
async function exportFound(place: Place): Promise<void> {
  const out = join(place.directory, 'export');
  await command(
    place,
    'export',
    'reefer OR "seals broken"',
    '--format',
    'rsmf,pdf',
    '--bates',
    'DEMO0000001',
    '--out',
    out,
  );
  const files = (await readdir(out, { recursive: true })).filter((name) => /\.[a-z]+$/.test(name)).toSorted();
  say(indent(files.map((name) => join(out, name)).join('\n')));
}

async function tamper(place: Place): Promise<string> {
  const copy = join(place.directory, 'tampered');
  await cp(place.archive, copy, { recursive: true });
  const packs = join(copy, 'log', ORIGIN, 'pack');
  const [name = ''] = (await readdir(packs)).toSorted();
  const file = join(packs, name);
  const bytes = await readFile(file);
  bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 1;
  await chmod(file, 0o644);
  await writeFile(file, bytes);
  return copy;
}

const indent = (text: string): string => text.replaceAll(/^/gm, '    ');

async function verify(place: Place, archive: string, expected: number): Promise<void> {
  const trust = join(place.directory, 'trust.json');
  const page = `${archive}-report.html`;
  const policy = join(place.directory, 'policy.txt');
  const args = ['verify', pathToFileURL(archive).href, '--trust', trust, '--policy', policy, '--report', page];
  say(dim(`    holdfast ${args.join(' ')}`));
  const { code, output } = await holdfast(...args);
  say(indent(output.trim()));
  say(`    exit code ${bold(String(code))}`);
  if (code !== expected) throw new Error(`verify ended with ${code}, expected ${expected}`);
}

async function main(): Promise<void> {
  const started = Date.now();
  say(
    bold(
      'Holdfast: a week of a field office, archived on this machine. No services, about three quarters of a minute.',
    ),
  );
  heading('Keys, trust file, config');
  const place = await prepare();
  heading('A Signal account is captured (signal-cli-rest-api is emulated; everything of Holdfast is real)');
  await using signal = await startMessenger(place);
  await using whatsapp = await startWhatsAppEmulator({ tls: true, ...world });
  await configure(place, signal);
  const holdfastUp = new Running(redirectionTo(whatsapp), 'up', '--config', place.config);
  try {
    await liveThroughTheWeek(place, signal);
    heading(
      'A WhatsApp account is linked by QR code and captured (WhatsApp’s server is emulated; the client is the real one)',
    );
    await liveThroughTheShift(place, whatsapp);
    await until('everything to be archived', async () => {
      const status = await readStatus(place.spool);
      const isCaptured = (await capturingOn(place, 'signal')) && (await capturingOn(place, 'whatsapp'));
      const recorded = (app: string): number => status?.accounts.find((account) => account.app === app)?.records ?? 0;
      return isCaptured && status?.waiting === 0 && recorded('signal') > RUSH && recorded('whatsapp') > NIGHT_RECORDS;
    });
  } catch (error) {
    process.stderr.write(holdfastUp.log);
    throw error;
  }
  say(indent((await holdfast('accounts', '--config', place.config)).output.trim()));
  await holdfastUp.stop();
  heading('Anyone with the trust file can check the archive; no decryption key is needed');
  await verify(place, place.archive, 0);
  say('    The witness ran in the process that it watched. A real one is somebody else’s: deploy/README.md, step 9.');
  heading('Whoever holds the reader’s key sees what was said, deleted and edited, and finds it');
  await readConversations(place);
  heading('What was found leaves the archive: RSMF for a review platform, a PDF with Bates numbers for everybody else');
  await exportFound(place);
  heading('One bit of a copy is changed');
  await verify(place, await tamper(place), 1);
  heading('What to try next');
  say(
    indent(`ls -R ${place.archive}/log                     # segments are text: read one
npx holdfast verify file://${place.archive} --trust ${place.directory}/trust.json --policy ${place.directory}/policy.txt --json
npx holdfast show --config ${place.config}      # all conversations
npx holdfast search 'from:"Jonas Berg" edited:yes' --config ${place.config}
npx holdfast export --conversation '${NIGHT_SHIFT.subject}' --zone America/New_York --out ${place.directory}/night --config ${place.config}
npx holdfast doctor --config ${place.config}
npx holdfast up --config ${place.config}        # with a signal-cli-rest-api of your own in the config`),
  );
  say(
    `\nEverything is in ${place.directory}; delete it when you are done. ${((Date.now() - started) / 1000).toFixed(0)} s.`,
  );
}

await main();
