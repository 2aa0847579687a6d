// SPDX-License-Identifier: AGPL-3.0-or-later

import { BufferJSON, type SignalDataTypeMap } from '@whiskeysockets/baileys';
import type { AccountSink, SessionChange } from '../../../src/connectors/connector.ts';
import { keyChanges } from '../../../src/connectors/whatsapp/key-store.ts';
import type { LinkedState } from '../../emulators/whatsapp/api.ts';

/** What a device that is linked already has in its spool. */
export function linkedChanges(sink: AccountSink, { creds, keys }: LinkedState): SessionChange[] {
  const revived = Object.fromEntries(
    Object.entries(keys).map(([type, entries]) => [
      type as keyof SignalDataTypeMap,
      Object.fromEntries(
        Object.entries(entries).map(([id, text]) => [id, JSON.parse(text, BufferJSON.reviver) as unknown]),
      ),
    ]),
  );
  return [
    ...keyChanges(sink, revived),
    { name: 'creds', value: Buffer.from(creds) },
    { name: 'linked', value: Buffer.from(JSON.stringify({ atMs: Date.now() })) },
  ];
}
