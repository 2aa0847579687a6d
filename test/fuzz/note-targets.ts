// SPDX-License-Identifier: AGPL-3.0-or-later
import { openCheckpoint, signCheckpoint } from '../../src/record/checkpoint.ts';
import { cosign, cosignerKey, encodeCosignerKey, parseCosignerKey } from '../../src/record/cosignature.ts';
import { EMPTY_RANGE } from '../../src/record/merkle.ts';
import { encodeVerifierKey, parseNote, parseVerifierKey, signNote, verifyNote } from '../../src/record/note.ts';
import { openWitnessed, parsePolicy } from '../../src/record/policy.ts';
import { encodeTlogProof, parseTlogProof, verifyTlogProof } from '../../src/record/tlog-proof.ts';
import { encodeAddCheckpoint, parseAddCheckpoint } from '../../src/record/add-checkpoint.ts';
import { TreeWindow } from '../../src/record/tree-window.ts';
import { FormatError } from '../../src/record/format-error.ts';
import { judgeAlone, judgeGrowth } from '../../src/witness/judge.ts';
import { someLeaves } from '../record/reference-tree.ts';
import { LOG, ORIGIN, signingPair } from '../vectors/keys.ts';
import { LOG_NOTE_KEY } from '../vectors/log-vectors.ts';
import type { Target } from './target.ts';

const WITNESSES = ['one.example', 'two.example'].map((name) => ({ name, pair: signingPair(`witness ${name}`) }));
const COSIGNERS = WITNESSES.map(({ name, pair }) => cosignerKey(name, pair.key));
const SECONDS = 1_795_359_723;
const LEAVES = someLeaves(40);

const tree = new TreeWindow(EMPTY_RANGE);
for (const leaf of LEAVES) tree.append(leaf);
const NOTE = noteOf(40);
const POLICY = [
  '# who must have cosigned',
  `log ${encodeVerifierKey(LOG_NOTE_KEY)} https://log.example/`,
  ...COSIGNERS.map((key, at) => `witness w${at}\t${encodeCosignerKey(key)} https://${key.name}/`),
  'group g any w0 w1\nquorum g\n',
].join('\n');
const KNOWN = parsePolicy(POLICY);

function noteOf(size: number): string {
  return signCheckpoint({ origin: ORIGIN, size, root: tree.root(size) }, LOG.privateKey);
}

/** The text as it is now, signed by the log and cosigned by both. */
function cosignedAgain(note: string): string {
  const text = note.slice(0, note.lastIndexOf('\n\n') + 1);
  const lines = WITNESSES.map(({ name, pair }) => cosign(text, name, pair.privateKey, SECONDS));
  return signNote(text, ORIGIN, LOG.privateKey) + lines.join('');
}

/** The same for the note behind the first empty line of something longer. */
function withNoteAgain(bytes: Buffer): Buffer {
  const text = bytes.toString();
  const split = text.indexOf('\n\n') + 2;
  return Buffer.from(text.slice(0, split) + cosignedAgain(text.slice(split)));
}

function readRequest(bytes: Buffer): void {
  const request = parseAddCheckpoint(bytes);
  const note = judgeAlone(request, LOG_NOTE_KEY);
  const refusal = 'status' in note ? note : judgeGrowth(request, { size: 7, root: tree.root(7) });
  if (refusal === null) return;
  throw new FormatError('reason' in refusal ? refusal.reason : 'format/proof', 'a request that is cosigned', 'another');
}

const PROOF = { index: 17, hashes: tree.inclusionProof(17, 40), checkpoint: cosignedAgain(NOTE) };
const text = (bytes: Buffer): string => bytes.toString();

export function noteTargets(): readonly Target[] {
  return [
    {
      name: 'note',
      examples: [Buffer.from(cosignedAgain(NOTE)), Buffer.from(signNote('any\ntext — ü\n', ORIGIN, LOG.privateKey))],
      read: (bytes) => verifyNote(parseNote(bytes), [LOG_NOTE_KEY]),
    },
    {
      name: 'checkpoint',
      examples: [Buffer.from(NOTE), Buffer.from(noteOf(1))],
      read: (bytes) => openCheckpoint(text(bytes), LOG_NOTE_KEY),
      mend: (bytes) => Buffer.from(cosignedAgain(text(bytes))),
    },
    {
      name: 'cosignature',
      examples: [Buffer.from(cosignedAgain(NOTE))],
      read: (bytes) => openWitnessed(text(bytes), KNOWN),
      mend: (bytes) => Buffer.from(cosignedAgain(text(bytes))),
    },
    {
      name: 'verifier-key',
      examples: [Buffer.from(encodeVerifierKey(LOG_NOTE_KEY))],
      read: (bytes) => parseVerifierKey(text(bytes)),
    },
    {
      name: 'cosigner-key',
      examples: COSIGNERS.map((key) => Buffer.from(encodeCosignerKey(key))),
      read: (bytes) => parseCosignerKey(text(bytes)),
    },
    { name: 'policy', examples: [Buffer.from(POLICY)], read: (bytes) => parsePolicy(bytes), slowness: 2 },
    {
      name: 'tlog-proof',
      examples: [PROOF, { ...PROOF, extra: Buffer.from('more') }].map((proof) => Buffer.from(encodeTlogProof(proof))),
      read: (bytes) => verifyTlogProof(parseTlogProof(text(bytes)), LEAVES[17] as Buffer, KNOWN),
      mend: withNoteAgain,
    },
    {
      name: 'add-checkpoint',
      examples: [Buffer.from(encodeAddCheckpoint(7, tree.consistencyProof(7, 40), cosignedAgain(NOTE)))],
      read: readRequest,
      mend: withNoteAgain,
    },
  ];
}
