// SPDX-License-Identifier: AGPL-3.0-or-later

import type { AttachmentStore } from './attachments.ts';
import { CallError, type DaemonCalls } from './daemon-calls.ts';
import type { Faults } from './faults.ts';
import type { LinkDesk } from './link.ts';
import type { NormalReceive } from './normal-receive.ts';
import { qrPng } from './qr-png.ts';
import { bytesReply, emptyReply, errorReply, jsonReply, unboundBodyReply, type Reply } from './reply.ts';
import { contactEntry, deviceEntries, groupEntry, identityEntry, trust } from './rest-world.ts';
import { sniffContentType } from './sniff.ts';
import { isAddress, type Account, type World } from './world.ts';

export type Mode = 'json-rpc' | 'normal';

export interface RestParts {
  readonly mode: Mode;
  readonly version: string;
  readonly world: World;
  readonly faults: Faults;
  readonly calls: DaemonCalls;
  readonly links: LinkDesk;
  readonly attachments: AttachmentStore;
  readonly normalReceive: NormalReceive;
  /** The REST process dies (some mistakes of a client are fatal to it). */
  readonly onFatal: () => void;
  /** An identity was trusted. */
  readonly onTrust: (number: string) => void;
}

export interface RestRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: string;
}

export type Handler = (request: RestRequest, parts: RestParts) => Reply | Promise<Reply>;

export interface Route {
  readonly method: string;
  /** Segments; one that begins with `:` is a parameter. */
  readonly path: readonly string[];
  readonly handler: Handler;
}

const missingAttachment = 'No attachment with that name found';

/** The routes that the connector uses, in no particular order: no two of them match the same path. */
export const routes: readonly Route[] = [
  route('GET', 'v1/about', (_request, parts) =>
    jsonReply(200, {
      versions: ['v1', 'v2'],
      build: 2,
      mode: parts.mode,
      version: parts.version,
      capabilities: { 'v2/send': ['quotes', 'mentions'] },
    }),
  ),
  route('GET', 'v1/health', () => emptyReply(204)),
  route('GET', 'v1/accounts', listAccounts),
  route('GET', 'v1/qrcodelink', qrCodeLink),
  route('GET', 'v1/qrcodelink/raw', qrCodeLinkRaw),
  route('GET', 'v1/attachments', (_request, parts) => jsonReply(200, parts.attachments.list())),
  route('GET', 'v1/attachments/:attachment', serveAttachment),
  route('DELETE', 'v1/attachments/:attachment', removeAttachment),
  route('GET', 'v1/groups/:number', listGroups),
  route('GET', 'v1/groups/:number/:groupid', oneGroup),
  route('GET', 'v1/contacts/:number', listContacts),
  route('GET', 'v1/contacts/:number/:uuid', oneContact),
  route('GET', 'v1/identities/:number', (request, parts) =>
    perAccount(request, parts, 500, (account) => jsonReply(200, account.identities.map(identityEntry))),
  ),
  route('PUT', 'v1/identities/:number/trust/:numbertotrust', trustIdentity),
  route('GET', 'v1/devices/:number', (request, parts) =>
    perAccount(request, parts, 400, (account) => {
      if (!parts.faults.signalReachable) throw new CallError('Failed to get linked devices: Connection closed!');
      return jsonReply(200, deviceEntries(account));
    }),
  ),
  route('GET', 'v1/configuration/:number/settings', () => jsonReply(200, { trust_mode: 'on-first-use' })),
  route('POST', 'v1/configuration/:number/settings', setTrustMode),
  route('GET', 'v1/receive/:number', (request, parts) => parts.normalReceive.answer(request)),
];

function route(method: string, path: string, handler: Handler): Route {
  return { method, path: path.split('/'), handler };
}

async function listAccounts(_request: RestRequest, parts: RestParts): Promise<Reply> {
  const numbers = await parts.calls.call(() =>
    [...parts.world.accounts.values()].filter((account) => account.registered).map((account) => account.number),
  );
  return jsonReply(200, numbers);
}

/** Runs a command for the account in the path; its error text becomes the answer with the given status. */
async function perAccount(
  request: RestRequest,
  parts: RestParts,
  errorStatus: number,
  command: (account: Account) => Reply,
): Promise<Reply> {
  const number = request.params['number'] ?? '';
  try {
    return await parts.calls.call(() => {
      const account = parts.world.registeredAccount(number);
      if (account === undefined) throw new CallError(unknownAccount(parts.mode, number));
      return command(account);
    });
  } catch (error) {
    if (error instanceof CallError) return errorReply(errorStatus, error.message);
    throw error;
  }
}

/** The text of signal-cli for a number that it does not have, or no longer. */
export function unknownAccount(mode: Mode, number: string): string {
  return mode === 'json-rpc' ? 'Specified account does not exist' : `User ${number} is not registered.\n`;
}

function flag(request: RestRequest, name: string): boolean | Reply {
  const value = request.query.get(name) ?? 'false';
  if (value === 'true' || value === 'false') return value === 'true';
  return errorReply(400, `Couldn't process request - ${name} parameter needs to be either 'true' or 'false'`);
}

function listGroups(request: RestRequest, parts: RestParts): Reply | Promise<Reply> {
  const expand = flag(request, 'expand');
  if (typeof expand !== 'boolean') return expand;
  return perAccount(request, parts, 400, (account) =>
    jsonReply(
      200,
      account.groups.map((group) => groupEntry(group, expand)),
    ),
  );
}

function oneGroup(request: RestRequest, parts: RestParts): Reply | Promise<Reply> {
  const expand = flag(request, 'expand');
  if (typeof expand !== 'boolean') return expand;
  return perAccount(request, parts, 400, (account) => {
    const wanted = request.params['groupid'] ?? '';
    const found = account.groups.find(
      (group) => `group.${Buffer.from(group.internalId).toString('base64')}` === wanted,
    );
    return found === undefined
      ? errorReply(404, 'No group with that id found')
      : jsonReply(200, groupEntry(found, expand));
  });
}

function listContacts(request: RestRequest, parts: RestParts): Reply | Promise<Reply> {
  const all = flag(request, 'all_recipients');
  if (typeof all !== 'boolean') return all;
  return perAccount(request, parts, 400, (account) => {
    const shown = account.contacts.filter((contact) => all || contact.isContact);
    return jsonReply(200, shown.map(contactEntry));
  });
}

function oneContact(request: RestRequest, parts: RestParts): Reply | Promise<Reply> {
  const all = flag(request, 'all_recipients');
  if (typeof all !== 'boolean') return all;
  const wanted = request.params['uuid'] ?? '';
  return perAccount(request, parts, 400, (account) => {
    const found = account.contacts.find((contact) => isAddress(contact, wanted) && (all || contact.isContact));
    return found === undefined
      ? errorReply(404, `No user with that id (${wanted}) found`)
      : jsonReply(200, contactEntry(found));
  });
}

interface TrustBody {
  readonly verified_safety_number?: string | null;
  readonly trust_all_known_keys?: boolean | null;
}

function trustIdentity(request: RestRequest, parts: RestParts): Reply | Promise<Reply> {
  const body = jsonObject(request.body) as TrustBody | null;
  if (body === null) return unboundBodyReply("Couldn't process request - invalid request");
  const safetyNumber = body.verified_safety_number ?? null;
  const trustAll = body.trust_all_known_keys === true;
  if (safetyNumber === null && !trustAll) {
    return errorReply(
      400,
      "Couldn't process request - please either provide a safety number (preferred & more secure) or set 'trust_all_known_keys' to true",
    );
  }
  if (safetyNumber !== null && trustAll) {
    return errorReply(
      400,
      "Couldn't process request - please either provide a safety number or set 'trust_all_known_keys' to true. But do not set both parameters at once!",
    );
  }
  if (safetyNumber === '') {
    return errorReply(400, "Couldn't process request - please provide a valid safety number");
  }
  return perAccount(request, parts, 400, (account) => {
    trust(account, request.params['numbertotrust'] ?? '', safetyNumber);
    parts.onTrust(account.number);
    return emptyReply(204);
  });
}

function setTrustMode(request: RestRequest, parts: RestParts): Reply {
  const body = jsonObject(request.body);
  if (body === null) return unboundBodyReply("Couldn't process request - invalid request");
  if (!['on-first-use', 'always', 'never'].includes(String(body['trust_mode']))) {
    return errorReply(400, 'Invalid trust mode');
  }
  return parts.mode === 'json-rpc' ? errorReply(400, "Couldn't set trust mode") : emptyReply(204);
}

async function qrCodeLink(request: RestRequest, parts: RestParts): Promise<Reply> {
  const deviceName = request.query.get('device_name') ?? '';
  if (deviceName === '') return errorReply(400, 'Please provide a name for the device');
  const versionText = request.query.get('qrcode_version') ?? '';
  if (!/^(?:[+-]?[0-9]+)?$/.test(versionText)) {
    return errorReply(400, 'The qrcode_version parameter needs to be an integer!');
  }
  const version = versionText === '' ? 10 : Number(versionText);
  return await linkReply(parts, deviceName, "Couldn't create QR code: ", (uri) => {
    if (version < 1 || version > 40) {
      parts.onFatal();
      return emptyReply(500);
    }
    const png = qrPng(uri, version, 256);
    return png === null ? emptyReply(500) : bytesReply('image/png', png);
  });
}

async function qrCodeLinkRaw(request: RestRequest, parts: RestParts): Promise<Reply> {
  const deviceName = request.query.get('device_name') ?? '';
  if (deviceName === '') return errorReply(400, 'Please provide a name for the device');
  return await linkReply(parts, deviceName, "Couldn't start link: ", (uri) => jsonReply(200, { device_link_uri: uri }));
}

async function linkReply(
  parts: RestParts,
  deviceName: string,
  errorPrefix: string,
  answer: (uri: string) => Reply,
): Promise<Reply> {
  try {
    return answer(await parts.calls.call(() => parts.links.startLink(deviceName)));
  } catch (error) {
    if (error instanceof CallError) return errorReply(400, errorPrefix + error.message);
    throw error;
  }
}

function serveAttachment(request: RestRequest, parts: RestParts): Reply {
  const content = parts.attachments.read(request.params['attachment'] ?? '');
  if (content === 'not-found') return errorReply(404, missingAttachment);
  if (content === 'unreadable') return errorReply(500, "Couldn't read attachment - please try again later");
  const headers = { 'Content-Type': sniffContentType(content), 'Content-Length': String(content.length) };
  return { status: 200, headers, body: content };
}

function removeAttachment(request: RestRequest, parts: RestParts): Reply {
  const outcome = parts.attachments.remove(request.params['attachment'] ?? '');
  if (outcome === 'not-found') return errorReply(404, missingAttachment);
  if (outcome === 'unreadable') return errorReply(500, "Couldn't delete attachment - please try again later");
  return emptyReply(204);
}

function jsonObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
