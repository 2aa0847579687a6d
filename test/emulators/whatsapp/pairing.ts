// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import {
  aesDecryptCTR,
  aesDecryptGCM,
  aesEncryptCTR,
  Curve,
  derivePairingCodeKey,
  hkdf,
  hmacSign,
  proto,
  WA_ADV_ACCOUNT_SIG_PREFIX,
  WA_ADV_DEVICE_SIG_PREFIX,
} from '@whiskeysockets/baileys';
import type { Connection } from './connection.ts';
import { SERVER, bytesOf, childOf, node } from './wire.ts';
import type { WireNode } from './wire.ts';
import { deviceJid, deviceLid } from './world.ts';
import type { Account, LinkedDevice, World } from './world.ts';
import { verifies } from './xeddsa.ts';

/** Details and the account's signature over them and the device's identity key: the owner vouches for the device. */
export function vouch(
  account: Account,
  identity: Uint8Array,
  keyIndex: number,
  nowSeconds: number,
): { readonly details: Uint8Array; readonly signed: proto.IADVSignedDeviceIdentity } {
  const details = proto.ADVDeviceIdentity.encode({
    rawId: 1,
    timestamp: nowSeconds,
    keyIndex,
    accountType: 0,
    deviceType: 0,
  }).finish();
  const message = Buffer.concat([WA_ADV_ACCOUNT_SIG_PREFIX, details, identity]);
  const accountSignature = account.identity.sign(message);
  return { details, signed: { details, accountSignatureKey: account.identity.public, accountSignature } };
}

interface Attempt {
  readonly connection: Connection;
  readonly refs: ReadonlySet<string>;
  id: string;
  pending: { readonly device: LinkedDevice; readonly identity: Buffer; readonly details: Uint8Array } | null;
  readonly done: PromiseWithResolvers<number>;
  /** Pairing by code: what the companion said in `companion_hello`. */
  hello: { readonly number: string; readonly wrapped: Buffer; readonly ref: Buffer } | null;
  code: {
    readonly account: Account;
    readonly ephemeral: ReturnType<typeof Curve.generateKeyPair>;
    readonly companionKey: Buffer;
  } | null;
}

/** Linking of devices: what the server and the owner's phone do, by QR code or by pairing code. */
export class Pairing {
  readonly #world: World;
  readonly #nowSeconds: () => number;
  readonly #attempts = new Map<Connection, Attempt>();
  readonly #hellos: { number: string; resolve: (attempt: Attempt) => void }[] = [];

  constructor(world: World, nowSeconds: () => number) {
    this.#world = world;
    this.#nowSeconds = nowSeconds;
  }

  start(connection: Connection): void {
    const refs = Array.from({ length: 6 }, () => `2@${randomBytes(24).toString('base64')}`);
    this.#attempts.set(connection, {
      connection,
      refs: new Set(refs),
      id: '',
      pending: null,
      done: Promise.withResolvers(),
      hello: null,
      code: null,
    });
    const nodes = refs.map((ref) => node('ref', {}, Buffer.from(ref)));
    connection.send(
      node('iq', { from: SERVER, type: 'set', id: randomBytes(4).toString('hex'), xmlns: 'md' }, [
        node('pair-device', {}, nodes),
      ]),
    );
  }

  forget(connection: Connection): void {
    const attempt = this.#attempts.get(connection);
    this.#attempts.delete(connection);
    attempt?.done.promise.catch(() => {});
    attempt?.done.reject(new Error('the client left before it was linked'));
  }

  async scan(qr: string, account: Account): Promise<number> {
    const [ref = '', , identity = '', secret = ''] = qr.replace(/^.*#/, '').split(',');
    const attempt = [...this.#attempts.values()].find(({ refs }) => refs.has(ref));
    if (attempt === undefined) throw new Error('nobody shows this code, or no longer');
    this.#succeed(attempt, account, Buffer.from(identity, 'base64'), Buffer.from(secret, 'base64'));
    return await attempt.done.promise;
  }

  /** The phone's half of the pairing code: wrap an ephemeral key under the code, and get the device's identity back. */
  async typeCode(code: string, account: Account): Promise<number> {
    const attempt = await this.#hello(account.number);
    const { hello } = attempt;
    if (hello === null) throw new Error('no code was asked for');
    const key = await derivePairingCodeKey(code, hello.wrapped.subarray(0, 32));
    const companionKey = Buffer.from(
      aesDecryptCTR(hello.wrapped.subarray(48, 80), key, hello.wrapped.subarray(32, 48)),
    );
    const ephemeral = Curve.generateKeyPair();
    attempt.code = { account, ephemeral, companionKey };
    const salt = randomBytes(32);
    const iv = randomBytes(16);
    const wrapped = aesEncryptCTR(ephemeral.public, await derivePairingCodeKey(code, salt), iv);
    attempt.connection.send(
      node(
        'notification',
        {
          from: SERVER,
          type: 'link_code_companion_reg',
          id: randomBytes(4).toString('hex'),
          t: String(this.#nowSeconds()),
        },
        [
          node('link_code_companion_reg', { stage: 'primary_hello' }, [
            node('link_code_pairing_ref', {}, hello.ref),
            node('primary_identity_pub', {}, account.identity.public),
            node('link_code_pairing_wrapped_primary_ephemeral_pub', {}, Buffer.concat([salt, iv, wrapped])),
          ]),
        ],
      ),
    );
    return await attempt.done.promise;
  }

  /** True if the node belongs to linking. */
  take(connection: Connection, query: WireNode): boolean {
    const attempt = this.#attempts.get(connection);
    if (attempt === undefined) return false;
    const reg = childOf(query, 'link_code_companion_reg');
    if (reg?.attrs['stage'] === 'companion_hello') this.#takeHello(attempt, query, reg);
    else if (reg?.attrs['stage'] === 'companion_finish') this.#takeFinish(attempt, query, reg);
    else if (query.attrs['type'] === 'result' && query.attrs['id'] === attempt.id && attempt.id !== '')
      this.#takeSignature(attempt, query);
    else return query.attrs['type'] === 'result';
    return true;
  }

  async #hello(number: string): Promise<Attempt> {
    const ready = [...this.#attempts.values()].find(({ hello }) => hello?.number === number);
    if (ready !== undefined) return ready;
    const { promise, resolve } = Promise.withResolvers<Attempt>();
    this.#hellos.push({ number, resolve });
    return await promise;
  }

  #takeHello(attempt: Attempt, query: WireNode, reg: WireNode): void {
    const number = (reg.attrs['jid'] ?? '').split('@')[0] ?? '';
    const wrapped = bytesOf(childOf(reg, 'link_code_pairing_wrapped_companion_ephemeral_pub'));
    const ref = randomBytes(16);
    attempt.hello = { number, wrapped, ref };
    attempt.connection.result(query, [
      node('link_code_companion_reg', { stage: 'companion_hello' }, [node('link_code_pairing_ref', {}, ref)]),
    ]);
    for (const waiting of this.#hellos) if (waiting.number === number) waiting.resolve(attempt);
  }

  #takeFinish(attempt: Attempt, query: WireNode, reg: WireNode): void {
    const { code } = attempt;
    attempt.connection.result(query);
    if (code === null) return;
    const { account, ephemeral, companionKey } = code;
    const bundle = bytesOf(childOf(reg, 'link_code_pairing_wrapped_key_bundle'));
    const shared = Curve.sharedKey(ephemeral.private, companionKey);
    const key = hkdf(shared, 32, { salt: bundle.subarray(0, 32), info: 'link_code_pairing_key_bundle_encryption_key' });
    try {
      const plain = Buffer.from(
        aesDecryptGCM(bundle.subarray(44), Buffer.from(key), bundle.subarray(32, 44), Buffer.alloc(0)),
      );
      const [identity, random] = [plain.subarray(0, 32), plain.subarray(64)];
      const identityShared = Curve.sharedKey(account.identity.private, identity);
      const secret = hkdf(Buffer.concat([shared, identityShared, random]), 32, { info: 'adv_secret' });
      this.#succeed(attempt, account, Buffer.from(identity), Buffer.from(secret));
    } catch {
      attempt.done.reject(new Error('the code is not the one on the screen'));
    }
  }

  #succeed(attempt: Attempt, account: Account, identity: Buffer, secret: Buffer): void {
    const device = this.#world.addDevice(account, attempt.connection.clientKey);
    const { details, signed } = vouch(account, identity, device.device, this.#nowSeconds());
    const bytes = proto.ADVSignedDeviceIdentity.encode(signed).finish();
    const identityHmac = proto.ADVSignedDeviceIdentityHMAC.encode({
      details: bytes,
      hmac: hmacSign(bytes, secret),
    }).finish();
    attempt.id = randomBytes(4).toString('hex');
    attempt.pending = { device, identity, details };
    const attrs = { from: SERVER, type: 'set', id: attempt.id, xmlns: 'md', t: String(this.#nowSeconds()) };
    attempt.connection.send(
      node('iq', attrs, [
        node('pair-success', {}, [
          node('device-identity', {}, identityHmac),
          node('biz', { name: account.name }),
          node('device', { jid: deviceJid(device), lid: deviceLid(device) }),
          node('platform', { name: 'android' }),
        ]),
      ]),
    );
  }

  /** The device signed back: it is linked, and must come again with its new name. */
  #takeSignature(attempt: Attempt, reply: WireNode): void {
    const { pending, connection, done } = attempt;
    if (pending === null) return;
    const { device, identity, details } = pending;
    const signed = proto.ADVSignedDeviceIdentity.decode(
      bytesOf(childOf(childOf(reply, 'pair-device-sign'), 'device-identity')),
    );
    const message = Buffer.concat([WA_ADV_DEVICE_SIG_PREFIX, details, identity, device.account.identity.public]);
    if (!verifies(identity, message, signed.deviceSignature ?? new Uint8Array())) {
      device.unlinked = true;
      done.reject(new Error('the device did not sign with its identity key'));
      connection.close();
      return;
    }
    this.#attempts.delete(connection);
    done.resolve(device.device);
    connection.send(node('stream:error', { code: '515' }));
    setTimeout(() => connection.close(), 20).unref();
  }
}
