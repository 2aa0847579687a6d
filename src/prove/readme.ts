// SPDX-License-Identifier: AGPL-3.0-or-later
import { PARTS } from '../record/commitment.ts';
import { openCheckpoint, parseCheckpoint } from '../record/checkpoint.ts';
import { parseEntry, sealedPart } from '../record/entry.ts';
import { sha256Hex } from '../record/hash.ts';
import { fingerprintOf } from '../record/key.ts';
import { parseNote } from '../record/note.ts';
import { parseTimeStamp } from '../record/time-stamp.ts';
import { parseTlogProof } from '../record/tlog-proof.ts';
import { parseTrust } from '../record/trust.ts';
import type { Told } from './derive.ts';
import { CORE, fileOf, partFile, STAMPS } from './files.ts';
import { statedTime } from './token.ts';

const VERIFIED = 'Signature Verified Successfully';

interface Step {
  readonly title: string;
  readonly command: string;
  readonly prints: readonly string[];
  readonly means: string;
}

const LEAF = "{ printf '\\000'; cat record.json; }";

const verifyBy = (key: string, name: string): string =>
  `openssl pkeyutl -verify -pubin -inkey by-hand/${key}.pem -rawin -in by-hand/${name}.txt -sigfile by-hand/${name}.sig`;

const wayBy = (path: string, checkpoint: string): string =>
  `h=$(${LEAF} | openssl dgst -sha256 -binary | openssl base64); while read -r side hash; do case $side in left) pair="$hash $h";; *) pair="$h $hash";; esac; h=$({ printf '\\001'; for x in $pair; do echo "$x" | openssl base64 -d; done; } | openssl dgst -sha256 -binary | openssl base64); done < by-hand/${path}; echo "$h"; sed -n 3p by-hand/${checkpoint}`;

/** What a person reads first: what the bundle proves, and the commands that show it without any program of ours. */
export function renderReadme(told: Told): string {
  const steps = [...stepsOf(told), ...contentSteps(told), ...stampSteps(told)];
  const text = steps.map(
    ({ title, command, prints, means }, index) =>
      `${index + 1}. ${title}\n\n    $ ${command}\n\n   prints\n\n${prints.map((line) => `    > ${line}\n`).join('')}\n   ${means}\n`,
  );
  return `${introduction(told)}\n${text.join('\n')}\n${ending(told)}`;
}

function introduction({ origin, leaf, size, record }: Told): string {
  return `PROOF OF ONE RECORD

Record ${record}
is leaf ${leaf} of the log ${origin}, as it stood with ${size} leaves.

This folder proves that without a network and without any program of ours. Trust enters in one place: the keys of root and log. Compare their
fingerprints (step 1) with those that the agency published, or that you were given in another way. Whoever made this folder could have
made all of it, with other keys.

check.html does the same in a browser, also without a network. \`holdfast prove --check\` does, and checks neighbours, seal and witnesses as well.

The commands are for a Unix shell with openssl 3, in this folder.
`;
}

function stepsOf({ files, record, log, root, signer }: Told): Step[] {
  const { checkpoint } = parseTlogProof(fileOf(files, CORE.proof).toString());
  const top = openCheckpoint(checkpoint, parseTrust(fileOf(files, CORE.trust).toString()).log).root.toString('base64');
  const fingerprint = (key: Told['log']): string => `${fingerprintOf(key)}  -`;
  return [
    {
      title: 'The keys: log, root, and the one that signed the record.',
      command: 'for key in log root signer; do openssl pkey -pubin -in by-hand/$key.pem -outform DER | sha256sum; done',
      prints: [log, root, signer.key].map(fingerprint),
      means: 'The first two must be those that you know from elsewhere. The third follows in step 5.',
    },
    {
      title: 'The record’s id.',
      command: `${LEAF} | sha256sum`,
      prints: [`${record}  -`],
      means: 'The id is the hash of the record’s bytes. Content, sender and time of capture are bound by it.',
    },
    {
      title: 'The way from the record to the root of the log.',
      command: wayBy('path.txt', 'checkpoint.txt'),
      prints: [top, top],
      means: 'Both lines are the same: the record is in the log that the checkpoint names.',
    },
    {
      title: 'The log’s signature of the checkpoint.',
      command: verifyBy('log', 'checkpoint'),
      prints: [VERIFIED],
      means: 'The log vouches for all its leaves at once, and cannot take one out without another root.',
    },
    {
      title: 'The root’s signature of the manifest, which names the signer of the record.',
      command: `${verifyBy('root', 'manifest')} && grep -cF "$(openssl pkey -pubin -in by-hand/signer.pem -outform DER | tail -c 32 | openssl base64)" by-hand/manifest.txt`,
      prints: [VERIFIED, '1'],
      means: `The agency’s root lets this key sign as ${signer.role}.`,
    },
    {
      title: 'The signature of the batch that the record came with.',
      command: `${verifyBy('signer', 'batch')} && p=$(${LEAF} | sha256sum | cut -c1-64) && while read -r line; do p=$(printf '\\000%s' "\${line%%@*}$p\${line#*@}" | sha256sum | cut -c1-64); done < after.txt && grep -cF "\\"last\\":\\"$p\\"" by-hand/batch.txt`,
      prints: [VERIFIED, '1'],
      means:
        'Each record of the batch names the one before it (its id comes where @ stands); the last one’s id is what was signed, where it was captured.',
    },
  ];
}

function contentSteps({ files }: Told): Step[] {
  const commitments = files.get(CORE.commitments);
  if (commitments === undefined) return [];
  const names = [CORE.commitments, ...PARTS.map(partFile).filter((name) => files.has(name))];
  const com = sealedPart(parseEntry(fileOf(files, CORE.record).toString('latin1')))?.com ?? '';
  return [
    {
      title: 'The disclosed content.',
      command: `sha256sum ${names.join(' ')}; od -An -v -tx1 disclosed/commitments | tr -d ' \\n'; echo`,
      prints: [...names.map((name) => `${sha256Hex(fileOf(files, name))}  ${name}`), commitments.toString('hex')],
      means: `The first hash is the \`com\` of record.json (${com}); each other one stands in the last line. What is readable of a part lies beside it; the salt is bytes 2 to 33 of the part.`,
    },
  ];
}

/** When it was there: by whoever has nothing to do with the agency. */
function stampSteps({ files }: Told): Step[] {
  const names = STAMPS.filter((name) => files.has(name));
  if (names.length === 0) return [];
  const { checkpoint } = parseTlogProof(fileOf(files, CORE.stampProof).toString());
  const root = parseCheckpoint(parseNote(checkpoint).text).root.toString('base64');
  return [
    {
      title: 'The way from the record to the checkpoint that was stamped.',
      command: wayBy('stamped-path.txt', 'stamped.txt'),
      prints: [root, root],
      means: 'Both lines are the same: the record is in the log that was stamped.',
    },
    ...names.map((file) => {
      const name = file.replace('.json', '');
      const { token, certificates } = parseTimeStamp(fileOf(files, file).toString());
      const at = statedTime(token);
      const last = certificates.at(-1);
      const print = last === undefined ? 'none' : sha256Hex(last);
      return {
        title: `The time stamp (${file}).`,
        command: `openssl ts -verify -data by-hand/stamped.txt -in by-hand/${name}.token -token_in -CAfile by-hand/${name}.pem -no_check_time 2>/dev/null && openssl ts -reply -in by-hand/${name}.token -token_in -text 2>/dev/null | grep '^Time stamp:'`,
        prints: ['Verification: OK', `Time stamp: ${at ?? 'none'}`],
        means: `An authority saw the hash of that checkpoint then: the record is no younger. Trust enters here a second time, in the authority’s root. The certificates are in by-hand/${name}.pem; SHA-256 of the last one is ${print}. Better than to compare it: give the root that you have from elsewhere with -CAfile, and this file with -untrusted. \`holdfast prove --check --tsa-ca ROOT\` also holds the validity of certificates against that time, and revocation lists.`,
      };
    }),
  ];
}

function ending({ files }: Told): string {
  const hashes = [...files]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, bytes]) => `    ${sha256Hex(bytes)}  ${name}\n`);
  return `WHAT IS HERE

record.json is the record’s header, record.tlog-proof its proof (c2sp.org/tlog-proof) with the signed checkpoint and what witnesses signed of it. previous.*
and next.* are its neighbours in its stream. batch.json is the signed statement, after.txt the records up to the end of the batch, with @ for the id of the one before. seal.* are the heads
logged next, and where the stream stood then. stamp-*.json are time stamps, with certificates and revocation lists of that time, and stamp.tlog-proof
leads to the checkpoint that they are over. manifest.json, trust.json and policy.txt are keys. All else is made from these, whose SHA-256 are

${hashes.join('')}
WHAT THIS DOES NOT SHOW

That the manifest was the one in force when the record was logged, and that nothing else is in the log: that takes \`holdfast verify\` on all of it. When
the record was made: times are those of the connector, and a time stamp says before when. What sealed bytes say, where they are not disclosed.
`;
}
