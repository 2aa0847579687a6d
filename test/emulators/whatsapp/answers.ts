// SPDX-License-Identifier: AGPL-3.0-or-later
import { generateSignalPubKey } from '@whiskeysockets/baileys';
import type { AppState } from './app-state.ts';
import type { Connection } from './connection.ts';
import { lidJid, pnJid } from './endpoint.ts';
import type { KeyBundle } from './endpoint.ts';
import { SERVER, bytesOf, childOf, childrenOf, node, uintOf } from './wire.ts';
import type { WireNode } from './wire.ts';
import { endpointOf } from './world.ts';
import type { Group, LinkedDevice, World } from './world.ts';

export interface AnswerContext {
  readonly world: World;
  readonly appState: AppState;
  readonly mediaHost: string;
  readonly nowSeconds: () => number;
  /** The device asked for its queue. */
  readonly activate: (connection: Connection) => void;
  /** The device unlinked itself. */
  readonly unlinked: (device: LinkedDevice) => void;
}

/** Answers one `<iq>` of a device that is logged in. Every query gets an answer; unknown ones an empty one, as the server's are. */
export async function answer(context: AnswerContext, connection: Connection, query: WireNode): Promise<void> {
  const { device } = connection;
  if (device === null || query.attrs['type'] === 'result' || query.attrs['type'] === 'error') return;
  const [first] = childrenOf(query);
  switch (query.attrs['xmlns']) {
    case 'passive':
      connection.result(query);
      if (first?.tag === 'active') context.activate(connection);
      return;
    case 'encrypt':
      connection.result(query, await aboutKeys(context, device, query, first));
      return;
    case 'abt':
      connection.result(query, [node('props', { protocol: '1', hash: 'emulator' }, [])]);
      return;
    case 'blocklist':
      connection.result(query, [node('list', {}, [])]);
      return;
    case 'privacy':
      connection.result(query, [node('privacy', {}, [node('category', { name: 'readreceipts', value: 'all' })])]);
      return;
    case 'w:m':
      connection.result(query, [
        node('media_conn', { auth: 'emulator', ttl: '3600', auth_ttl: '3600', max_buckets: '12' }, [
          node('host', { hostname: context.mediaHost, maxContentLengthBytes: '2147483648' }),
        ]),
      ]);
      return;
    case 'w:g2':
      connection.result(query, aboutGroups(context.world, device, query));
      return;
    case 'w:sync:app:state':
      connection.result(query, [context.appState.answer(device.account.number, query)]);
      return;
    case 'usync':
      connection.result(query, [aboutUsers(context.world, first)]);
      return;
    case 'md':
      connection.result(query);
      if (first?.tag === 'remove-companion-device') context.unlinked(device);
      return;
    default:
      connection.result(query);
  }
}

async function aboutKeys(
  { world }: AnswerContext,
  device: LinkedDevice,
  query: WireNode,
  first: WireNode | undefined,
): Promise<WireNode[]> {
  if (first?.tag === 'count') return [node('count', { value: String(device.bundle?.preKeys.length ?? 0) })];
  if (first?.tag === 'digest') return [node('digest', {}, [])];
  if (first?.tag === 'key') {
    const users: WireNode[] = [];
    for (const { attrs } of childrenOf(first, 'user')) {
      const jid = attrs['jid'] ?? '';
      const person = world.byJid(jid);
      if (person !== null) users.push(await endpointOf(person, Number(/:(\d+)@/.exec(jid)?.[1] ?? 0)).bundleNode(jid));
    }
    return [node('list', {}, users)];
  }
  const skey = childOf(query, 'skey') ?? childOf(childOf(query, 'rotate'), 'skey');
  const bundle = device.bundle;
  if (skey !== undefined && bundle !== null) bundle.signedPreKey = signedPreKey(skey);
  if (childOf(query, 'list') !== undefined) takeBundle(device, query);
  return [];
}

function signedPreKey(skey: WireNode): KeyBundle['signedPreKey'] {
  return {
    keyId: uintOf(childOf(skey, 'id')),
    publicKey: generateSignalPubKey(bytesOf(childOf(skey, 'value'))),
    signature: bytesOf(childOf(skey, 'signature')),
  };
}

/** The upload of pre-keys; a second one adds to the first. */
function takeBundle(device: LinkedDevice, query: WireNode): void {
  const preKeys = childrenOf(childOf(query, 'list'), 'key').map((key) => ({
    keyId: uintOf(childOf(key, 'id')),
    publicKey: generateSignalPubKey(bytesOf(childOf(key, 'value'))),
  }));
  device.bundle = {
    registrationId: uintOf(childOf(query, 'registration')),
    identity: bytesOf(childOf(query, 'identity')),
    signedPreKey: signedPreKey(childOf(query, 'skey') ?? node('skey')),
    preKeys: [...(device.bundle?.preKeys ?? []), ...preKeys],
  };
  device.keys.resolve(device.bundle);
}

function aboutGroups(world: World, device: LinkedDevice, query: WireNode): WireNode[] {
  const jid = query.attrs['to'] ?? '';
  const { number } = device.account;
  if (jid !== '@g.us') {
    const group = world.groups.get(jid);
    return group === undefined ? [node('error', { code: '404', text: 'item-not-found' })] : [groupNode(world, group)];
  }
  const mine = [...world.groups.values()].filter(({ members }) => members.includes(number));
  return [
    node(
      'groups',
      {},
      mine.map((group) => groupNode(world, group)),
    ),
  ];
}

/** `<group>` as in the answer to a metadata query. */
export function groupNode(world: World, group: Group): WireNode {
  const owner = world.person(group.members[0] ?? '');
  const by = (person: { number: string; lid: string }): string =>
    group.addressing === 'lid' ? lidJid({ lid: person.lid, device: 0 }) : pnJid({ number: person.number, device: 0 });
  const participants = group.members.map((number, index) => {
    const person = world.person(number);
    const other: Record<string, string> =
      group.addressing === 'lid'
        ? { phone_number: pnJid({ number, device: 0 }) }
        : { lid: lidJid({ lid: person.lid, device: 0 }) };
    return node('participant', { jid: by(person), ...other, ...(index === 0 ? { type: 'superadmin' } : {}) });
  });
  return node(
    'group',
    {
      id: group.jid.split('@')[0] ?? '',
      subject: group.subject,
      s_t: String(group.createdSeconds),
      s_o: by(owner),
      creation: String(group.createdSeconds),
      creator: by(owner),
      addressing_mode: group.addressing,
      size: String(group.members.length),
    },
    participants,
  );
}

function aboutUsers(world: World, usync: WireNode | undefined): WireNode {
  const protocols = childrenOf(childOf(usync, 'query')).map(({ tag }) => tag);
  const users = childrenOf(childOf(usync, 'list'), 'user').flatMap((user) => {
    const phone = bytesOf(childOf(user, 'contact')).toString().replace('+', '');
    const jid = user.attrs['jid'] ?? `${phone}@${SERVER}`;
    const person = world.byJid(jid);
    if (person === null) return [];
    const content = protocols.flatMap((protocol) => {
      if (protocol === 'devices') return [deviceList(world, person.number)];
      if (protocol === 'lid') return [node('lid', { val: lidJid({ lid: person.lid, device: 0 }) })];
      if (protocol === 'contact') return [node('contact', { type: 'in' })];
      return [];
    });
    return [node('user', { jid }, content)];
  });
  const { context = '', mode = '' } = usync?.attrs ?? {};
  return node('usync', { context, mode }, [node('list', {}, users)]);
}

function deviceList(world: World, number: string): WireNode {
  const linked = world.accounts.get(number)?.devices.filter(({ unlinked }) => !unlinked) ?? [];
  const ids = [0, ...linked.map(({ device }) => device)];
  const devices = ids.map((id) => node('device', id === 0 ? { id: '0' } : { id: String(id), 'key-index': String(id) }));
  return node('devices', {}, [node('device-list', {}, devices)]);
}
