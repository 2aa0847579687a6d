// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { cosign, cosignerKey, encodeCosignerKey } from '../../src/record/cosignature.ts';
import { leafHash } from '../../src/record/hash.ts';
import { EMPTY_RANGE } from '../../src/record/merkle.ts';
import { encodeVerifierKey, noteKey, parseNote } from '../../src/record/note.ts';
import { hasQuorum, openWitnessed, parsePolicy } from '../../src/record/policy.ts';
import { encodeTlogProof, parseTlogProof, verifyTlogProof } from '../../src/record/tlog-proof.ts';
import { TreeWindow } from '../../src/record/tree-window.ts';
import { LOG, ORIGIN, ROOT, signingPair } from '../vectors/keys.ts';
import { sharedJson } from '../vectors/shared.ts';
import { HOSTILE_TEXTS, hostileText } from './hostile.ts';
import { accepted, refusal } from './refusal.ts';

interface Published {
  readonly tlogProofUnmarshalErrors: readonly string[];
  readonly tlogProofMarshal: readonly {
    readonly index: number;
    readonly hashes: readonly string[];
    readonly extra?: string;
    readonly checkpoint: string;
    readonly want: string;
  }[];
}
const published = sharedJson<Published | null>('signed-note/note-checkpoint-proof.json', null);
const examples = sharedJson<Record<string, string[]> | null>('signed-note/c2sp-spec-examples.json', null);

const pairs = Object.fromEntries(
  ['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3'].map((name) => [name, signingPair(`witness ${name}`)]),
);
const keyOf = (name: string): ReturnType<typeof cosignerKey> =>
  cosignerKey(`${name}.example`, (pairs[name] ?? ROOT).key);
const vkeyOf = (name: string): string => encodeCosignerKey(keyOf(name));
const LOG_VKEY = encodeVerifierKey(noteKey(ORIGIN, LOG.key));
const witnesses = (...names: string[]): string => names.map((name) => `witness ${name} ${vkeyOf(name)}\n`).join('');

/** The example of the specification, with keys. */
const EXAMPLE = `log ${LOG_VKEY}

${witnesses('X1', 'X2', 'X3')}group X-witnesses 2 X1 X2 X3

${witnesses('Y1', 'Y2', 'Y3')}group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;

describe('a policy', () => {
  it('is the example of the specification', () => {
    const [example = ''] = examples?.['tlog-policy'] ?? [];
    const filled = example.replaceAll(
      /^witness (\S+) <vkey>$/gm,
      (_, name: string) => `witness ${name} ${vkeyOf(name)}`,
    );
    if (example !== '') expect(filled.replaceAll('<vkey>', LOG_VKEY)).toBe(EXAMPLE);
    const policy = parsePolicy(EXAMPLE);
    expect(policy.logs.map(encodeVerifierKey)).toEqual([LOG_VKEY]);
    expect(policy.witnesses.map(encodeCosignerKey)).toEqual(['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3'].map(vkeyOf));
  });

  it('holds for exactly the sets of witnesses that its quorum admits', () => {
    const policy = parsePolicy(EXAMPLE);
    const names = ['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3'];
    for (let set = 0; set < 64; set += 1) {
      const chosen = names.filter((_, bit) => (set >> bit) % 2 === 1);
      const xs = chosen.filter((name) => name.startsWith('X')).length;
      const expected = xs >= 2 && chosen.length > xs;
      expect(hasQuorum(policy, chosen.map(keyOf)), chosen.join()).toBe(expected);
    }
  });

  it('may ask for one witness, or for none', () => {
    const one = parsePolicy(`${witnesses('X1', 'X2')}quorum X2\n`);
    expect([hasQuorum(one, [keyOf('X1')]), hasQuorum(one, [keyOf('X2')])]).toEqual([false, true]);
    expect(hasQuorum(parsePolicy('quorum none\n'), [])).toBe(true);
  });

  it('may have comments, blank lines, tabs, addresses and names in any bytes', () => {
    const name = Buffer.from('zeuge-ä');
    const text = Buffer.concat([
      Buffer.from(`# ö\n \t\n\tlog\t${LOG_VKEY} https://log.example \n witness `),
      name,
      Buffer.from(` ${vkeyOf('X1')} https://w.example/x\nquorum `),
      name,
      Buffer.from('\n'),
    ]);
    const policy = parsePolicy(text);
    expect(policy.urls.get(policy.witnesses[0] as never)).toBe('https://w.example/x');
    expect(policy.urls.get(policy.logs[0] as never)).toBe('https://log.example');
    expect(hasQuorum(policy, [keyOf('X1')])).toBe(true);
  });

  it.each([
    ['no quorum', witnesses('X1')],
    ['two quorums', 'quorum none\nquorum none\n'],
    ['an unknown quorum', 'quorum X1\n'],
    ['a quorum before its witness', `quorum X1\n${witnesses('X1')}`],
    ['a quorum of two names', `${witnesses('X1', 'X2')}quorum X1 X2\n`],
    [
      'a key twice',
      `${witnesses('X1')}witness other ${encodeCosignerKey(cosignerKey('other', keyOf('X1').key))}\nquorum X1\n`,
    ],
    ['a log twice', `log ${LOG_VKEY}\nlog ${LOG_VKEY}\nquorum none\n`],
    ['a name twice', `${witnesses('X1')}witness X1 ${vkeyOf('X2')}\nquorum X1\n`],
    ['a witness called none', `witness none ${vkeyOf('X1')}\nquorum none\n`],
    ['an empty group', `${witnesses('X1')}group g any\nquorum g\n`],
    ['a group of more than it has', `${witnesses('X1')}group g 2 X1\nquorum g\n`],
    ['a group of zero', `${witnesses('X1')}group g 0 X1\nquorum g\n`],
    ['a threshold with a zero in front', `${witnesses('X1')}group g 01 X1\nquorum g\n`],
    ['a member that is not there', `${witnesses('X1')}group g any X1 X2\nquorum g\n`],
    ['a member twice', `${witnesses('X1', 'X2')}group g 2 X1 X1\nquorum g\n`],
    ['a member of two groups', `${witnesses('X1', 'X2')}group g any X1\ngroup h any X1 X2\nquorum h\n`],
    ['a group of itself', `${witnesses('X1')}group g any g\nquorum g\n`],
    ['an unknown keyword', 'witnesses X1\nquorum none\n'],
    ['a carriage return', 'quorum none\r\n'],
    ['no last newline', 'quorum none'],
    ['a line too many words', `log ${LOG_VKEY} https://a.example b\nquorum none\n`],
  ])('is refused with %s', (_, text) => {
    expect(refusal(() => parsePolicy(text))).toBe('format/policy');
  });

  it('is refused where a log’s key stands for a witness, or the other way round', () => {
    expect(refusal(() => parsePolicy(`witness X ${LOG_VKEY}\nquorum X\n`))).toBe('format/note-key');
    expect(refusal(() => parsePolicy(`log ${vkeyOf('X1')}\nquorum none\n`))).toBe('format/note-key');
  });

  it('is refused with FormatError and nothing else', () => {
    for (const text of HOSTILE_TEXTS) accepted(() => parsePolicy(text));
    fc.assert(
      fc.property(hostileText(EXAMPLE), (text) => void accepted(() => parsePolicy(text))),
      { numRuns: 3000, seed: 20_261_122 },
    );
  });
});

const ENTRIES = Array.from({ length: 11 }, (_, index) => Buffer.from(`entry ${index}`));
const TREE = new TreeWindow(EMPTY_RANGE);
for (const entry of ENTRIES) TREE.append(leafHash(entry));
const SIGNED = signCheckpoint({ origin: ORIGIN, size: 11, root: TREE.root() }, LOG.privateKey);
const TEXT = parseNote(SIGNED).text;
const cosigned = (...names: string[]): string =>
  SIGNED + names.map((name) => cosign(TEXT, `${name}.example`, (pairs[name] ?? ROOT).privateKey, 7)).join('');

describe('a checkpoint under a policy', () => {
  const policy = parsePolicy(EXAMPLE);

  it('counts with the quorum', () => {
    const { checkpoint, cosignatures } = openWitnessed(cosigned('X1', 'Y3', 'X3'), policy);
    expect([checkpoint.size, cosignatures.map(({ cosigner }) => cosigner.name)]).toEqual([
      11,
      ['X1.example', 'Y3.example', 'X3.example'],
    ]);
  });

  it.each([
    ['nobody', cosigned()],
    ['one witness twice', cosigned('X1', 'X1', 'Y1')],
    ['the wrong ones', cosigned('X1', 'X2', 'X3')],
  ])('does not count with %s', (_, note) => {
    expect(refusal(() => openWitnessed(note, policy))).toBe('format/policy-unmet');
  });

  it('does not count by witnesses alone', () => {
    const other = signCheckpoint({ origin: ORIGIN, size: 11, root: TREE.root() }, ROOT.privateKey);
    expect(refusal(() => openWitnessed(other + cosigned('X1', 'X2', 'Y1').slice(SIGNED.length), policy))).toBe(
      'format/note-signature',
    );
  });
});

describe('a tlog proof', () => {
  const policy = parsePolicy(EXAMPLE);
  const proof = { index: 6, hashes: TREE.inclusionProof(6), checkpoint: cosigned('X1', 'X2', 'Y1') };
  const text = encodeTlogProof(proof);
  const LEAF = leafHash(ENTRIES[6] as Buffer);

  it('is written and read as published', () => {
    const hash = (word: string): Buffer => leafHash(Buffer.from(word));
    for (const { index, hashes, extra, checkpoint, want } of published?.tlogProofMarshal ?? []) {
      const [one, two] = [hash('1'), hash('2')];
      const parts = { index, hashes: [one, two].slice(0, hashes.length), checkpoint };
      const made = encodeTlogProof(extra === undefined ? parts : { ...parts, extra: Buffer.from(extra) });
      const expected = want
        .replace('{h1}', one.toString('base64'))
        .replace('{h2}', two.toString('base64'))
        .replace('{base64(extra)}', Buffer.from(extra ?? '').toString('base64'));
      expect(made).toBe(expected);
      expect(encodeTlogProof(parseTlogProof(made))).toBe(made);
    }
    for (const bad of published?.tlogProofUnmarshalErrors ?? []) {
      expect(
        refusal(() => parseTlogProof(bad)),
        bad,
      ).toBe('format/tlog-proof');
    }
  });

  it('proves its entry under the policy, and no other entry or place', () => {
    expect(verifyTlogProof(parseTlogProof(text), LEAF, policy).checkpoint.size).toBe(11);
    expect(refusal(() => verifyTlogProof(proof, leafHash(ENTRIES[7] as Buffer), policy))).toBe('format/root');
    expect(refusal(() => verifyTlogProof({ ...proof, index: 7 }, LEAF, policy))).toBe('format/root');
    expect(refusal(() => verifyTlogProof({ ...proof, index: 11 }, LEAF, policy))).toBe('format/proof');
    expect(refusal(() => verifyTlogProof({ ...proof, checkpoint: SIGNED }, LEAF, policy))).toBe('format/policy-unmet');
  });

  it('is refused with FormatError and nothing else; what is accepted is written the same', () => {
    for (const bad of HOSTILE_TEXTS) expect(refusal(() => parseTlogProof(bad))).toBe('format/tlog-proof');
    fc.assert(
      fc.property(hostileText(text), (near) => {
        const read = accepted(() => parseTlogProof(near));
        if (read === undefined) return;
        expect(encodeTlogProof(read)).toBe(near);
        accepted(() => verifyTlogProof(read, LEAF, policy));
      }),
      { numRuns: 3000, seed: 20_261_122 },
    );
  });
});
