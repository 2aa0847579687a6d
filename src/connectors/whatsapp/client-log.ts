// SPDX-License-Identifier: AGPL-3.0-or-later
import type { SocketConfig } from '@whiskeysockets/baileys';

type ClientLogger = SocketConfig['logger'];

const ignore = (): void => undefined;

/** The client's log lines hold stanzas, keys of files and numbers of people: none is written anywhere. */
export const NO_LOG: ClientLogger = {
  level: 'silent',
  child: () => NO_LOG,
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
};
