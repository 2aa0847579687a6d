// SPDX-License-Identifier: AGPL-3.0-or-later
import { canonicalize } from '../../record/canonical.ts';
import { openCheckpoint } from '../../record/checkpoint.ts';
import { fingerprintOf } from '../../record/key.ts';
import { encodeVerifierKey, parseNote } from '../../record/note.ts';
import type { Trust } from '../../record/trust.ts';
import { CHECK_PROGRAM } from './check-program.ts';

/** What of an export proves its records, by name. */
export const PROOF = {
  log: 'proof/log.txt',
  checkpoint: 'proof/checkpoint.txt',
  trust: 'proof/trust.json',
  content: 'proof/content.jsonl',
  readme: 'proof/README.txt',
  program: 'proof/check.py',
  signed: 'proof/by-hand/signed.txt',
  signature: 'proof/by-hand/signature.bin',
  key: 'proof/by-hand/log.pem',
} as const;

export function trustText({ origin, root, log }: Trust): string {
  return `${canonicalize({ log: encodeVerifierKey(log), origin, root: root.raw.toString('base64'), v: 1 })}\n`;
}

/** What is made from trust file and checkpoint, for people and `openssl`: whoever checks makes it anew and compares. Throws `FormatError`. */
export function derivedProof(trust: Trust, checkpoint: string): Map<string, string | Buffer> {
  const note = parseNote(checkpoint);
  const signed = note.signatures.find(({ name, hash }) => name === trust.log.name && hash.equals(trust.log.hash));
  const { size, root } = openCheckpoint(checkpoint, trust.log);
  return new Map<string, string | Buffer>([
    [PROOF.signed, note.text],
    [PROOF.signature, signed?.signature ?? Buffer.alloc(0)],
    [PROOF.key, trust.log.key.key.export({ format: 'pem', type: 'spki' }) as string],
    [PROOF.program, CHECK_PROGRAM],
    [PROOF.readme, readme({ trust, size, root: root.toString('base64') })],
  ]);
}

function readme({ trust, size, root }: { trust: Trust; size: number; root: string }): string {
  return `PROOF OF THE RECORDS OF THIS EXPORT

Every record that is listed in records.csv is an entry of the log
${trust.origin}, as it stood with ${size} entries. This folder proves that, without a network.

Trust enters in one place, the keys in trust.json. Compare their fingerprints with those that the agency published, or that you were given in
another way. Whoever made this folder could have made all of it, with other keys.

    log   ${fingerprintOf(trust.log.key)}
    root  ${fingerprintOf(trust.root)}

The commands are for a Unix shell with openssl 3 and Python 3.8, in the folder of the export.

1. The key.

    openssl pkey -pubin -in proof/by-hand/log.pem -outform DER | sha256sum

   prints the fingerprint of the log, as above.

2. The log's signature of its checkpoint.

    openssl pkeyutl -verify -pubin -inkey proof/by-hand/log.pem -rawin -in proof/by-hand/signed.txt -sigfile proof/by-hand/signature.bin

   prints Signature Verified Successfully. The third line of proof/by-hand/signed.txt is the root,
   ${root}.

3. All files, the way from every record to that root, and, where content is disclosed, that it is what the records commit to.

    python3 proof/check.py

   prints what holds, and ends with 0. It is short: read it.

4. The hash that stands for all of this export.

    sha256sum manifest.json

   Compare it with the hash that you were given. A time stamp beside this folder, stamps/*.token, is over that file:

    openssl ts -verify -data manifest.json -in stamps/TOKEN -token_in -CAfile ROOT

\`holdfast export check FOLDER --trust trust.json\` does all of it, checks time stamps and witnesses, and compares messages.jsonl.

WHAT IS HERE

log.txt is the log from left to right: each record of this export as the log has it, behind its number; and all between two of them as the SHA-256 of
complete subtrees (RFC 6962), as number of the first entry, height and hash. The id of a record is SHA-256 of a byte 00 and its line. Two
neighbouring subtrees of one height have the hash of a byte 01 and both. checkpoint.txt is what the log signed. A record names what it says by \`com\`.
content.jsonl, if it is here, has for each record what it says and the salt, and hashes of the two parts that are not shown:
part = SHA-256(03, salt, length in four bytes, view), com = SHA-256(05, cap, part, raw).

WHAT THIS DOES NOT SHOW

When a record was made: times are those of whoever captured it. That nothing else is in the log, and who signed each record: for the first there is
\`holdfast verify\`, for the second \`holdfast prove\`. That formats other than messages.jsonl say what content.jsonl says.
`;
}
