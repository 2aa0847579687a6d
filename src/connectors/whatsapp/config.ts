// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { parseSettings } from '../../base/config-words.ts';
import { byteSize, duration } from '../../base/duration.ts';
import { mediaConfig } from './media/config.ts';

const limits = z.strictObject({
  pending: byteSize
    .prefault('32MiB')
    .describe(
      'Stanzas of one account that may wait in memory; over it the connection is dropped, and the server keeps them.',
    ),
});

const timeouts = z.strictObject({
  connect: duration.prefault('20s').describe('For the connection and its handshake.'),
  query: duration.prefault('60s').describe('For each question to the server.'),
  download: duration.prefault('60s').describe('For files that the client fetches itself: app state.'),
});

const intervals = z.strictObject({
  retry: duration
    .prefault('2s')
    .describe('First pause before something failed is tried again; it doubles, up to 5 min.'),
  later: duration.prefault('1h').describe('Pause after a temporary ban, or while the client counts as outdated.'),
  keepAlive: duration.prefault('30s').describe('Pings; no frame for 5 s longer than this means that the link is dead.'),
  sweep: duration.prefault('5s').describe('Looks for what is not accounted for.'),
  repair: duration
    .prefault('5m')
    .describe(
      'A message that could not be read, and was not sent again for this long, is asked of the phone’s history; 4 times, ever later.',
    ),
  groups: duration.prefault('6h').describe('Who is in which group, as a record each, where it has changed.'),
  alive: duration
    .prefault('1m')
    .describe('Marks how far the connector came: the beginning of a gap, should it be killed.'),
});

const thresholds = z.strictObject({
  unaccounted: duration
    .prefault('60s')
    .describe('A message that the client received and nobody accounted for: alarm, gap, new connection.'),
  outage: duration.prefault('1m').describe('Without a connection for this long: a gap.'),
  phoneIdle: z
    .array(duration)
    .min(1)
    .prefault(['10d', '12d', '14d'])
    .describe('WhatsApp removes linked devices of a phone that stays offline; the last of these is a gap.'),
  undecryptableFinal: duration.prefault('14d').describe('A sender who was asked to send again has this long.'),
});

/** How to capture from WhatsApp as a linked device. There is no back end of its own: the process itself is the device. */
export const whatsappConfig = z.strictObject({
  device: z
    .enum(['Mac OS', 'Windows'])
    .default('Mac OS')
    .describe(
      'As what the phone shows the archive in its list of linked devices. Desktops are given the full history.',
    ),
  version: z
    .string()
    .regex(/^\d+\.\d+\.\d+$/, 'expected three numbers with dots between them')
    .optional()
    .describe('Version of WhatsApp Web to claim, should the built-in one count as outdated.'),
  limits: limits.prefault({}).describe('Bounds.'),
  timeouts: timeouts.prefault({}).describe('How long to wait.'),
  intervals: intervals.prefault({}).describe('How often.'),
  thresholds: thresholds.prefault({}).describe('From when on something counts.'),
  media: mediaConfig.prefault({}).describe('Files of messages, and history.'),
});

export type WhatsAppConfig = z.output<typeof whatsappConfig>;

/** Throws `config/invalid` with every problem's path. */
export function parseConfig(settings: unknown): WhatsAppConfig {
  return parseSettings(whatsappConfig, settings ?? {}, {
    expected: 'settings of WhatsApp',
    where: 'whatsapp',
    fix: 'see src/connectors/whatsapp/README.md',
  });
}
