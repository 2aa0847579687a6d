// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  addTransactionCapability,
  DEFAULT_CONNECTION_CONFIG,
  initAuthCreds,
  type SignalKeyStoreWithTransaction,
  type SignalRepositoryWithLIDStore,
} from '@whiskeysockets/baileys';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NO_LOG } from '../../../src/connectors/whatsapp/client-log.ts';
import { GroupReader } from '../../../src/connectors/whatsapp/group-cipher.ts';
import { memoryKeys } from '../../emulators/whatsapp/key-memory.ts';
import { SenderKey } from '../../emulators/whatsapp/sender-key.ts';

const group = '120363000000000001@g.us';
const authorJid = '15550002222:3@s.whatsapp.net';

interface Receiver {
  readonly keys: SignalKeyStoreWithTransaction;
  readonly repository: SignalRepositoryWithLIDStore;
  readonly read: (msg: Uint8Array) => Promise<Uint8Array>;
}

async function receiver(kind: 'client' | 'ours', sender: SenderKey): Promise<Receiver> {
  const options = { maxCommitRetries: 1, delayBetweenTriesMs: 0 };
  const keys = addTransactionCapability(memoryKeys(), NO_LOG, options);
  const repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository({ creds: initAuthCreds(), keys }, NO_LOG);
  const axolotlSenderKeyDistributionMessage = sender.distribution();
  const item = { groupId: group, axolotlSenderKeyDistributionMessage };
  await repository.processSenderKeyDistributionMessage({ item, authorJid });
  const groups = new GroupReader(keys, (jid) => repository.jidToSignalProtocolAddress(jid));
  const read = (msg: Uint8Array): Promise<Uint8Array> =>
    keys.transaction(async () => {
      const plaintext = kind === 'ours' ? await groups.read({ group, authorJid, msg }) : null;
      return plaintext ?? (await repository.decryptGroupMessage({ group, authorJid, msg }));
    }, group);
  return { keys, repository, read };
}

async function stateOf({ keys }: Receiver): Promise<unknown> {
  const name = `${group}::15550002222::3`;
  const { [name]: record } = await keys.get('sender-key', [name]);
  return JSON.parse(Buffer.from(record ?? []).toString()) as unknown;
}

async function outcome(read: Promise<Uint8Array>): Promise<string> {
  return await read.then(
    (plaintext) => Buffer.from(plaintext).toString('hex'),
    (error: unknown) => String(error),
  );
}

test('whatever comes in whatever order, it reads and refuses what the client does, and leaves the same key', async () => {
  const steps = fc.array(fc.record({ at: fc.nat(11), bit: fc.option(fc.nat(10_000), { freq: 3, nil: null }) }), {
    maxLength: 10,
  });
  await fc.assert(
    fc.asyncProperty(steps, async (order) => {
      const sender = new SenderKey();
      const [client, ours] = [await receiver('client', sender), await receiver('ours', sender)];
      const sent = Array.from({ length: 12 }, (_, at) => sender.encrypt(Buffer.from(`message ${at}\u0001`)));
      for (const { at, bit } of order) {
        const msg = Buffer.from(sent[at] ?? []);
        if (bit !== null) msg[(bit >> 3) % msg.length] = (msg[(bit >> 3) % msg.length] ?? 0) ^ (1 << (bit & 7));
        expect(await outcome(ours.read(Buffer.from(msg)))).toBe(await outcome(client.read(msg)));
        expect(await stateOf(ours)).toEqual(await stateOf(client));
      }
    }),
    { numRuns: 15 },
  );
});

test('reads without the client what is in order, and leaves to it who sent no key', async () => {
  const sender = new SenderKey();
  const { keys, repository } = await receiver('ours', sender);
  const groups = new GroupReader(keys, (jid) => repository.jidToSignalProtocolAddress(jid));
  const msg = sender.encrypt(Buffer.from('plain\u0001'));
  const read = (author: string, bytes: Uint8Array): Promise<Uint8Array | null> =>
    keys.transaction(() => groups.read({ group, authorJid: author, msg: bytes }), group);
  expect(Buffer.from((await read(authorJid, msg)) ?? []).toString()).toBe('plain\u0001');
  expect(await read('15550003333@s.whatsapp.net', msg)).toBeNull();
  const forged = Buffer.from(sender.encrypt(Buffer.from('forged\u0001')));
  forged[forged.length - 10] = (forged.at(-10) ?? 0) ^ 1;
  expect(await read(authorJid, forged)).toBeNull();
});
