// SPDX-License-Identifier: AGPL-3.0-or-later
import { createDecipheriv, type KeyObject } from 'node:crypto';
import { parseEntry, sealedPart } from '../record/entry.ts';
import type { BytesRef, Entry, Hex256, Sealed } from '../record/entry-types.ts';
import { sha256Hex } from '../record/hash.ts';
import type { KeyId } from '../record/key.ts';
import { openEpochAny } from './epoch.ts';
import { splitParts, unpadAndInflate, type OpenedParts } from './plaintext.ts';
import type { Ratchet } from './ratchet.ts';
import { openObject } from './object.ts';
import { MAX_INFLATED_BYTES, NONCE_BYTES, TAG_BYTES } from './seal.ts';
import { readObjectStub, type ObjectStub } from './stub.ts';
import { withRawKey } from './raw-key.ts';

/** The most a record in an object may inflate to: above what any sealer takes. */
const MAX_INFLATED_OBJECT_BYTES = 512 * 1024 * 1024;
/** Far above what a sealer takes from one epoch; each step costs a reader time, and the number is the sealer's word. */
const MAX_RECORD_INDEX = 1_000_000;

export interface OpenedRecord extends OpenedParts {
  readonly entry: Entry;
}

/** What opening needs of a record's header. */
export interface SealedHeader extends Pick<Sealed, 'epoch' | 'i' | 'com' | 'body'> {
  /** Associated data of the body: the header without it. */
  readonly associated: string;
  readonly obj: readonly BytesRef[];
}

/** Of a header that was parsed; null if it has no body. `line` is the text it was parsed from. */
export function sealedHeader(entry: Entry, line: string): SealedHeader | null {
  const sealed = sealedPart(entry);
  if (sealed === null) return null;
  const { epoch, i, com, body } = sealed;
  // The grammar has one spelling of an entry, and no quotes inside strings: this is the header without `body`, canonical as well.
  const from = line.indexOf(BODY);
  const associated = line.slice(0, from) + line.slice(line.indexOf('}', from) + 2);
  return { epoch, i, com, body, associated, obj: 'obj' in entry && entry.obj !== undefined ? entry.obj : [] };
}

const BODY = '"body":{';

/** A recipient's private key, and the id that epochs name it by. */
export interface RecipientKey {
  readonly key: KeyObject;
  readonly kid: KeyId;
}

/**
 * Opens bodies with the private key of one recipient, and of those it took over from: what was sealed before a key was exchanged stays
 * sealed to the earlier one. Reads epochs forward cheaply, and backward by starting them again.
 */
export class Opener {
  readonly #keys: readonly RecipientKey[];
  /** Epoch documents by id, as the log holds them. */
  readonly #documents = new Map<Hex256, string>();
  readonly #ratchets = new Map<Hex256, Ratchet>();

  constructor(key: KeyObject, kid: KeyId, earlier: readonly RecipientKey[] = []) {
    this.#keys = [{ key, kid }, ...earlier];
  }

  addEpoch(document: string): void {
    const epoch = sha256Hex(document);
    this.#documents.delete(epoch);
    this.#documents.set(epoch, document);
  }

  /** Forgets all epochs but those that were added last: a log of years has more than fit into memory. Any may be added again. */
  keepLast(most: number): void {
    for (const epoch of this.#documents.keys()) {
      if (this.#documents.size <= most) return;
      this.#documents.delete(epoch);
      this.#ratchets.delete(epoch);
    }
  }

  /**
   * Opens one record from its header line and body, and checks that the parts are those the header commits to.
   * Throws `OpenError`; `EpochError` if the epoch is not for this key.
   * A record too long for a body lies in an object, which `readObject` fetches by its hash.
   */
  async open(line: string, body: Buffer, readObject?: ReadObject): Promise<OpenedRecord> {
    const entry = parseEntry(line);
    const header = sealedHeader(entry, line);
    if (header === null) throw new OpenError('no-body');
    return { entry, ...(await this.openParsed(header, body, readObject)) };
  }

  /** {@link open} for whoever has parsed the header already. */
  async openParsed(sealed: SealedHeader, body: Buffer, readObject?: ReadObject): Promise<OpenedParts> {
    if (sealed.body.n !== body.length || sealed.body.h !== sha256Hex(body)) throw new OpenError('another-body');
    const key = await this.#recordKey(sealed.epoch, sealed.i);
    const padded = decrypt(key, body, sealed.associated);
    const stub = readObjectStub(padded);
    const opened =
      stub === null
        ? readPlaintext(padded, MAX_INFLATED_BYTES)
        : readPlaintext(await readLong(sealed.obj, stub, readObject), MAX_INFLATED_OBJECT_BYTES);
    if (opened.commitment.toString('hex') !== sealed.com) throw new OpenError('another-commitment');
    return opened;
  }

  async #recordKey(epoch: Hex256, index: number): Promise<Buffer> {
    if (index > MAX_RECORD_INDEX) throw new OpenError('index-too-high');
    let ratchet = this.#ratchets.get(epoch);
    if (ratchet === undefined || ratchet.index > index) {
      const document = this.#documents.get(epoch);
      if (document === undefined) throw new OpenError('unknown-epoch');
      ratchet = await openEpochAny(document, this.#keys);
      this.#ratchets.set(epoch, ratchet);
    }
    ratchet.skipTo(index);
    return ratchet.next();
  }
}

function decrypt(key: Buffer, body: Buffer, associated: string): Buffer {
  const tagAt = body.length - TAG_BYTES;
  if (tagAt < NONCE_BYTES) throw new OpenError('another-body');
  const decipher = withRawKey(() => createDecipheriv('aes-256-gcm', key, body.subarray(0, NONCE_BYTES)));
  key.fill(0);
  decipher.setAAD(Buffer.from(associated, 'latin1'));
  decipher.setAuthTag(body.subarray(tagAt));
  try {
    return Buffer.concat([decipher.update(body.subarray(NONCE_BYTES, tagAt)), decipher.final()]);
  } catch {
    throw new OpenError('does-not-open');
  }
}

/** Whoever sealed it may have sealed anything: what is no plaintext of ours is named so, whatever it broke. */
function readPlaintext(padded: Buffer, maxBytes: number): OpenedParts {
  try {
    return splitParts(unpadAndInflate(padded, maxBytes));
  } catch (cause) {
    throw new OpenError('malformed-plaintext', { cause });
  }
}

/** Fetches the sealed bytes of an object by their SHA-256. */
export type ReadObject = (hash: Hex256) => AsyncIterable<Uint8Array>;

/** The padded plaintext of a record that did not fit a body: the first object its header names, opened with the stub's key. */
async function readLong(
  [ref]: readonly BytesRef[],
  { key, size }: ObjectStub,
  readObject?: ReadObject,
): Promise<Buffer> {
  if (readObject === undefined) throw new OpenError('in-an-object');
  if (ref === undefined) throw new OpenError('malformed-plaintext');
  const chunks: Buffer[] = [];
  for await (const chunk of openObject(key, readObject(ref.h))) chunks.push(chunk);
  const padded = Buffer.concat(chunks);
  if (padded.length < size) throw new OpenError('malformed-plaintext');
  return padded.subarray(0, size);
}

export class OpenError extends Error {
  override readonly name = 'OpenError';
  readonly code:
    | 'no-body'
    | 'another-body'
    | 'unknown-epoch'
    | 'index-too-high'
    | 'does-not-open'
    | 'malformed-plaintext'
    | 'another-commitment'
    | 'in-an-object';

  constructor(code: OpenError['code'], options?: ErrorOptions) {
    super(`open: ${code}`, options);
    this.code = code;
  }
}
