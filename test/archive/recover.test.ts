// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../src/base/failure.ts';
import { recover, type Recovered } from '../../src/archive/recover.ts';
import { canonicalize } from '../../src/record/canonical.ts';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { sha256 } from '../../src/record/hash.ts';
import { signBytes } from '../../src/record/key.ts';
import { checkpointKey, headsPrefix, segmentKey, segmentPrefix } from '../../src/record/layout.ts';
import { encodeSegment, parseSegment } from '../../src/record/segment.ts';
import { ArchiverKit, keysOf, LOG_KEY, ORIGIN, STANDBY } from '../support/archiver-kit.ts';
import { checkAll, checkLog } from '../support/check-log.ts';
import { DirectLink } from '../support/direct-link.ts';
import { LOG, ROOT, signingPair } from '../vectors/keys.ts';

const DAY_MS = 86_400_000;
const LOCK = { mode: 'COMPLIANCE', until: '2040-01-01T00:00:00Z' } as const;

/** A log of four days with daily heads, and where it stands. */
async function logOfDays(days = 4): Promise<ArchiverKit> {
  const kit = new ArchiverKit();
  const { archiver } = await kit.start();
  const stream = kit.first.open();
  for (let day = 0; day < days; day += 1) {
    kit.first.messages(stream, 2);
    await kit.first.sendAll();
    await archiver.flush();
    kit.pass(DAY_MS);
    await archiver.readBack();
  }
  kit.first.messages(stream, 1);
  await kit.first.sendAll();
  await archiver.flush();
  await archiver[Symbol.asyncDispose]();
  return kit;
}

function recovered(kit: ArchiverKit): Promise<Recovered> {
  return recover({ store: kit.store(), origin: ORIGIN, root: ROOT.key, logKey: LOG_KEY });
}

async function refusalOf(kit: ArchiverKit): Promise<string> {
  return recovered(kit).then(() => 'none', codeOf);
}

const leafOf = (key: string): number => Number(key.slice(-16));
const segments = (kit: ArchiverKit): string[] => kit.bucket.keys(segmentPrefix(ORIGIN));
const heads = (kit: ArchiverKit): string[] => kit.bucket.keys(headsPrefix(ORIGIN));
const sizeOf = (kit: ArchiverKit): number => checkLog(kit.bucket).size;

function publish(kit: ArchiverKit, size: number, word: string, key = LOG.privateKey, origin = ORIGIN): void {
  kit.bucket.putDerived(checkpointKey(ORIGIN), Buffer.from(signCheckpoint({ origin, size, root: sha256(word) }, key)));
}

describe('recovery starts', () => {
  it('from nothing in an empty store', async () => {
    const { state, from, segments: found, published } = await recovered(new ArchiverKit());
    expect([state.size, from, found, published]).toEqual([0, 0, [], 0]);
  });

  it('from the last but one heads', async () => {
    const kit = await logOfDays();
    const { from, state } = await recovered(kit);
    expect(from).toBe(leafOf(heads(kit).at(-2) as string));
    expect(state.window.base).toBe(from);
    expect(state.size).toBe(sizeOf(kit));
  });

  it('from the beginning while there is only one', async () => {
    const kit = await logOfDays(1);
    expect(heads(kit).length).toBe(1);
    expect((await recovered(kit)).from).toBe(0);
  });

  it('from the last but one heads that a segment names, whatever else lies there', async () => {
    const kit = await logOfDays();
    const { from } = await recovered(kit);
    kit.bucket.add(`${headsPrefix(ORIGIN)}${String(sizeOf(kit)).padStart(16, '0')}`, Buffer.from('garbage'), LOCK);
    kit.bucket.add(`${headsPrefix(ORIGIN)}stray`, Buffer.from('garbage'), LOCK);
    const inTheMiddle = String(leafOf(heads(kit)[1] as string) + 1).padStart(16, '0');
    kit.bucket.add(`${headsPrefix(ORIGIN)}${inTheMiddle}`, kit.bucket.bytes(heads(kit)[1] as string), LOCK);
    expect((await recovered(kit)).from).toBe(from);
  });

  it('further back when heads cannot be read', async () => {
    const kit = await logOfDays();
    const [third, second] = [heads(kit).at(-3) as string, heads(kit).at(-2) as string];
    kit.bucket.damage(second, (bytes) => Buffer.concat([bytes, Buffer.from('x')]));
    expect((await recovered(kit)).from).toBe(leafOf(third));
    for (const key of heads(kit)) kit.bucket.lose(key);
    expect((await recovered(kit)).from).toBe(0);
  });

  it('with the packs since then, to be read back by their segments', async () => {
    const kit = await logOfDays();
    const { segments: found, from } = await recovered(kit);
    expect(found.map(({ first }) => first)).toEqual(
      segments(kit)
        .map(leafOf)
        .filter((leaf) => leaf >= from),
    );
    expect(found.map(({ size }) => size)).toEqual([...found.slice(1).map(({ first }) => first), sizeOf(kit)]);
    expect(found.flatMap(({ hashes }) => hashes).length).toBe(2);
  });
});

describe('the published checkpoint', () => {
  it.each([
    ['missing', (kit: ArchiverKit) => kit.bucket.lose(checkpointKey(ORIGIN))],
    ['garbage', (kit: ArchiverKit) => kit.bucket.putDerived(checkpointKey(ORIGIN), Buffer.from([0xff, 0, 1]))],
    ['by another key', (kit: ArchiverKit) => publish(kit, 10_000, 'x', signingPair('stranger').privateKey)],
    ['of another log', (kit: ArchiverKit) => publish(kit, 10_000, 'x', LOG.privateKey, 'agency.example/other')],
  ])('is nothing when it is %s', async (_what, change) => {
    const kit = await logOfDays(2);
    change(kit);
    const { state, published } = await recovered(kit);
    expect([state.size, published]).toEqual([sizeOf(kit), 0]);
  });

  it('stops an archiver that is behind it', async () => {
    const kit = await logOfDays(2);
    publish(kit, sizeOf(kit) + 1, 'x');
    expect(await refusalOf(kit)).toBe('archive/behind-checkpoint');
  });

  it('stops an archiver when the last segment is gone', async () => {
    const kit = await logOfDays(2);
    kit.bucket.lose(segments(kit).at(-1) as string);
    expect(await refusalOf(kit)).toBe('archive/behind-checkpoint');
  });

  it.each([0, 1, 3])('stops an archiver that finds another history, %d leaves before the end', async (before) => {
    const kit = await logOfDays(2);
    publish(kit, sizeOf(kit) - before, 'another root');
    expect(await refusalOf(kit)).toBe('archive/forked');
  });
});

describe('recovery refuses', () => {
  const rewritten = (
    kit: ArchiverKit,
    key: string,
    change: Partial<Parameters<typeof encodeSegment>[0]>,
    pair = STANDBY,
  ): Buffer => {
    const { head, docs, batches, entries, tail } = parseSegment(kit.bucket.bytes(key));
    const text = (lines: readonly Buffer[]): string[] => lines.map(String);
    const parts = { origin: head.origin, before: head.edge, checkpoint: head.checkpoint, at: tail.at };
    return encodeSegment(
      { ...parts, docs: text(docs), batches: text(batches), entries: text(entries), ...change },
      pair.key,
      pair.privateKey,
    );
  };

  it('a log with a segment missing in the middle', async () => {
    const kit = await logOfDays();
    kit.bucket.lose(segments(kit).at(-2) as string);
    expect(await refusalOf(kit)).toBe('archive/broken-log');
  });

  it('a segment of which a byte is another', async () => {
    const kit = await logOfDays();
    kit.bucket.damage(segments(kit).at(-2) as string, (bytes) => {
      bytes[200] = (bytes[200] as number) ^ 1;
      return bytes;
    });
    expect(await refusalOf(kit)).toBe('archive/broken-log');
  });

  it('a segment by an archiver that no manifest names', async () => {
    const kit = await logOfDays();
    const key = segments(kit).at(-1) as string;
    const segment = rewritten(kit, key, {}, signingPair('stranger'));
    kit.bucket.damage(key, () => segment);
    expect(await refusalOf(kit)).toBe('archive/broken-log');
  });

  it('a segment whose tail another archiver of the manifest did not sign', async () => {
    const kit = await logOfDays();
    const key = segments(kit).at(-1) as string;
    const other = (_all: string, first: string): string => `"sig":"${first === 'A' ? 'B' : 'A'}`;
    kit.bucket.damage(key, (bytes) =>
      Buffer.from(bytes.toString('utf8').replace(/"sig":"(.)(?=[^"]+","size":\d+\}\n$)/, other)),
    );
    expect(await refusalOf(kit)).toBe('archive/broken-log');
  });

  it.each([
    ['of another log', { origin: 'agency.example/other' }],
    [
      'that carries no checkpoint of ours',
      {
        checkpoint: signCheckpoint({ origin: ORIGIN, size: 1, root: sha256('x') }, signingPair('stranger').privateKey),
      },
    ],
  ])('a segment %s', async (_what, change) => {
    const kit = await logOfDays();
    const key = segments(kit).at(-1) as string;
    const segment = rewritten(kit, key, change);
    kit.bucket.damage(key, () => segment);
    expect(await refusalOf(kit)).toBe('archive/broken-log');
  });

  it('a segment whose archiver states another root than its entries have', async () => {
    const kit = await logOfDays();
    kit.bucket.damage(segments(kit).at(-1) as string, (bytes) => {
      const text = bytes.toString('utf8');
      const at = text.lastIndexOf('\n', text.length - 2) + 1;
      const { sig: _sig, ...tail } = JSON.parse(text.slice(at)) as Record<string, string>;
      const said = { ...tail, key: STANDBY.key.id, root: sha256('another root').toString('base64') };
      const sig = signBytes(STANDBY.privateKey, canonicalize(said)).toString('base64');
      return Buffer.from(`${text.slice(0, at)}${canonicalize({ ...said, sig })}\n`);
    });
    expect(await refusalOf(kit)).toBe('archive/broken-log');
  });

  it('a last segment that was exchanged for another, by the checkpoint that was published', async () => {
    const kit = await logOfDays();
    const key = segments(kit).at(-1) as string;
    const { entries } = parseSegment(kit.bucket.bytes(key));
    const fewer = entries.slice(0, -1).map(String);
    const segment = rewritten(kit, key, { entries: fewer });
    kit.bucket.damage(key, () => segment);
    expect(await refusalOf(kit)).toBe('archive/behind-checkpoint');
  });

  it('a name among the segments that is none', async () => {
    const kit = await logOfDays();
    kit.bucket.add(`${segmentPrefix(ORIGIN)}zz`, Buffer.from('x'), LOCK);
    expect(await refusalOf(kit)).toBe('archive/broken-log');
  });
});

describe('what others do in the bucket', () => {
  it('does not hide or replace a segment', async () => {
    const kit = await logOfDays();
    const before = (await recovered(kit)).state.window.root();
    for (const key of segments(kit)) {
      kit.bucket.add(key, Buffer.from('a later version'), LOCK);
      kit.bucket.addDeleteMarker(key);
    }
    expect((await recovered(kit)).state.window.root()).toEqual(before);
  });

  it('does not make a start fail or go back, whenever another archiver commits during it', async () => {
    let hasCommitted = true;
    for (let index = 0; hasCommitted; index += 1) {
      hasCommitted = false;
      const kit = await logOfDays(2);
      const active = await kit.start();
      const stream = kit.second.open();
      const before = async (called: { index: number }): Promise<void> => {
        if (called.index !== index) return;
        kit.second.messages(stream, 2);
        await kit.second.sendAll();
        await active.archiver.flush();
        hasCommitted = true;
      };
      const link = new DirectLink();
      const standby = await kit.start({ keys: keysOf(STANDBY) }, kit.store({ before }), link);
      // All calls of a start have been the moment.
      if (!hasCommitted) expect(index).toBeGreaterThan(6);
      if (!hasCommitted) break;
      const published = kit.bucket.bytes(checkpointKey(ORIGIN)).toString().split('\n')[1];
      expect(Number(published)).toBe(sizeOf(kit));
      kit.link.cut();
      await active.archiver[Symbol.asyncDispose]();
      await standby.archiver[Symbol.asyncDispose]();
      checkAll(kit);
    }
  });
});

describe('a start', () => {
  it('writes nothing when there is nothing new', async () => {
    const kit = await logOfDays(2);
    const store = kit.store();
    const { archiver } = await kit.start({}, store);
    expect([store.count('create'), store.count('putDerived')]).toEqual([0, 0]);
    await archiver[Symbol.asyncDispose]();
  });

  it('publishes the same checkpoint again when it is not there', async () => {
    const kit = await logOfDays(2);
    const before = kit.bucket.bytes(checkpointKey(ORIGIN));
    kit.bucket.lose(checkpointKey(ORIGIN));
    const { archiver } = await kit.start();
    expect(kit.bucket.bytes(checkpointKey(ORIGIN)).equals(before)).toBe(true);
    await archiver[Symbol.asyncDispose]();
  });

  it('tells an attempt that the segments refuse by its rejection alone', async () => {
    const kit = await logOfDays(2);
    kit.bucket.lose(segmentKey(ORIGIN, leafOf(segments(kit).at(-1) as string)));
    await expect(kit.start()).rejects.toMatchObject({ code: 'archive/behind-checkpoint', kind: 'fatal' });
  });
});
