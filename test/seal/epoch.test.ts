// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { recipientsOf } from '../../src/record/epoch-document.ts';
import { createEpoch, EpochError, epochIdOf, openEpoch } from '../../src/seal/epoch.ts';
import { SUITE } from '../../src/seal/epoch-suite.ts';
import { HOSTILE_TEXTS, mutants } from '../record/hostile.ts';
import { ESCROW, READER, recipientPair, STRANGER } from '../vectors/keys.ts';
import { MANIFEST } from '../vectors/log-vectors.ts';
import { recordKey } from '../vectors/primitives.ts';
import { EPOCH_ID, EPOCH_SECRET, EPOCH_TEXT, epochText } from '../vectors/seal-vectors.ts';
import { CAN_READ_MEMORY, findInMemory } from './memory.ts';
import { rejection } from './sealing.ts';

interface Jwe {
  readonly protected: string;
  readonly recipients: readonly {
    readonly header: { readonly alg: string; readonly kid: string; readonly epk: object };
    readonly encrypted_key: string;
  }[];
}

describe('an epoch', () => {
  it('opens with the key of each recipient alone, and gives all of them the same keys', async () => {
    const third = recipientPair('escrow', 'second escrow');
    const { text, ratchet } = await createEpoch({ ...MANIFEST, recipients: [...MANIFEST.recipients, third.recipient] });
    const expected = Array.from({ length: 5 }, () => ratchet.next().toString('hex'));
    for (const { privateKey, recipient } of [READER, ESCROW, third]) {
      const opened = await openEpoch(text, privateKey, recipient.kid);
      expect(Array.from({ length: 5 }, () => opened.next().toString('hex'))).toEqual(expected);
    }
  });

  it('opens with no other key, under its own id or that of a recipient', async () => {
    const { text } = await createEpoch(MANIFEST);
    expect(await rejection(() => openEpoch(text, STRANGER.privateKey, STRANGER.recipient.kid))).toBe(
      'EpochError not-a-recipient',
    );
    for (const { recipient } of [READER, ESCROW]) {
      expect(await rejection(() => openEpoch(text, STRANGER.privateKey, recipient.kid))).toBe(
        'EpochError does-not-open',
      );
    }
    expect(await rejection(() => openEpoch(text, READER.privateKey, ESCROW.recipient.kid))).toBe(
      'EpochError does-not-open',
    );
  });

  it('is one line of JWE General JSON for exactly the recipients of the manifest, named by its hash', async () => {
    const { id, text } = await createEpoch(MANIFEST);
    expect(text).not.toContain('\n');
    expect(id).toBe(createHash('sha256').update(text).digest('hex'));
    expect(epochIdOf(text).toString('hex')).toBe(id);
    expect(recipientsOf(text)).toEqual(MANIFEST.recipients.map(({ kid }) => kid));
    const jwe = JSON.parse(text) as Jwe;
    expect(JSON.parse(Buffer.from(jwe.protected, 'base64url').toString())).toEqual({ enc: 'A256GCM', typ: SUITE });
    expect(jwe.recipients.map(({ header }) => [header.alg, header.kid])).toEqual(
      MANIFEST.recipients.map(({ kid }) => ['ECDH-ES+A256KW', kid]),
    );
  });

  it('shares no key, nonce or ephemeral key with another', async () => {
    const epochs = await Promise.all(Array.from({ length: 8 }, () => createEpoch(MANIFEST)));
    const parts = epochs.flatMap(({ id, text, ratchet }) => {
      const { iv, recipients } = JSON.parse(text) as Jwe & { iv: string };
      return [
        id,
        iv,
        ratchet.next().toString('hex'),
        ...recipients.flatMap(({ header, encrypted_key: key }) => [JSON.stringify(header.epk), key]),
      ];
    });
    expect(new Set(parts).size).toBe(parts.length);
  });

  it('made by another implementation opens, and gives the keys of its secret', async () => {
    for (const { privateKey, recipient } of [READER, ESCROW]) {
      const ratchet = await openEpoch(EPOCH_TEXT, privateKey, recipient.kid);
      expect(ratchet.next()).toEqual(recordKey(EPOCH_SECRET, EPOCH_ID, 0));
      expect(ratchet.next()).toEqual(recordKey(EPOCH_SECRET, EPOCH_ID, 1));
    }
  });

  it.each([
    ['a secret too short', epochText({ enc: 'A256GCM', typ: SUITE }, EPOCH_SECRET.subarray(1))],
    ['a secret too long', epochText({ enc: 'A256GCM', typ: SUITE }, Buffer.concat([EPOCH_SECRET, Buffer.of(0)]))],
    ['another suite', epochText({ enc: 'A256GCM', typ: 'HF2' })],
    ['no suite', epochText({ enc: 'A256GCM' })],
    ['another content encryption in name', epochText({ enc: 'A128GCM', typ: SUITE })],
    ['compression', epochText({ enc: 'A256GCM', typ: SUITE, zip: 'DEF' })],
    ['an extension that must be understood', epochText({ enc: 'A256GCM', typ: SUITE, crit: ['x'], x: 1 })],
  ])('with %s does not open', async (_, text) => {
    expect(await rejection(() => openEpoch(text, READER.privateKey, READER.recipient.kid))).toBe(
      'EpochError does-not-open',
    );
  });

  it('does not open with any character of what is encrypted, signed or wrapped changed', async () => {
    const jwe = JSON.parse(EPOCH_TEXT) as { [key: string]: string };
    const pieces = [
      jwe['ciphertext'],
      jwe['iv'],
      jwe['tag'],
      jwe['protected'],
      (JSON.parse(EPOCH_TEXT) as Jwe).recipients[0]?.encrypted_key,
    ] as string[];
    for (const piece of pieces) {
      // The last character may hold bits that no byte uses.
      for (let at = 0; at < piece.length - 1; at += 5) {
        const other = piece.slice(0, at) + (piece[at] === 'A' ? 'B' : 'A') + piece.slice(at + 1);
        const text = EPOCH_TEXT.replace(piece, other);
        expect(await rejection(() => openEpoch(text, READER.privateKey, READER.recipient.kid))).toBe(
          'EpochError does-not-open',
        );
      }
    }
  });

  it('gives other keys under another text, even if that text opens', async () => {
    // White space is not part of what the JWE protects; the hash of the text is part of every key.
    const ratchet = await openEpoch(` ${EPOCH_TEXT}`, READER.privateKey, READER.recipient.kid);
    expect(ratchet.next()).not.toEqual(recordKey(EPOCH_SECRET, EPOCH_ID, 0));
  });

  it('is refused as not ours, not opening, or no JWE, whatever the text', async () => {
    const open = (text: string): Promise<string | null> =>
      rejection(() => openEpoch(text, READER.privateKey, READER.recipient.kid));
    for (const text of HOSTILE_TEXTS) expect(await open(text)).toBe('FormatError format/not-json');
    for (const value of mutants(JSON.parse(EPOCH_TEXT) as Json)) {
      expect([null, 'EpochError not-a-recipient', 'EpochError does-not-open', 'FormatError format/not-json']).toContain(
        await open(canonicalize(value)),
      );
    }
  });

  it('says why it does not open, without saying what', () => {
    const error = new EpochError('does-not-open', { cause: new Error('x') });
    expect([error.name, error.code, error.message]).toEqual(['EpochError', 'does-not-open', 'epoch: does-not-open']);
  });
});

describe('the memory of a process that started an epoch', () => {
  it('holds no key that leads to it, and no secret once the first record key is out', async () => {
    const epoch = await createEpoch(MANIFEST);
    const [wrapping, content, secret] = keysOf(epoch.text);
    if (!CAN_READ_MEMORY) return;
    // The secret must be found while the ratchet stands on it: else the search finds nothing at all.
    expect([wrapping, content, secret].map((key) => findInMemory(key) > 0)).toEqual([false, false, true]);
    epoch.ratchet.next().fill(0);
    expect([wrapping, content, secret].map((key) => findInMemory(key) > 0)).toEqual([false, false, false]);
  });
});

/** The keys of an epoch, masked, found out by another process: this one never holds them. */
function keysOf(text: string): [Buffer, Buffer, Buffer] {
  const pem = READER.privateKey.export({ format: 'pem', type: 'pkcs8' });
  const unwrap = fileURLToPath(new URL('unwrap.ts', import.meta.url));
  const { stdout } = spawnSync(process.execPath, [unwrap], { input: JSON.stringify({ jwe: JSON.parse(text), pem }) });
  return (JSON.parse(stdout.toString()) as string[]).map((hex) => Buffer.from(hex, 'hex')) as [Buffer, Buffer, Buffer];
}
