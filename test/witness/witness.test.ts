// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../src/record/hash.ts';
import { parseSigningKey } from '../../src/record/key.ts';
import { noteKey, parseNote, signNote, verifyNote } from '../../src/record/note.ts';
import { WitnessBook } from '../../src/witness/book.ts';
import { encodeAddCheckpoint, parseAddCheckpoint } from '../../src/record/add-checkpoint.ts';
import { hostileText } from '../record/hostile.ts';
import { refusal } from '../record/refusal.ts';
import { CONNECTOR, LOG, ORIGIN } from '../vectors/keys.ts';
import { sharedJson } from '../vectors/shared.ts';
import { add, cosignatures, GrowingLog, LOG_KEY, RunningWitness } from './kit.ts';

interface Script {
  readonly logPublicKeyHex: string;
  readonly witnessName: string;
  readonly requests: readonly {
    readonly path: string;
    readonly body: string;
    readonly status: number;
    readonly asserts: string;
  }[];
}
const script = sharedJson<Script | null>('tlog-witness/litewitness-http-script.json', null);

let witness: RunningWitness;

beforeEach(async () => {
  witness = await RunningWitness.start();
});

afterEach(async () => {
  await witness[Symbol.asyncDispose]();
});

describe('a witness', () => {
  it('answers the script of another witness as that one does', async () => {
    if (script === null) return;
    const [first] = script.requests;
    const origin = first?.body.split('\n\n')[1]?.split('\n')[0] ?? '';
    const key = noteKey(origin, parseSigningKey(Buffer.from(script.logPublicKeyHex, 'hex')));
    await using other = await RunningWitness.start({ logs: [key], name: script.witnessName });
    for (const { body, status, asserts } of script.requests) {
      const answer = await add(other.url, body);
      // The script is older than the specification, which says 404 of a log that the witness does not know.
      const expected = asserts.includes('unknown log') ? 404 : status;
      expect([answer.status, asserts], body).toEqual([expected, asserts]);
      const part = /^body contains (".*")$/.exec(asserts)?.[1];
      if (part !== undefined) expect(answer.text).toContain(JSON.parse(part) as string);
      const whole = /^body == (".*")$/.exec(asserts)?.[1];
      if (whole !== undefined) expect(answer.text).toBe(JSON.parse(whole));
    }
  });

  it('cosigns a log that only grows, at every size', async () => {
    const log = new GrowingLog();
    let old = 0;
    for (const size of [0, 0, 1, 2, 3, 7, 8, 9, 31, 64, 65, 65, 300]) {
      log.grow(size - log.tree.size);
      const answer = await add(witness.url, log.body(old));
      expect([size, answer.status, answer.text.startsWith('— witness.example ')]).toEqual([size, 200, true]);
      const [only, ...more] = cosignatures(log.note(), answer.text);
      expect([only?.cosigner.name, more]).toEqual(['witness.example', []]);
      expect(Math.abs((only?.seconds ?? 0) - Date.now() / 1000)).toBeLessThan(60);
      old = size;
    }
  });

  it('says which size it cosigned last to who names another, and in the words of the protocol', async () => {
    const log = new GrowingLog(20);
    await add(witness.url, log.body(0, 10));
    for (const old of [0, 9, 11]) {
      expect(await add(witness.url, log.body(old, 20))).toEqual({
        status: 409,
        type: 'text/x.tlog.size',
        text: '10\n',
      });
    }
  });

  it('cosigns no second history, not even of the same size', async () => {
    const log = new GrowingLog(20);
    await add(witness.url, log.body(0, 10));
    const fork = new GrowingLog(20, 'other', 5);
    for (const size of [10, 11, 20]) {
      expect((await add(witness.url, fork.body(10, size))).status, String(size)).toBe(422);
      expect((await add(witness.url, encodeAddCheckpoint(10, [], fork.note(size)))).status).toBe(422);
    }
    expect((await add(witness.url, log.body(10, 20))).status).toBe(200);
    expect(witness.told.refusals).toContain('422 format/root');
  });

  it('never goes back', async () => {
    const log = new GrowingLog(20);
    await add(witness.url, log.body(0, 20));
    expect((await add(witness.url, log.body(10, 15))).status).toBe(409);
    expect((await add(witness.url, encodeAddCheckpoint(20, [], log.note(10)))).status).toBe(400);
    expect((await add(witness.url, encodeAddCheckpoint(0, [], log.note(0)))).status).toBe(409);
  });

  it('refuses proofs that are none', async () => {
    const log = new GrowingLog(20);
    const proof = log.tree.consistencyProof(10, 20);
    expect((await add(witness.url, encodeAddCheckpoint(0, proof, log.note(20)))).status).toBe(422);
    await add(witness.url, log.body(0, 10));
    for (const wrong of [[], proof.slice(1), [...proof, proof[0] as Buffer], proof.toReversed()]) {
      expect((await add(witness.url, encodeAddCheckpoint(10, wrong, log.note(20)))).status).toBe(422);
    }
    expect((await add(witness.url, encodeAddCheckpoint(10, proof, log.note(10)))).status).toBe(422);
  });

  it('refuses a root of the empty log that is none', async () => {
    const note = signNote(`${ORIGIN}\n0\n${Buffer.alloc(32).toString('base64')}\n`, ORIGIN, LOG.privateKey);
    expect((await add(witness.url, encodeAddCheckpoint(0, [], note))).status).toBe(422);
  });

  it('refuses what the log’s key did not sign, and logs that it does not know', async () => {
    const log = new GrowingLog(3);
    const { text } = parseNote(log.note());
    const forged = signNote(text, ORIGIN, CONNECTOR.privateKey);
    expect((await add(witness.url, encodeAddCheckpoint(0, [], forged))).status).toBe(403);
    const broken = log.note().replace(/(.)(.{8})\n$/, (_, a: string, b: string) => `${a === 'A' ? 'B' : 'A'}${b}\n`);
    expect((await add(witness.url, encodeAddCheckpoint(0, [], broken))).status).toBe(403);
    const other = signNote(text.replace(ORIGIN, 'other.example'), 'other.example', LOG.privateKey);
    expect((await add(witness.url, encodeAddCheckpoint(0, [], other))).status).toBe(404);
    // Unknown signers beside the log’s own are nobody’s business.
    const more = log.note() + signNote(text, 'x.example', CONNECTOR.privateKey).slice(text.length + 1);
    expect((await add(witness.url, encodeAddCheckpoint(0, [], more))).status).toBe(200);
  });

  it.each([
    ['nothing', ''],
    ['no old size', '\n\nx'],
    ['a size with a zero in front', `old 00\n\n${new GrowingLog(1).note()}`],
    ['a negative size', `old -1\n\n${new GrowingLog(1).note()}`],
    ['a size beyond counting', `old 99999999999999999999\n\n${new GrowingLog(1).note()}`],
    ['another word', `size 0\n\n${new GrowingLog(1).note()}`],
    ['a hash that is none', `old 1\nAAAA\n\n${new GrowingLog(1).note()}`],
    ['base64 that is none', `old 1\n!\n\n${new GrowingLog(1).note()}`],
    ['64 hashes', `old 1\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(64)}\n${new GrowingLog(1).note()}`],
    ['no checkpoint', 'old 0\n\n'],
    ['a checkpoint that nobody signed', 'old 0\n\nx\n1\nAAAA\n'],
    ['a larger old size', new GrowingLog(3).body(0).replace('old 0', 'old 4')],
  ])('answers 400 to %s', async (_, body) => {
    expect((await add(witness.url, body)).status).toBe(400);
  });

  it('answers what is too long, and what it has no answer to', async () => {
    expect((await add(witness.url, 'x'.repeat(300_000))).status).toBe(413);
    expect((await fetch(`${witness.url}/nothing`)).status).toBe(404);
    expect((await fetch(`${witness.url}/add-checkpoint`)).status).toBe(404);
  });

  it('shows whoever asks the checkpoint that it cosigned last, with both signatures', async () => {
    const log = new GrowingLog(20);
    const at = `${witness.url}/${sha256Hex(ORIGIN)}/checkpoint`;
    expect((await fetch(at)).status).toBe(404);
    expect((await fetch(`${witness.url}/${sha256Hex('other.example')}/checkpoint`)).status).toBe(404);
    await add(witness.url, log.body(0, 10));
    const { text } = await add(witness.url, log.body(10, 20));
    const shown = await (await fetch(at)).text();
    expect(shown).toBe(log.note(20) + text);
    expect(verifyNote(parseNote(shown), [LOG_KEY])).toEqual([LOG_KEY]);
  });

  it('lets one of 32 writers win each size, and none of them turn it back', { timeout: 120_000 }, async () => {
    const log = new GrowingLog(2000);
    let size = 0;
    for (let round = 0; round < 20; round += 1) {
      const old = size;
      const wanted = Array.from({ length: 32 }, (_, writer) => old + 1 + ((writer * 7 + round) % 50));
      const answers = await Promise.all(wanted.map((to) => add(witness.url, log.body(old, to))));
      const won = answers.flatMap(({ status }, index) => (status === 200 ? [index] : []));
      expect(won).toHaveLength(1);
      size = wanted[won[0] ?? -1] ?? -1;
      for (const { status, text } of answers) if (status !== 200) expect([status, text]).toEqual([409, `${size}\n`]);
      expect(witness.book.last(ORIGIN)?.size).toBe(size);
    }
  });

  it('remembers across restarts, and lets no second process have its database', async () => {
    const log = new GrowingLog(30);
    await add(witness.url, log.body(0, 10));
    expect(() => new WitnessBook(witness.directory, () => undefined)).toThrow(
      expect.objectContaining({ code: 'witness/database' }),
    );
    await using second = await RunningWitness.start();
    expect((await add(second.url, log.body(10, 20))).status).toBe(409);
    const { directory } = witness;
    witness.book[Symbol.dispose]();
    await using again = await RunningWitness.start({ directory });
    expect((await add(again.url, log.body(9, 20))).text).toBe('10\n');
    expect((await add(again.url, log.body(10, 20))).status).toBe(200);
    witness.book = new WitnessBook(`${witness.directory}/unused`, () => undefined);
  });

  it('answers nothing, and ends, when it cannot be known what is on the disk', async () => {
    const log = new GrowingLog(10);
    await add(witness.url, log.body(0, 5));
    witness.book[Symbol.dispose]();
    expect((await add(witness.url, log.body(5, 10))).status).toBe(500);
    expect(witness.fatals).toEqual([expect.objectContaining({ code: 'witness/commit' })]);
    expect((await add(witness.url, log.body(5, 10))).status).toBe(500);
    witness.book = new WitnessBook(`${witness.directory}/unused`, () => undefined);
  });

  it('reads requests as they were written, and refuses all others with FormatError', () => {
    const log = new GrowingLog(30);
    const body = log.body(13, 30);
    const { old, proof, checkpoint } = parseAddCheckpoint(Buffer.from(body));
    expect(encodeAddCheckpoint(old, proof, log.note(checkpoint.size))).toBe(body);
    fc.assert(
      fc.property(hostileText(body), (text) => void refusal(() => parseAddCheckpoint(Buffer.from(text)))),
      { numRuns: 3000, seed: 20_261_122 },
    );
  });
});
