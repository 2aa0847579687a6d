// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { aesEncryptGCM, hkdf, proto } from '@whiskeysockets/baileys';
import type { HistoryChunk, HistorySent } from './api.ts';
import type { AppState } from './app-state.ts';
import { encOf } from './endpoint.ts';
import type { MediaHost } from './media-host.ts';
import type { MediaReference } from './media-api.ts';
import { mediaIn } from './messages.ts';
import type { Sender } from './sender.ts';
import { SERVER, childOf, node } from './wire.ts';
import type { WireNode } from './wire.ts';
import { deviceJid, endpointOf } from './world.ts';
import type { Account, LinkedDevice } from './world.ts';

export interface PhoneParts {
  readonly sender: Sender;
  readonly media: MediaHost;
  readonly appState: AppState;
  readonly nowSeconds: () => number;
  readonly push: (device: LinkedDevice, node: WireNode) => void;
}

const { Type: ProtocolType } = proto.Message.ProtocolMessage;
const { PeerDataOperationRequestType } = proto.Message;

/** What the owner's phone does by itself: history, re-uploads, keys, answers to its linked devices. */
export class Phone {
  readonly #parts: PhoneParts;

  constructor(parts: PhoneParts) {
    this.#parts = parts;
  }

  async sendHistory(number: string, chunk: HistoryChunk, requestId: string | null = null): Promise<HistorySent> {
    const { syncType, chunkOrder = 1, progress = 100 } = chunk;
    const bytes = deflateSync(proto.HistorySync.encode({ ...chunk.content, syncType, chunkOrder, progress }).finish());
    const { fault } = chunk;
    const media =
      chunk.inline === true
        ? null
        : this.#parts.media.put({ kind: 'md-msg-hist', bytes, ...(fault === undefined ? {} : { fault }) });
    const sent = await this.#parts.sender.sendPeer(number, {
      protocolMessage: {
        type: ProtocolType.HISTORY_SYNC_NOTIFICATION,
        historySyncNotification: {
          syncType,
          chunkOrder,
          progress,
          ...(requestId === null ? {} : { peerDataRequestSessionId: requestId }),
          ...(media === null ? { initialHistBootstrapInlinePayload: bytes } : blobFields({ ...media, ...chunk.lie })),
        },
      },
    });
    return { ...sent, media };
  }

  /** Decrypts what a device sent to the phone and acts on it. Returns the `Message` bytes. */
  async take(device: LinkedDevice, message: WireNode): Promise<Uint8Array | null> {
    const enc = encOf(message);
    if (enc === null) return null;
    const { account } = device;
    const plaintext = await endpointOf(account, 0).decrypt(deviceJid(device), enc.type, enc.ciphertext);
    const decoded = proto.Message.decode(plaintext);
    // The client library wraps what it sends to its own phone, as if it were a message to somebody else.
    const protocolMessage = (decoded.deviceSentMessage?.message ?? decoded).protocolMessage;
    const request = protocolMessage?.peerDataOperationRequestMessage;
    if (protocolMessage?.type === ProtocolType.APP_STATE_SYNC_KEY_REQUEST) {
      await this.#parts.sender.sendPeer(account.number, this.#parts.appState.keyShare(account.number));
    }
    if (request !== undefined && request !== null) await this.#operate(account, message.attrs['id'] ?? '', request);
    return plaintext;
  }

  async #operate(account: Account, id: string, request: proto.Message.IPeerDataOperationRequestMessage): Promise<void> {
    switch (request.peerDataOperationRequestType) {
      case PeerDataOperationRequestType.HISTORY_SYNC_ON_DEMAND:
        if (account.historyOnDemand === null) return;
        await this.sendHistory(
          account.number,
          { syncType: proto.HistorySync.HistorySyncType.ON_DEMAND, content: account.historyOnDemand },
          id,
        );
        return;
      case PeerDataOperationRequestType.PLACEHOLDER_MESSAGE_RESEND:
        await this.#resendPlaceholders(account, id, request);
        return;
      default:
    }
  }

  async #resendPlaceholders(
    account: Account,
    id: string,
    { placeholderMessageResendRequest = [] }: proto.Message.IPeerDataOperationRequestMessage,
  ): Promise<void> {
    const results = (placeholderMessageResendRequest ?? []).flatMap(({ messageKey }) => {
      const remembered = account.remembered.get(messageKey?.id ?? '');
      if (remembered === undefined) return [];
      const { chat, participant, fromMe, timestampSeconds, plaintext } = remembered;
      const webMessageInfoBytes = proto.WebMessageInfo.encode({
        key: { remoteJid: chat, fromMe, id: messageKey?.id ?? '', ...(participant === null ? {} : { participant }) },
        message: proto.Message.decode(plaintext),
        messageTimestamp: timestampSeconds,
        ...(participant === null ? {} : { participant }),
      }).finish();
      return [{ placeholderMessageResendResponse: { webMessageInfoBytes } }];
    });
    await this.#parts.sender.sendPeer(account.number, {
      protocolMessage: {
        type: ProtocolType.PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE,
        peerDataOperationRequestResponseMessage: {
          peerDataOperationRequestType: PeerDataOperationRequestType.PLACEHOLDER_MESSAGE_RESEND,
          stanzaId: id,
          peerDataOperationResult: results,
        },
      },
    });
  }

  /** `<receipt type="server-error">`: a device asks for media to be uploaded again. */
  answerMediaRetry(device: LinkedDevice, receipt: WireNode): void {
    const id = receipt.attrs['id'] ?? '';
    const rmr = childOf(receipt, 'rmr');
    const { account } = device;
    const remembered = account.remembered.get(id);
    if (rmr === undefined || account.reupload === 'silent') return;
    const media = remembered === undefined ? null : mediaIn(remembered.plaintext);
    const again = media === null ? null : this.#parts.media.uploadAgain(media.directPath);
    const isFound = account.reupload !== 'not-found' && media !== null && again !== null;
    const result = isFound
      ? { stanzaId: id, directPath: again.directPath, result: proto.MediaRetryNotification.ResultType.SUCCESS }
      : { stanzaId: id, result: proto.MediaRetryNotification.ResultType.NOT_FOUND };
    const content =
      media === null
        ? [node('error', { code: '2' })]
        : [encryptedResult(result, media.mediaKey, account.reupload === 'garbage')];
    const attrs = { from: `${account.number}@${SERVER}`, type: 'mediaretry', id, t: String(this.#parts.nowSeconds()) };
    this.#parts.push(device, node('notification', attrs, [...content, node('rmr', rmr.attrs)]));
  }
}

function blobFields(media: MediaReference): proto.Message.IHistorySyncNotification {
  const { directPath, mediaKey, fileSha256, fileEncSha256, fileLength } = media;
  return { directPath, mediaKey, fileSha256, fileEncSha256, fileLength };
}

function encryptedResult(result: proto.IMediaRetryNotification, mediaKey: Uint8Array, garbage: boolean): WireNode {
  const key = Buffer.from(hkdf(mediaKey, 32, { info: 'WhatsApp Media Retry Notification' }));
  const iv = randomBytes(12);
  const id = Buffer.from(result.stanzaId ?? '');
  const plaintext = proto.MediaRetryNotification.encode(result).finish();
  const ciphertext = garbage ? randomBytes(40) : aesEncryptGCM(plaintext, key, iv, id);
  return node('encrypt', {}, [node('enc_p', {}, ciphertext), node('enc_iv', {}, iv)]);
}
