// SPDX-License-Identifier: AGPL-3.0-or-later

import { inflateSync } from 'node:zlib';
import { decodeQR } from 'qr/decode.js';
import { expect, test } from 'vitest';
import { incoming } from './envelopes.ts';
import { WebhookReceiver } from './intakes.ts';
import { account, dana, groupId, kessler, startWorld, texts } from './test-world.ts';

const json = 'application/json; charset=utf-8';
const noAccount = '{"error":"Specified account does not exist"}';

async function get(url: string, init?: RequestInit): Promise<readonly [number, string | null, string]> {
  const response = await fetch(url, init);
  return [response.status, response.headers.get('content-type'), await response.text()];
}

test('answers about, health, accounts and unknown routes as the real server does', async () => {
  await using emulator = await startWorld({ version: '0.98' });
  const { url } = emulator;
  expect(await get(`${url}/v1/about`)).toEqual([
    200,
    json,
    '{"versions":["v1","v2"],"build":2,"mode":"json-rpc","version":"0.98","capabilities":{"v2/send":["quotes","mentions"]}}',
  ]);
  expect(await get(`${url}/v1/health`)).toEqual([204, null, '']);
  expect(await get(`${url}/v1/accounts`)).toEqual([200, json, `["${account}"]`]);
  expect(await get(`${url}/v1/nothing`)).toEqual([404, 'text/plain', '404 page not found']);
  expect(await get(`${url}/v1/accounts`, { method: 'DELETE' })).toEqual([404, 'text/plain', '404 page not found']);
  const { headers } = await fetch(`${url}/v1/about`);
  expect([headers.get('connection'), headers.get('keep-alive'), headers.get('server')]).toEqual([null, null, null]);
});

test('refuses a plain GET of the receive route in json-rpc mode', async () => {
  await using emulator = await startWorld();
  expect(await get(`${emulator.url}/v1/receive/${account}`)).toEqual([
    400,
    'text/plain; charset=utf-8',
    `Bad Request\n{"error":"websocket: the client is not using the websocket protocol: 'upgrade' token not found in 'Connection' header"}`,
  ]);
});

test('lists groups with their members, expanded or not, and escapes the ampersand', async () => {
  await using emulator = await startWorld();
  const id = `group.${Buffer.from(groupId).toString('base64')}`;
  const [status, type, body] = await get(`${emulator.url}/v1/groups/${account}`);
  expect([status, type]).toEqual([200, json]);
  expect(body).toContain('"name":"Field Office Ops \\u0026 Co","description":"",');
  expect(JSON.parse(body)).toEqual([
    {
      name: 'Field Office Ops & Co',
      description: '',
      id,
      internal_id: groupId,
      members: [account, dana.number, kessler.uuid],
      blocked: false,
      member: true,
      pending_invites: [],
      pending_requests: [],
      invite_link: '',
      admins: [account],
      permissions: { add_members: 'every-member', edit_group: 'every-member', send_messages: 'every-member' },
    },
  ]);
  const [, , expanded] = await get(`${emulator.url}/v1/groups/${account}/${id}?expand=true`);
  expect(expanded).toContain(`{"number":"","uuid":"${kessler.uuid}"}`);
  expect(await get(`${emulator.url}/v1/groups/${account}/group.x`)).toEqual([
    404,
    json,
    '{"error":"No group with that id found"}',
  ]);
  expect((await get(`${emulator.url}/v1/groups/${account}?expand=1`))[0]).toBe(400);
  emulator.updateGroup(account, groupId, { name: 'Ops', members: [] });
  expect(emulator.world.group(account, groupId).revision).toBe(1);
  expect((await get(`${emulator.url}/v1/groups/${account}`))[2]).toContain('"name":"Ops"');
});

test('lists contacts, and recipients on request', async () => {
  await using emulator = await startWorld();
  const listed = async (path: string): Promise<unknown> => JSON.parse((await get(`${emulator.url}${path}`))[2]);
  expect(await listed(`/v1/contacts/${account}`)).toMatchObject([{ uuid: dana.uuid, number: dana.number }]);
  expect(await listed(`/v1/contacts/${account}?all_recipients=true`)).toHaveLength(2);
  expect(await listed(`/v1/contacts/${account}/${dana.uuid}`)).toMatchObject({ name: 'Dana Ortiz', blocked: false });
  expect(await get(`${emulator.url}/v1/contacts/${account}/nobody`)).toEqual([
    404,
    json,
    '{"error":"No user with that id (nobody) found"}',
  ]);
});

test('answers for unknown accounts with 400, for identities with 500', async () => {
  await using emulator = await startWorld();
  for (const path of ['groups', 'contacts', 'devices']) {
    expect(await get(`${emulator.url}/v1/${path}/+1999`)).toEqual([400, json, noAccount]);
  }
  expect(await get(`${emulator.url}/v1/identities/+1999`)).toEqual([500, json, noAccount]);
});

test('lists identities and trusts them by safety number or altogether', async () => {
  await using emulator = await startWorld();
  const before = emulator.world.identityOf(account, dana.uuid);
  const fresh = emulator.changeIdentity(account, dana.uuid);
  expect(fresh.safetyNumber).not.toBe(before?.safetyNumber);
  const identities = JSON.parse((await get(`${emulator.url}/v1/identities/${account}`))[2]) as { uuid: string }[];
  expect(identities.find((identity) => identity.uuid === dana.uuid)).toEqual({
    number: dana.number,
    status: 'UNTRUSTED',
    fingerprint: fresh.fingerprint,
    added: String(fresh.addedMs),
    safety_number: fresh.safetyNumber,
    uuid: dana.uuid,
  });
  const trust = (body: string): ReturnType<typeof get> =>
    get(`${emulator.url}/v1/identities/${account}/trust/${dana.number}`, { method: 'PUT', body });
  expect((await trust('not json')).slice(0, 2)).toEqual([400, 'text/plain; charset=utf-8']);
  expect((await trust('{}'))[2]).toContain('(preferred \\u0026 more secure)');
  expect((await trust('{"verified_safety_number":"1","trust_all_known_keys":true}'))[2]).toContain('at once!');
  expect((await trust('{"verified_safety_number":""}'))[2]).toContain('provide a valid safety number');
  expect((await trust('{"verified_safety_number":"12"}'))[2]).toContain('invalid format');
  expect((await trust(`{"verified_safety_number":"${'1'.repeat(60)}"}`))[0]).toBe(400);
  expect(await trust('{"trust_all_known_keys":true}')).toEqual([204, null, '']);
  expect(fresh.status).toBe('TRUSTED_UNVERIFIED');
  expect((await trust(`{"verified_safety_number":"${fresh.safetyNumber}"}`))[0]).toBe(204);
  expect(fresh.status).toBe('TRUSTED_VERIFIED');
});

test('lists devices with the day the phone was seen, and refuses the trust mode in json-rpc mode', async () => {
  await using emulator = await startWorld();
  emulator.touchPrimary(account, Date.parse('2026-11-05T17:00:00Z'));
  const [phone, own] = JSON.parse((await get(`${emulator.url}/v1/devices/${account}`))[2]) as object[];
  expect(phone).toMatchObject({ id: 1, last_seen_timestamp: Date.parse('2026-11-05T00:00:00Z') });
  expect(Object.keys(own ?? {})).toEqual(['id', 'name', 'last_seen_timestamp', 'creation_timestamp']);
  const settings = `${emulator.url}/v1/configuration/${account}/settings`;
  expect(await get(settings, { method: 'POST', body: '{"trust_mode":"always"}' })).toEqual([
    400,
    json,
    '{"error":"Couldn\'t set trust mode"}',
  ]);
});

test('links through a URI that serves once', async () => {
  await using emulator = await startWorld();
  const { url } = emulator;
  expect(await get(`${url}/v1/qrcodelink/raw`)).toEqual([
    400,
    json,
    '{"error":"Please provide a name for the device"}',
  ]);
  const [status, , body] = await get(`${url}/v1/qrcodelink/raw?device_name=archive+one`);
  expect([
    status,
    /^\{"device_link_uri":"sgnl:\/\/linkdevice\?uuid=[^"&]+\\u0026pub_key=[^"&]+"\}$/.test(body),
  ]).toEqual([200, true]);
  const { device_link_uri: uri } = JSON.parse(body) as { device_link_uri: string };
  expect(await emulator.scanLink(uri, { account: '+12025550111', delayMs: 5 })).toBe('linked');
  expect((await get(`${url}/v1/accounts`))[2]).toBe(`["${account}","+12025550111"]`);
  expect(await emulator.scanLink(uri, { account: '+12025550112' })).toBe('unknown-link');
});

test('shows nothing of a link that fails', async () => {
  await using emulator = await startWorld();
  const raw = `${emulator.url}/v1/qrcodelink/raw?device_name=x`;
  for (const outcome of ['never', 'conflict'] as const) {
    const { device_link_uri: uri } = JSON.parse((await get(raw))[2]) as { device_link_uri: string };
    expect(await emulator.scanLink(uri, { account: '+12025550111', outcome })).toBe(outcome);
  }
  expect((await get(`${emulator.url}/v1/accounts`))[2]).toBe(`["${account}"]`);
  emulator.faults.startLinkError = 'Link request error: Connection closed!';
  expect((await get(raw))[2]).toBe('{"error":"Couldn\'t start link: Link request error: Connection closed!"}');
  expect((await get(raw.replace('/raw', '')))[2]).toBe(
    '{"error":"Couldn\'t create QR code: Link request error: Connection closed!"}',
  );
});

test('draws the link as a QR code of 256 pixels that a phone can read', async () => {
  await using emulator = await startWorld();
  const response = await fetch(`${emulator.url}/v1/qrcodelink?device_name=x`);
  expect(response.headers.get('content-type')).toBe('image/png');
  const uri = decodeQR({ width: 256, height: 256, data: pixels(Buffer.from(await response.arrayBuffer())) });
  expect(await emulator.scanLink(String(uri), { account: '+12025550111' })).toBe('linked');
  expect((await get(`${emulator.url}/v1/qrcodelink?device_name=x&qrcode_version=ten`))[2]).toBe(
    '{"error":"The qrcode_version parameter needs to be an integer!"}',
  );
});

test('serves attachments with the type their bytes suggest, and deletes them', async () => {
  await using emulator = await startWorld();
  const jpeg = { id: 'a.jpg', contentType: 'image/jpeg', size: 5000 };
  const note = { id: 'b.bin', contentType: 'application/octet-stream', size: 5 };
  await emulator.receive(account, incoming(dana, 1, { attachments: [note, jpeg] }), {
    attachments: [{ id: 'b.bin', content: Buffer.from('hello') }],
  });
  const files = `${emulator.url}/v1/attachments`;
  expect(await get(files)).toEqual([200, json, '["a.jpg","b.bin"]']);
  expect(await get(`${files}/b.bin`)).toEqual([200, 'text/plain; charset=utf-8', 'hello']);
  const response = await fetch(`${files}/a.jpg`);
  expect([response.headers.get('content-type'), response.headers.get('content-length')]).toEqual([
    'image/jpeg',
    '5000',
  ]);
  expect(await get(`${files}/a.jpg`, { method: 'DELETE' })).toEqual([204, null, '']);
  const missing = [404, json, '{"error":"No attachment with that name found"}'];
  expect(await get(`${files}/a.jpg`)).toEqual(missing);
  expect(await get(`${files}/a.jpg`, { method: 'DELETE' })).toEqual(missing);
  expect((await get(`${files}/..%2f..%2flog`))[0]).toBe(404);
});

test('holds REST answers of the daemon behind a slow webhook, and only those', async () => {
  await using webhook = await WebhookReceiver.start();
  await using emulator = await startWorld({ webhookUrl: webhook.url });
  webhook.hold();
  const message = emulator.receive(account, texts(1)[0] ?? '');
  await expect.poll(() => webhook.posts.length).toBe(1);
  const accounts = get(`${emulator.url}/v1/accounts`);
  await expect.poll(() => emulator.requests.at(-1)?.path).toBe('/v1/accounts');
  const asked = emulator.requests.at(-1);
  expect((await get(`${emulator.url}/v1/attachments`))[0]).toBe(200);
  expect(asked?.status).toBeNull();
  emulator.faults.headOfLineBlocking = false;
  expect((await get(`${emulator.url}/v1/accounts`))[0]).toBe(200);
  expect(asked?.status).toBeNull();
  webhook.release();
  expect((await accounts)[0]).toBe(200);
  await message;
});

/** Grey pixels of one of the emulator's PNGs: one bit a pixel, rows without a filter. */
function pixels(png: Buffer): Uint8Array {
  const at = png.indexOf('IDAT');
  const rows = inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)));
  const rgba = new Uint8Array(256 * 256 * 4).fill(255);
  for (let pixel = 0; pixel < 256 * 256; pixel += 1) {
    const [x, y] = [pixel % 256, Math.floor(pixel / 256)];
    const isWhite = (rows.readUInt8(y * 33 + 1 + (x >> 3)) & (0x80 >> (x & 7))) !== 0;
    if (!isWhite) rgba.fill(0, pixel * 4, pixel * 4 + 3);
  }
  return rgba;
}
