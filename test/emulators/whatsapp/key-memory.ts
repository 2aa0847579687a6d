// SPDX-License-Identifier: AGPL-3.0-or-later
import type { SignalDataSet, SignalDataTypeMap, SignalKeyStore } from '@whiskeysockets/baileys';

type Logger = NonNullable<Parameters<typeof import('@whiskeysockets/baileys').addTransactionCapability>[1]>;

/** A key store that forgets with the process. */
export function memoryKeys(initial: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {}): SignalKeyStore {
  const values = new Map<string, unknown>();
  for (const [type, byId] of Object.entries(initial)) {
    for (const [id, value] of Object.entries(byId)) values.set(`${type}/${id}`, value);
  }
  return {
    get: <T extends keyof SignalDataTypeMap>(type: T, ids: string[]) => {
      const found: Record<string, SignalDataTypeMap[T]> = {};
      for (const id of ids) {
        const value = values.get(`${type}/${id}`);
        if (value !== undefined) found[id] = value as SignalDataTypeMap[T];
      }
      return found;
    },
    set: (data: SignalDataSet) => {
      for (const [type, byId] of Object.entries(data)) {
        for (const [id, value] of Object.entries(byId)) {
          if (value === null || value === undefined) values.delete(`${type}/${id}`);
          else values.set(`${type}/${id}`, value);
        }
      }
    },
  };
}

const silent = (): void => {};

export const quietLogger: Logger = {
  level: 'silent',
  child: () => quietLogger,
  trace: silent,
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
};
