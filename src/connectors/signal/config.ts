// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { parseSettings } from '../../base/config-words.ts';
import { byteSize, duration } from '../../base/duration.ts';

const DAY_MS = 86_400_000;

const webhook = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('Loopback: the REST API sends no credentials.'),
  port: z.number().int().min(0).max(65_535).describe('0: any free port.'),
  path: z
    .string()
    .startsWith('/')
    .default('/')
    .describe('A long random path keeps other processes of the host from posting.'),
});

const limits = z.strictObject({
  body: byteSize.prefault('64MiB').describe('Longest frame; a longer one is a gap.'),
  attachment: byteSize.prefault('200MiB').describe('signal-cli itself takes 150 MiB.'),
  pending: byteSize
    .prefault('32MiB')
    .describe(
      'Frames of a WebSocket that may wait in memory; over it the socket is dropped and the other intakes go on.',
    ),
  attachmentsAtOnce: z.number().int().min(1).max(2).default(2).describe('Files fetched at the same time.'),
});

const timeouts = z.strictObject({
  rest: duration
    .prefault('15s')
    .describe('For each REST call; some answers are lost upstream, so every call needs one.'),
  restRetry: duration.prefault('250ms').describe('Pause before the one retry.'),
  link: duration.prefault('150s').describe('How long a QR code is shown before it counts as expired.'),
  attachmentIdle: duration.prefault('30s').describe('A file that stops coming for this long is asked for again.'),
  webSocketSilence: duration.prefault('3m').describe('No ping, no frame: the socket is dead. Pings come every 54 s.'),
});

const intervals = z.strictObject({
  accounts: duration.prefault('15s').describe('Is the account linked, does the back end answer.'),
  journal: duration.prefault('1s').describe('Looks at the journal, where the system tells of no change.'),
  identities: duration.prefault('10m').describe('Safety numbers.'),
  groups: duration.prefault('6h').describe('Groups; besides, whenever a message shows that one changed.'),
  contacts: duration.prefault('24h').describe('Names.'),
  devices: duration.prefault('30m').describe('Round trip to Signal; when the phone was last online.'),
  sweep: duration.prefault('30s').describe('Looks for what is missing.'),
  report: duration.prefault('1h').describe('A record of what each intake brought.'),
  alive: duration
    .prefault('1m')
    .describe('Marks how far the connector came: the beginning of a gap, should it be killed.'),
  linkPoll: duration.prefault('2s').describe('While a QR code is shown.'),
  retry: duration.prefault('2s').describe('First pause before something failed is tried again; it doubles.'),
});

const thresholds = z.strictObject({
  outage: duration.prefault('1m').describe('Without an answer for this long: a gap.'),
  intakeDown: duration.prefault('1m').describe('An intake may be away this long before health tells.'),
  phoneIdle: z
    .array(duration)
    .min(1)
    .prefault(['14d', '21d', '28d'])
    .describe('Signal removes linked devices of a phone that stays offline; the last of these is a gap.'),
  referenceGrace: duration.prefault('15m').describe('Another intake may still bring what a message refers to.'),
  referenceHorizon: duration
    .prefault('59d')
    .refine((horizonMs) => horizonMs <= 59 * DAY_MS, 'expected at most 59d: what the spool remembers')
    .describe('References reach back this far.'),
  webhookGrace: duration
    .prefault('1m')
    .describe('Then what only another intake brought counts as missed by the webhook.'),
  undecryptableFinal: duration.prefault('24h').describe('A sender who was asked to send again has this long.'),
  untrustedFinal: duration.prefault('14d').describe('signal-cli then deletes what it withheld.'),
  attachmentMissing: duration.prefault('2m').describe('A file that is not there for this long is a gap.'),
  attachmentShort: duration
    .prefault('2m')
    .describe('A file of another length than announced is archived as it is, with a gap.'),
  attachmentGiveUp: duration.prefault('24h').describe('Then such a gap is final.'),
  attachmentBacklog: duration.prefault('15m').describe('A file that waits this long makes the account degraded.'),
  attachmentDelete: duration
    .prefault('1m')
    .describe('An archived file stays this long: another message or account may list it too.'),
  volumeAlarm: z.number().min(0).max(1).default(0.7).describe('Share in use of the volume that holds the journal.'),
});

/** One back end: one signal-cli-rest-api in json-rpc mode, and how to capture from it. */
export const signalConfig = z
  .strictObject({
    api: z.url({ protocol: /^https?$/ }).describe('Address of signal-cli-rest-api.'),
    webhook: webhook.optional().describe('Where RECEIVE_WEBHOOK_URL points. The primary intake.'),
    journal: z
      .string()
      .min(1)
      .optional()
      .describe('out.log of signal-cli, as this process sees it. Has what the others miss.'),
    websocket: z
      .boolean()
      .default(true)
      .describe('A second source. Alone it loses messages: such an account is never green.'),
    deviceName: z.string().min(1).max(50).default('Holdfast archive').describe('Shown in the list of linked devices.'),
    limits: limits.prefault({}).describe('Bounds.'),
    timeouts: timeouts.prefault({}).describe('How long to wait.'),
    intervals: intervals.prefault({}).describe('How often.'),
    thresholds: thresholds.prefault({}).describe('From when on something counts.'),
  })
  .refine((config) => config.webhook !== undefined || config.journal !== undefined || config.websocket, {
    error: 'at least one of webhook, journal and websocket',
    path: ['webhook'],
  });

export type SignalConfig = z.output<typeof signalConfig>;

/** False where the WebSocket is the only intake: it drops messages even while it is connected. */
export function hasLosslessIntake(config: SignalConfig): boolean {
  return config.webhook !== undefined || config.journal !== undefined;
}

/** Throws `config/invalid` with every problem's path. */
export function parseConfig(settings: unknown): SignalConfig {
  return parseSettings(signalConfig, settings, {
    expected: 'settings of a Signal back end',
    where: 'signal',
    fix: 'see src/connectors/signal/README.md',
  });
}
