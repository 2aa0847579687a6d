// SPDX-License-Identifier: AGPL-3.0-or-later
import { BufferJSON, Curve, generateSignalPubKey, initAuthCreds, proto } from '@whiskeysockets/baileys';
import type { AuthenticationCreds } from '@whiskeysockets/baileys';
import type { LinkedState } from './api.ts';
import { vouch } from './pairing.ts';
import { deviceJid, deviceLid } from './world.ts';
import type { Account, World } from './world.ts';

/** What a client would have stored after pairing and its first login, made without either. */
export function linkReady(world: World, account: Account, preKeys: number, nowSeconds: number): LinkedState {
  const creds = initAuthCreds();
  const device = world.addDevice(account, creds.noiseKey.public);
  const identity = creds.signedIdentityKey;
  const { signed } = vouch(account, identity.public, device.device, nowSeconds);
  // The server saw it when the device was linked; nobody asks for it again.
  const deviceSignature = Buffer.alloc(64);
  const keys = Array.from({ length: preKeys }, (_, index) => ({ keyId: index + 1, pair: Curve.generateKeyPair() }));
  const state: AuthenticationCreds = {
    ...creds,
    me: { id: deviceJid(device), lid: deviceLid(device), name: account.name },
    account: proto.ADVSignedDeviceIdentity.create({ ...signed, deviceSignature }),
    signalIdentities: [
      {
        identifier: { name: deviceLid(device), deviceId: 0 },
        identifierKey: generateSignalPubKey(account.identity.public),
      },
    ],
    platform: 'android',
    // Without it the client takes its first login for a first link and waits for history.
    accountSyncCounter: 1,
    registered: true,
    nextPreKeyId: preKeys + 1,
    firstUnuploadedPreKeyId: preKeys + 1,
  };
  device.bundle = {
    registrationId: creds.registrationId,
    identity: identity.public,
    signedPreKey: {
      keyId: creds.signedPreKey.keyId,
      publicKey: generateSignalPubKey(creds.signedPreKey.keyPair.public),
      signature: creds.signedPreKey.signature,
    },
    preKeys: keys.map(({ keyId, pair }) => ({ keyId, publicKey: generateSignalPubKey(pair.public) })),
  };
  device.keys.resolve(device.bundle);
  const stored = keys.map(({ keyId, pair }) => [String(keyId), JSON.stringify(pair, BufferJSON.replacer)]);
  return {
    number: account.number,
    device: device.device,
    creds: JSON.stringify(state, BufferJSON.replacer),
    keys: { 'pre-key': Object.fromEntries(stored) as Record<string, string> },
  };
}
