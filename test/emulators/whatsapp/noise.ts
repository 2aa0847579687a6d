// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { aesDecryptGCM, aesEncryptGCM, Curve, hkdf, NOISE_MODE, NOISE_WA_HEADER, proto } from '@whiskeysockets/baileys';

/** A root of Noise certificates and the server key under it. */
export interface NoiseAuthority {
  readonly rootPublic: Uint8Array;
  readonly serverKey: { readonly public: Uint8Array; readonly private: Uint8Array };
  /** `CertChain` bytes. */
  readonly chain: Uint8Array;
}

export function makeNoiseAuthority(nowSeconds: number): NoiseAuthority {
  const root = Curve.generateKeyPair();
  const intermediate = Curve.generateKeyPair();
  const serverKey = Curve.generateKeyPair();
  const details = (serial: number, issuerSerial: number, key: Uint8Array): Uint8Array =>
    proto.CertChain.NoiseCertificate.Details.encode({
      serial,
      issuerSerial,
      key,
      notBefore: nowSeconds - 3600,
      notAfter: nowSeconds + 365 * 86_400,
    }).finish();
  const intermediateDetails = details(1, 0, intermediate.public);
  const leafDetails = details(2, 1, serverKey.public);
  const chain = proto.CertChain.encode({
    intermediate: { details: intermediateDetails, signature: Curve.sign(root.private, intermediateDetails) },
    leaf: { details: leafDetails, signature: Curve.sign(intermediate.private, leafDetails) },
  }).finish();
  return { rootPublic: root.public, serverKey, chain };
}

export type NoiseEvent =
  | { readonly type: 'login'; readonly payload: proto.ClientPayload; readonly clientKey: Buffer }
  | { readonly type: 'frame'; readonly bytes: Buffer };

const EMPTY = Buffer.alloc(0);
const MAX_FRAME = 0xff_ff_ff;

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function nonce(counter: number): Buffer {
  const iv = Buffer.alloc(12);
  iv.writeUInt32BE(counter, 8);
  return iv;
}

/**
 * Server half of `Noise_XX_25519_AESGCM_SHA256` with WhatsApp's framing: three bytes of length, then the body. Bytes in, events
 * and bytes out; it knows no socket.
 */
export class NoiseResponder {
  readonly #authority: NoiseAuthority;
  readonly #write: (bytes: Buffer) => void;
  #input: Buffer = EMPTY;
  #state: 'intro' | 'hello' | 'finish' | 'open' = 'intro';
  #hash: Buffer = Buffer.from(NOISE_MODE);
  #salt: Buffer = this.#hash;
  #key: Buffer = this.#hash;
  #counter = 0;
  #ephemeral = Curve.generateKeyPair();
  #readKey: Buffer = EMPTY;
  #writeKey: Buffer = EMPTY;
  #readCounter = 0;
  #writeCounter = 0;

  constructor(authority: NoiseAuthority, write: (bytes: Buffer) => void) {
    this.#authority = authority;
    this.#write = write;
  }

  /** Throws on anything that is not the protocol. */
  *take(chunk: Uint8Array): Generator<NoiseEvent> {
    this.#input = this.#input.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#input, chunk]);
    if (this.#state === 'intro' && !this.#takeIntro()) return;
    while (this.#input.length >= 3) {
      const length = this.#input.readUIntBE(0, 3);
      if (this.#input.length < 3 + length) return;
      const frame = this.#input.subarray(3, 3 + length);
      this.#input = this.#input.subarray(3 + length);
      const event = this.#frame(frame);
      if (event !== null) yield event;
    }
  }

  /** Encrypts and frames the bytes of one node. */
  seal(bytes: Uint8Array): void {
    this.sendRaw(aesEncryptGCM(bytes, this.#writeKey, nonce(this.#writeCounter), EMPTY));
    this.#writeCounter += 1;
  }

  /** A frame whose content is not what the keys say. */
  sendRaw(body: Uint8Array, announcedLength = body.length): void {
    if (announcedLength > MAX_FRAME) throw new RangeError(`no frame takes ${announcedLength} bytes`);
    const head = Buffer.alloc(3);
    head.writeUIntBE(announcedLength, 0, 3);
    this.#write(Buffer.concat([head, body]));
  }

  /** An optional edge-routing prelude, `ED`, version, length and routing, then `WA` and the protocol's version. */
  #takeIntro(): boolean {
    let offset = 0;
    if (this.#input.length >= 7 && this.#input.toString('latin1', 0, 2) === 'ED')
      offset = 7 + this.#input.readUIntBE(4, 3);
    if (this.#input.length < offset + 4) return false;
    const header = this.#input.subarray(offset, offset + 4);
    if (!header.equals(NOISE_WA_HEADER)) throw new Error(`intro is ${header.toString('hex')}`);
    this.#input = this.#input.subarray(offset + 4);
    this.#mixHash(NOISE_WA_HEADER);
    this.#state = 'hello';
    return true;
  }

  #frame(frame: Buffer): NoiseEvent | null {
    switch (this.#state) {
      case 'hello':
        this.#answerHello(Buffer.from(proto.HandshakeMessage.decode(frame).clientHello?.ephemeral ?? EMPTY));
        return null;
      case 'finish':
        return this.#finish(proto.HandshakeMessage.decode(frame).clientFinish ?? {});
      case 'open': {
        const bytes = Buffer.from(aesDecryptGCM(frame, this.#readKey, nonce(this.#readCounter), EMPTY));
        this.#readCounter += 1;
        return { type: 'frame', bytes };
      }
      default:
        throw new Error('frame before the intro');
    }
  }

  #answerHello(clientEphemeral: Buffer): void {
    const { serverKey, chain } = this.#authority;
    this.#mixHash(clientEphemeral);
    this.#mixHash(this.#ephemeral.public);
    this.#mixKey(Curve.sharedKey(this.#ephemeral.private, clientEphemeral));
    const key = this.#encrypt(serverKey.public);
    this.#mixKey(Curve.sharedKey(serverKey.private, clientEphemeral));
    const payload = this.#encrypt(chain);
    this.sendRaw(
      proto.HandshakeMessage.encode({
        serverHello: { ephemeral: this.#ephemeral.public, static: key, payload },
      }).finish(),
    );
    this.#state = 'finish';
  }

  #finish(finish: proto.HandshakeMessage.IClientFinish): NoiseEvent {
    const clientKey = this.#decrypt(Buffer.from(finish.static ?? EMPTY));
    this.#mixKey(Curve.sharedKey(this.#ephemeral.private, clientKey));
    const payload = proto.ClientPayload.decode(this.#decrypt(Buffer.from(finish.payload ?? EMPTY)));
    this.#mixKey(EMPTY);
    // The client writes with the first half.
    this.#readKey = this.#salt;
    this.#writeKey = this.#key;
    this.#state = 'open';
    return { type: 'login', payload, clientKey };
  }

  #mixHash(bytes: Uint8Array): void {
    this.#hash = sha256(Buffer.concat([this.#hash, bytes]));
  }

  #mixKey(secret: Uint8Array): void {
    const output = Buffer.from(hkdf(Buffer.from(secret), 64, { salt: this.#salt, info: '' }));
    this.#salt = output.subarray(0, 32);
    this.#key = output.subarray(32);
    this.#counter = 0;
  }

  #encrypt(plaintext: Uint8Array): Buffer {
    const ciphertext = Buffer.from(aesEncryptGCM(plaintext, this.#key, nonce(this.#counter), this.#hash));
    this.#counter += 1;
    this.#mixHash(ciphertext);
    return ciphertext;
  }

  #decrypt(ciphertext: Buffer): Buffer {
    const plaintext = Buffer.from(aesDecryptGCM(ciphertext, this.#key, nonce(this.#counter), this.#hash));
    this.#counter += 1;
    this.#mixHash(ciphertext);
    return plaintext;
  }
}
