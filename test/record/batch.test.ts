// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { createHash, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  batchId,
  encodeStatement,
  parseStatement,
  signBatch,
  verifyStatement,
  type Batch,
  type BatchStatement,
} from '../../src/record/batch.ts';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { signBytes } from '../../src/record/key.ts';
import { CONNECTOR, signingPair } from '../vectors/keys.ts';
import { BATCH, respell } from '../vectors/record-vectors.ts';
import { batch, signature } from './arbitraries.ts';
import { canonicalMutants, HOSTILE_TEXTS, hostileText } from './hostile.ts';
import { accepted, refusal } from './refusal.ts';

const STATEMENT = signBatch(BATCH, CONNECTOR.privateKey);
const TEXT = encodeStatement(STATEMENT);

const verdict = (statement: BatchStatement): string | null => refusal(() => verifyStatement(statement, CONNECTOR.key));

function expectOneSpelling(text: string): void {
  const statement = accepted(() => parseStatement(text));
  if (statement !== undefined) expect(encodeStatement(statement)).toBe(text);
}

describe('a batch statement', () => {
  it('is read as it was written, and written canonically', () => {
    fc.assert(
      fc.property(batch, signature, (value, sig) => {
        const text = encodeStatement({ ...value, sig });
        expect(parseStatement(text)).toEqual({ ...value, sig });
        expect(text).toBe(canonicalize({ ...value, sig, ctx: 'holdfast batch v1' } as unknown as Json));
      }),
    );
  });

  it('is signed over its canonical text without the signature, with plain Ed25519', () => {
    fc.assert(
      fc.property(batch, (value) => {
        const { sig } = signBatch(value, CONNECTOR.privateKey);
        const signed = canonicalize({ ...value, ctx: 'holdfast batch v1' } as unknown as Json);
        expect(verify(null, Buffer.from(signed), CONNECTOR.key.key, Buffer.from(sig, 'base64'))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('is the same each time the same batch is signed', () => {
    expect(encodeStatement(signBatch(BATCH, CONNECTOR.privateKey))).toBe(TEXT);
    expect(batchId(STATEMENT)).toBe(createHash('sha256').update(TEXT).digest('hex'));
  });

  it('verifies with its key, and with no member changed', () => {
    expect(verdict(STATEMENT)).toBeNull();
    fc.assert(
      fc.property(
        batch,
        fc.constantFrom<keyof Batch>('origin', 'stream', 'gen', 'first', 'count', 'last', 'key'),
        (other, member) => {
          fc.pre(other[member] !== BATCH[member]);
          expect(verdict({ ...STATEMENT, [member]: other[member] })).toBe('format/batch-signature');
        },
      ),
    );
  });

  it('does not verify with another key, even under the id of that key', () => {
    const other = signingPair('another connector');
    expect(refusal(() => verifyStatement(STATEMENT, other.key))).toBe('format/batch-signature');
    expect(verdict(signBatch(BATCH, other.privateKey))).toBe('format/batch-signature');
    expect(refusal(() => verifyStatement({ ...STATEMENT, key: other.key.id }, other.key))).toBe(
      'format/batch-signature',
    );
  });

  it('does not verify with a signature of the same key over anything else', () => {
    const without = (name: string): string => {
      const { sig: _sig, ...rest } = STATEMENT;
      return canonicalize({ ...rest, ctx: name } as unknown as Json);
    };
    const texts = [
      TEXT,
      without('holdfast batch v2'),
      without('holdfast manifest v1'),
      canonicalize({ ...BATCH } as unknown as Json),
      '',
    ];
    for (const text of texts) {
      const sig = signBytes(CONNECTOR.privateKey, text).toString('base64');
      expect(verdict({ ...STATEMENT, sig })).toBe('format/batch-signature');
    }
  });

  it('does not verify with one bit of the signature flipped', () => {
    for (let bit = 0; bit < 512; bit += 1) {
      const bytes = Buffer.from(STATEMENT.sig, 'base64');
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(verdict({ ...STATEMENT, sig: bytes.toString('base64') })).toBe('format/batch-signature');
    }
  });

  it('has one name: another spelling of its signature is no statement', () => {
    expect(respell(TEXT)).not.toBe(TEXT);
    expect(Buffer.from(parseStatement(TEXT).sig, 'base64')).toEqual(
      Buffer.from(/"sig":"([^"]*)/.exec(respell(TEXT))?.[1] as string, 'base64'),
    );
    expect(refusal(() => parseStatement(respell(TEXT)))).toBe('format/batch');
  });

  it('has one spelling: no other character at any place is the same statement', () => {
    const alphabet = '09afzAZ"{}[],:\\ \n+/=.-é'.split('');
    for (let at = 0; at < TEXT.length; at += 1) {
      for (const character of ['', ...alphabet]) {
        expectOneSpelling(TEXT.slice(0, at) + character + TEXT.slice(at + 1));
        expectOneSpelling(TEXT.slice(0, at) + character + TEXT.slice(at));
      }
    }
    for (const text of canonicalMutants(JSON.parse(TEXT) as Json)) expectOneSpelling(text);
  });

  it.each<readonly [string, string | RegExp, string]>([
    ['257 records', '"count":256', '"count":257'],
    ['no records', '"count":256', '"count":0'],
    ['a number with a leading zero', '"count":256', '"count":01'],
    ['no log', /"origin":"[^"]*"/, '"origin":""'],
    ['a log with a space in its name', /"origin":"[^"]*"/, '"origin":"a b"'],
  ])('of %s is refused', (_, from, to) => {
    expect(refusal(() => parseStatement(TEXT.replace(from, to)))).toBe('format/batch');
  });

  it('is refused with FormatError and nothing else, whatever the text', () => {
    for (const text of HOSTILE_TEXTS) expect(refusal(() => parseStatement(text))).toBe('format/batch');
    fc.assert(fc.property(hostileText(TEXT), expectOneSpelling), { numRuns: 2000 });
  });
});
