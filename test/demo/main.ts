// SPDX-License-Identifier: AGPL-3.0-or-later
import { cp, chmod, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startSignalEmulator, type SignalEmulator } from '../emulators/signal/emulator.ts';
import { contacts, duty, DUTY_PHONE, harbour, members, operations, ortiz } from './people.ts';
import { line, openRecords } from './read.ts';
import { freePort, holdfast, readStatus, Running, until } from './steps.ts';
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

/** The evaluation's config with one account, and clocks that suit a demo of a minute. */
async function configure({ config }: Place, signal: SignalEmulator): Promise<void> {
  const port = await freePort();
  const text = await readFile(config, 'utf8');
  const [head = ''] = text.split('# An account is one phone number');
  await writeFile(
    config,
    `${head.replace('flushAfter: 1s', 'flushAfter: 500ms')}accounts:
  - { name: duty-phone, app: signal, account: "${DUTY_PHONE}", backend: main, retention: evaluation }

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

async function showConversation(place: Place): Promise<void> {
  const lines: string[] = [];
  for await (const view of openRecords(place.archive, ORIGIN, join(place.directory, 'keys'))) {
    const text = view.chat?.id === harbour.internalId ? line(view) : null;
    if (text !== null) lines.push(text);
  }
  say(indent(lines.join('\n')));
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
  say(dim(`    holdfast verify ${pathToFileURL(archive).href} --trust ${trust}`));
  const { code, output } = await holdfast('verify', pathToFileURL(archive).href, '--trust', trust);
  say(indent(output.trim()));
  say(`    exit code ${bold(String(code))}`);
  if (code !== expected) throw new Error(`verify ended with ${code}, expected ${expected}`);
}

async function main(): Promise<void> {
  const started = Date.now();
  say(bold('Holdfast: a week of a field office, archived on this machine. No services, about half a minute.'));
  heading('Keys, trust file, config');
  const place = await prepare();
  heading('A Signal account is captured (signal-cli-rest-api is emulated; everything of Holdfast is real)');
  await using signal = await startMessenger(place);
  await configure(place, signal);
  const holdfastUp = new Running('up', '--config', place.config);
  try {
    await liveThroughTheWeek(place, signal);
    await until('everything to be archived', async () => {
      const status = await readStatus(place.spool);
      return (
        status !== null &&
        status.waiting === 0 &&
        (status.accounts[0]?.records ?? 0) > RUSH &&
        status.accounts[0]?.health.state === 'capturing'
      );
    });
  } catch (error) {
    process.stderr.write(holdfastUp.log);
    throw error;
  }
  say(indent((await holdfast('accounts', '--config', place.config)).output.trim()));
  await holdfastUp.stop();
  heading('Anyone with the trust file can check the archive; no decryption key is needed');
  await verify(place, place.archive, 0);
  heading('Whoever holds the reader’s key sees what was said, deleted and edited');
  await showConversation(place);
  heading('One bit of a copy is changed');
  await verify(place, await tamper(place), 1);
  heading('What to try next');
  say(
    indent(`ls -R ${place.archive}/log                     # segments are text: read one
npx holdfast verify file://${place.archive} --trust ${place.directory}/trust.json --json
npx holdfast doctor --config ${place.config}
npx holdfast up --config ${place.config}        # with a signal-cli-rest-api of your own in the config`),
  );
  say(
    `\nEverything is in ${place.directory}; delete it when you are done. ${((Date.now() - started) / 1000).toFixed(0)} s.`,
  );
}

await main();
