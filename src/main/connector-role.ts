// SPDX-License-Identifier: AGPL-3.0-or-later
import { need, type Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import { codeOf } from '../base/failure.ts';
import type { Running } from '../base/run.ts';
import { readSigningKey, readSymmetricKey } from '../base/secrets.ts';
import type { ConnectorEvents, Session } from '../connectors/connector.ts';
import { keepRunning } from '../connectors/run.ts';
import type { Uplink } from '../queue/link.ts';
import type { KeyId } from '../record/key.ts';
import { signersOf } from '../record/manifest.ts';
import { Attachments, type AttachedAccount } from '../spool/attach.ts';
import { Shipper } from '../spool/shipper.ts';
import { Spool } from '../spool/spool.ts';
import { volumeUsage, WatermarkGate } from '../spool/watermark.ts';
import { Housekeeping } from './housekeeping.ts';
import { LinkDesk, linkDirectory } from './link-desk.ts';
import { APPS_CAPTURED, MESSENGERS, type Messengers } from './messengers.ts';
import { assertNamed, type Trusted } from './trusted.ts';

export interface ConnectorRole {
  readonly config: Config;
  readonly trusted: Trusted;
  readonly uplink: (connector: KeyId) => Promise<Uplink>;
  readonly events: Events;
  readonly running: Running;
  /** Other than the real ones: for tests. */
  readonly messengers?: Messengers;
}

/** Opens the spool, ships what waits, gives every account its stream, and captures. */
export async function startConnector(role: ConnectorRole, parts: AsyncDisposableStack): Promise<Housekeeping> {
  const { config, trusted, events } = role;
  const spool = parts.use(await openSpool(role));
  const accounts = attachedAccounts(config, spool);
  // The shipper meets doubt before the attachments exist only if it is told to; it starts after.
  const attach: { attachments?: Attachments } = {};
  const shipper = new Shipper({
    spool,
    uplink: parts.use(await role.uplink(spool.keyId)),
    signingKey: signingKey(config),
    archivers: signersOf(trusted.manifest, 'archiver'),
    clock: Date.now,
    againAfterMs: need(config.connector, 'connector', 'a connector').againAfter,
    events: {
      shipped: (records) => events.shipped(records),
      archived: (streams) => events.receipts(streams),
      refused: (code) => events.batchRefused('connector', code),
      trouble: (what, code) => events.trouble(what, code),
    },
    onDoubt: (stream) => attach.attachments?.doubt(stream) ?? Promise.resolve(),
  });
  parts.use(shipper);
  attach.attachments = new Attachments(spool, shipper, accounts, Date.now, {
    streamOpened: (account, stream, cause) => events.streamOpened(account, stream, cause),
  });
  await shipper.start();
  await attach.attachments.attach();
  const sessions = await openSessions(role, accounts);
  const housekeeping = new Housekeeping({ config, spool, accounts, sessions, events, clock: Date.now });
  parts.use(housekeeping);
  await housekeeping.start();
  for (const { session, backend } of sessions) runSession(session, backend, role, parts);
  parts.use(new LinkDesk(linkDirectory(config), sessions, role.running.signal)).open();
  return housekeeping;
}

function signingKey(config: Config): ReturnType<typeof readSigningKey> {
  return readSigningKey(need(config.keys.connector, 'keys.connector', 'a connector'));
}

async function openSpool({ config, trusted, events, running }: ConnectorRole): Promise<Spool> {
  const settings = need(config.spool, 'spool', 'a connector');
  const key = signingKey(config);
  assertNamed(trusted.manifest, 'connector', key, config.keys.connector ?? '');
  const marks = { alarm: settings.alarmAt, stop: settings.stopAt };
  return Spool.open({
    directory: settings.directory,
    origin: config.origin,
    before: trusted.trust.before?.name,
    beforeEnd: trusted.trust.end,
    manifest: trusted.manifest,
    logKey: trusted.trust.log,
    signingKey: key,
    hostKey: readSymmetricKey(need(config.keys.host, 'keys.host', 'a connector')),
    deploymentKey: readSymmetricKey(need(config.keys.deployment, 'keys.deployment', 'a connector')),
    clock: Date.now,
    gate: (ownBytes) =>
      new WatermarkGate(volumeUsage(settings.directory, ownBytes, settings.maxBytes), marks, (level, share) =>
        events.spoolLevel(level, Math.round(share * 100)),
      ),
    onFatal: running.fatal,
    events: { doubtful: (what, count) => events.spoolFound(what, count) },
  });
}

/** The config's accounts, and the process itself under the connector's name. */
function attachedAccounts(config: Config, spool: Spool): AttachedAccount[] {
  const { name } = need(config.connector, 'connector', 'a connector');
  const [first] = config.retention;
  const self: AttachedAccount = { app: 'holdfast', name, sink: spool.account('holdfast', name, first?.class ?? '') };
  const accounts = config.accounts.map((entry) => ({
    app: entry.app,
    name: entry.name,
    sink: spool.account(entry.app, entry.account, entry.retention, entry.device),
  }));
  return [self, ...accounts];
}

export interface OpenSession {
  readonly backend: string;
  readonly session: Session;
  /** Labels of its accounts, by what the messenger calls them. */
  readonly labels: ReadonlyMap<string, string>;
}

async function openSessions(role: ConnectorRole, attached: readonly AttachedAccount[]): Promise<OpenSession[]> {
  const { config, events, messengers = MESSENGERS } = role;
  const opened: OpenSession[] = [];
  for (const app of APPS_CAPTURED) {
    for (const [backend, settings] of Object.entries(config[app])) {
      const own = config.accounts.filter((entry) => entry.app === app && entry.backend === backend);
      // A Signal back end may bring messages of accounts that nobody configured, which is an alarm; a device without an account is nothing.
      if (own.length === 0 && app === 'whatsapp') continue;
      const labels = new Map(own.map((entry) => [entry.account, entry.name]));
      const sinks = new Map(
        own.map((entry) => [entry.account, (attached.find(({ name }) => name === entry.name) as AttachedAccount).sink]),
      );
      const deps = { accounts: sinks, clock: Date.now, events: connectorEvents(events, labels, backend) };
      opened.push({ backend, labels, session: await messengers[app](settings, deps) });
    }
  }
  return opened;
}

/** Accounts appear by their label only: the number stays behind this line. */
function connectorEvents(events: Events, labels: ReadonlyMap<string, string>, backend: string): ConnectorEvents {
  const label = (account: string): string => labels.get(account) ?? 'unconfigured';
  return {
    state: (account, { state, reasons }) => events.accountState(label(account), state, reasons),
    captured: (account, intake, count) => events.captured(label(account), intake, count),
    alarm: (account, reason, count = 1) => events.alarm(account === null ? backend : label(account), reason, count),
    trouble: (reason, error) => events.trouble(reason, codeOf(error)),
  };
}

function runSession(
  session: Session,
  backend: string,
  { running, events }: ConnectorRole,
  parts: AsyncDisposableStack,
): void {
  const run = keepRunning(session, running.signal, Date.now, (error) => events.trouble(backend, codeOf(error))).catch(
    running.fatal,
  );
  // Sessions end with the signal; the spool is closed only after them.
  parts.defer(() => run);
}
