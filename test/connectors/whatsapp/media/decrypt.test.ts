// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decrypted } from '../../../../src/connectors/whatsapp/media/decrypt.ts';
import { encryptedOf, makeBlob, referenceOf } from '../../../emulators/whatsapp/media-crypto.ts';

async function* pieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

it('decrypts whatever the pieces are in which the bytes come', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), sizes, async (plain, cuts) => {
      const blob = makeBlob('image', plain, 0);
      const reference = referenceOf(blob, '/x', '');
      const encrypted = Buffer.concat([...encryptedOf(blob)]);
      const seal = { ...reference, type: 'image' } as const;
      const out = await Array.fromAsync(decrypted(pieces(encrypted, cuts), seal, { mostBytes: 1000 }));
      expect(Buffer.concat(out).equals(plain)).toBe(true);
    }),
  );
});

it('refuses a change of any byte, by the MAC alone', async () => {
  const plain = Buffer.from('forty bytes, give or take, of a message.');
  const blob = makeBlob('image', plain, 0);
  const encrypted = Buffer.concat([...encryptedOf(blob)]);
  const seal = { type: 'image', mediaKey: blob.mediaKey, fileSha256: null, fileEncSha256: null } as const;
  for (let at = 0; at < encrypted.length; at += 1) {
    const changed = Buffer.from(encrypted);
    changed[at] = (changed[at] ?? 0) ^ 0x80;
    await expect(Array.fromAsync(decrypted(pieces(changed, [7]), seal, { mostBytes: 1000 }))).rejects.toMatchObject({
      code: 'whatsapp/media-damaged',
    });
  }
});

it('refuses fewer bytes than a MAC has, and none', async () => {
  const seal = { type: 'image', mediaKey: Buffer.alloc(32), fileSha256: null, fileEncSha256: null } as const;
  for (const length of [0, 1, 9, 10, 26]) {
    const out = Array.fromAsync(decrypted(pieces(Buffer.alloc(length), [3]), seal, { mostBytes: 1000 }));
    await expect(out).rejects.toMatchObject({ code: 'whatsapp/media-damaged' });
  }
});

it('checks each hash by itself, and only reports the difference where it is told to', async () => {
  const blob = makeBlob('document', Buffer.from('text'), 0);
  const encrypted = Buffer.concat([...encryptedOf(blob)]);
  const { fileSha256, fileEncSha256, mediaKey } = referenceOf(blob, '/x', '');
  const other = Buffer.alloc(32, 9);
  for (const seal of [
    { type: 'document', mediaKey, fileSha256: other, fileEncSha256 } as const,
    { type: 'document', mediaKey, fileSha256, fileEncSha256: other } as const,
  ]) {
    const refused = Array.fromAsync(decrypted(pieces(encrypted, [5]), seal, { mostBytes: 1000 }));
    await expect(refused).rejects.toMatchObject({ code: 'whatsapp/media-damaged' });
    let told = 0;
    const kept = decrypted(pieces(encrypted, [5]), seal, { mostBytes: 1000, onOtherHash: () => (told += 1) });
    expect(Buffer.concat(await Array.fromAsync(kept)).toString()).toBe('text');
    expect(told).toBe(1);
  }
});
