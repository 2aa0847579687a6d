// SPDX-License-Identifier: AGPL-3.0-or-later
import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { openS3Store, UNPROBED } from '../../../src/archive/s3-store.ts';
import { sharedS3 } from '../../services/shared.ts';
import { selfSigned } from './self-signed.ts';
import { newBucket } from './s3-subject.ts';
import { expectFailure, freshKey, lockFor, textOf } from './subject.ts';

const identity = selfSigned();
const ceph = new URL(sharedS3().endpoint);
const server = createServer(identity, (socket) => {
  const onward = connect(Number(ceph.port), ceph.hostname);
  socket.on('error', () => onward.destroy()).on('close', () => onward.destroy());
  onward.on('error', () => socket.destroy());
  socket.pipe(onward).pipe(socket);
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const config = await newBucket();
const secured = { ...config, endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}` };
afterAll(() => server.close());

describe('a bucket behind TLS', () => {
  it('is used when its authority is the one we were given', async () => {
    await using store = await openS3Store({ ...secured, ca: identity.cert });
    const key = freshKey();
    await store.create(key, Buffer.from('bytes'), await lockFor(store));
    expect(textOf(await store.read(key))).toBe('bytes');
    expect(store.abilities.grants).toBe(true);
  });

  it('is not sent anything when its certificate is unknown or another’s', async () => {
    await expectFailure(openS3Store(secured), 'store/tls');
    await expectFailure(openS3Store({ ...secured, ca: selfSigned().cert }), 'store/tls');
    await using store = await openS3Store(secured, UNPROBED);
    await expectFailure(store.putDerived('log/o/checkpoint', Buffer.of(1)), 'store/tls');
  });
});
