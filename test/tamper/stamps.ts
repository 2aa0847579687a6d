// SPDX-License-Identifier: AGPL-3.0-or-later
import { openCheckpoint, signCheckpoint } from '../../src/record/checkpoint.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { timeStampKey, timeStampPrefix } from '../../src/record/layout.ts';
import type { FindingCode } from '../../src/verify/findings.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { LOG, ORIGIN, ROOT } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { flip } from '../verify/subject.ts';
import { last, type Notary, type StampOptions } from './beside.ts';

/** Like a row of an archive, with the authorities at hand. */
export type StampRow = readonly [string, (archive: MemoryArchive, notary: Notary) => void, readonly FindingCode[]];

const stamped =
  (options: StampOptions = {}): StampRow[1] =>
  (archive, notary) =>
    void notary.stamped(archive, last(archive), options);

const ofAnother =
  (size: (own: number) => number, key = LOG, options: (own: number) => StampOptions = () => ({})): StampRow[1] =>
  (archive, notary) => {
    const { size: own, root } = openCheckpoint(last(archive), TRUST.log);
    notary.stamped(archive, signCheckpoint({ origin: ORIGIN, size: size(own), root }, key.privateKey), options(own));
  };

const changed =
  (at: number): StampRow[1] =>
  (archive) => {
    const [key = ''] = archive.keys(timeStampPrefix(ORIGIN));
    archive.put(key, flip(archive.get(key), at));
  };

function withoutName(archive: MemoryArchive, notary: Notary): void {
  const change = (token: Buffer): Buffer => notary.authority.resign(token, 'ec', false);
  notary.stamped(archive, last(archive), { change });
}

function revoked(archive: MemoryArchive, notary: Notary): void {
  notary.authority.certificate('ec');
  notary.authority.revoke('ec');
  notary.stamped(archive, last(archive), { kind: 'ec' });
}

/** DER: a sequence with an empty one in it. */
const EMPTY = Buffer.from('30023000', 'hex');
/** DER: signed data, with nothing in them. */
const EMPTY_TOKEN = Buffer.from('300f06092a864886f70d010702a0023000', 'hex');

export const STAMPED: readonly StampRow[] = [
  ['no time stamp', (archive) => archive.keys(timeStampPrefix(ORIGIN)).forEach((key) => archive.remove(key)), []],
  ['a second one, by a key on a curve', stamped({ kind: 'ec' }), []],
  [
    'the chain once more beside the token',
    (archive, notary) => void notary.stamped(archive, last(archive), { certificates: [notary.der('good')] }),
    [],
  ],
  ['over something else', stamped({ over: 'another text' }), ['verify/time-imprint']],
  ['a certificate for servers', stamped({ kind: 'other-usage' }), ['verify/time-usage']],
  ['a certificate for servers as well', stamped({ kind: 'two-usages' }), ['verify/time-usage']],
  ['a certificate whose usage is not critical', stamped({ kind: 'not-critical' }), ['verify/time-usage']],
  ['a certificate that had ended', stamped({ kind: 'expired' }), ['verify/time-validity']],
  [
    'an authority that is not trusted',
    (archive, notary) => void notary.stamped(archive, last(archive), { by: notary.other }),
    ['verify/time-untrusted'],
  ],
  ['a signature that does not name its certificate', withoutName, ['verify/time-signer']],
  ['the last bit of its signature', stamped({ change: (token) => flip(token, -1) }), ['verify/time-signature']],
  ['a token cut short', stamped({ change: (token) => token.subarray(0, -1) }), ['verify/time-malformed']],
  [
    'a token with a byte more',
    stamped({ change: (token) => Buffer.concat([token, Buffer.of(0)]) }),
    ['verify/time-malformed'],
  ],
  ['bytes that are no token', stamped({ change: () => Buffer.from('no token') }), ['verify/time-malformed']],
  // What begins as it should and holds too little: where a reader counts on more.
  ['a token whose signed data are empty', stamped({ change: () => EMPTY_TOKEN }), ['verify/time-malformed']],
  ['a certificate beside it that is empty', stamped({ certificates: [EMPTY] }), ['verify/time-malformed']],
  ['a revocation list that is empty', stamped({ crls: [EMPTY] }), ['verify/time-malformed']],
  [
    'more certificates than any authority has',
    (archive, notary) =>
      void notary.stamped(archive, last(archive), {
        certificates: Array.from({ length: 65 }, () => notary.der('good')),
      }),
    ['verify/time-malformed'],
  ],
  ['another log of a size it had', ofAnother((own) => own - 1), ['verify/time-fork']],
  ['more leaves than there are', ofAnother((own) => own + 1), ['verify/time-rollback']],
  [
    'a checkpoint that the log did not sign',
    ofAnother(
      (own) => own,
      ROOT,
      (own) => ({ size: own }),
    ),
    ['verify/time-malformed'],
  ],
  ['a checkpoint under another size', stamped({ size: 7 }), ['verify/time-malformed']],
  ['one bit of what is kept', changed(60), ['verify/time-malformed']],
  ['one bit at its end', changed(-3), ['verify/time-malformed']],
  [
    'an object of other members',
    (archive) => {
      const bytes = Buffer.from('{"ctx":"holdfast time stamp v1"}');
      archive.put(timeStampKey(ORIGIN, 7, sha256Hex(bytes)), bytes);
    },
    ['verify/time-malformed'],
  ],
  // Last: from here on the authority's lists name it.
  ['a certificate that had been revoked', revoked, ['verify/time-revoked']],
];

export const STAMPED_NOTED: readonly StampRow[] = [
  ['a time stamp without revocation lists', stamped({ crls: [] }), ['verify/time-no-revocation']],
  [
    'a time stamp with the lists of another authority',
    (archive, notary) => void notary.stamped(archive, last(archive), { crls: [notary.other.makeCrl()] }),
    ['verify/time-no-revocation'],
  ],
];
