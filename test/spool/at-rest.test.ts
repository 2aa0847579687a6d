// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SpoolKit, temporaryDirectory } from '../support/spool-kit.ts';
import { attachment, gapCapture, message, viewOf } from '../support/spool-parts.ts';
import { tamper } from '../support/spool-disk.ts';

const CANARY = 'kanarienvogel';
const NUMBER = '+12025550147';

/** The ways in which one text may lie in a file. */
function spellings(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  return [
    bytes,
    Buffer.from(text, 'utf16le'),
    Buffer.from(bytes.toString('hex')),
    Buffer.from(bytes.toString('base64').slice(1, -4)),
  ];
}

/** Files of a spool that hold the text in any spelling, names of files included. */
function findText(directory: string, text: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const bytes = entry.isFile() ? readFileSync(join(entry.parentPath, entry.name)) : Buffer.alloc(0);
    const found = entry.name.includes(text) || spellings(text).some((needle) => bytes.includes(needle));
    return found ? [entry.name] : [];
  });
}

/** Everything that a connector may hand over, with the canary in every place that takes text. */
async function deliverCanaries(kit: SpoolKit): Promise<void> {
  const { sink } = await kit.account(NUMBER);
  const native = { chat: `${CANARY} chat`, sender: NUMBER, id: `${CANARY} id`, kind: 'message', revision: CANARY };
  const view = {
    ...viewOf(`${CANARY} text`),
    chat: { type: 'group', id: `${CANARY} group`, name: `${CANARY} name` },
  } as const;
  const raw = Buffer.from(JSON.stringify({ body: `${CANARY} body`.repeat(20), number: NUMBER }));
  const session = [{ name: 'creds', value: Buffer.from(`${CANARY} state of ${NUMBER}`) }];
  await sink.deliver([message('a', { native, view, raw })], session);
  await sink.deliver([message('a', { native, view, raw, via: 'journal' })]);
  await sink.deliver([
    message('long', {
      native: { ...native, id: 'long' },
      raw: Buffer.concat([raw, Buffer.alloc(20 * 1024 * 1024, CANARY)]),
    }),
  ]);
  await sink.deliver([gapCapture({ native, view, raw })]);
  const target = { author: { id: CANARY, number: NUMBER }, sentAtMs: 1 };
  const file = {
    id: CANARY,
    contentType: 'image/jpeg',
    fileName: `${CANARY}.jpg`,
    size: 1,
    place: 'attachment',
  } as const;
  const bytes = Buffer.alloc(200_000, `${CANARY} photo `);
  const seen = (object: { key: string; size: number; sha256: string }) =>
    ({ ...view, kind: 'attachment', target, attachment: file, object }) as const;
  await sink.deliverMedia(
    attachment('photo', bytes, { native: { ...native, kind: 'attachment' }, view: seen, raw }),
    session,
  );
}

describe('a spool’s disk', () => {
  it('tells nothing: no text, name, number, chat, session value or file name, in any file, before and after it is closed', async () => {
    const kit = await SpoolKit.open(temporaryDirectory());
    await deliverCanaries(kit);
    const running = [CANARY, NUMBER, NUMBER.slice(1)].flatMap((text) => findText(kit.directory, text));
    await kit[Symbol.asyncDispose]();
    const closed = [CANARY, NUMBER, NUMBER.slice(1)].flatMap((text) => findText(kit.directory, text));
    expect([running, closed]).toEqual([[], []]);
  });

  it('is searched by what finds a text that is there', async () => {
    const kit = await SpoolKit.open(temporaryDirectory());
    await deliverCanaries(kit);
    await kit[Symbol.asyncDispose]();
    tamper(kit.directory, (db) => db.exec(`UPDATE streams SET app = '${CANARY}'`));
    expect(findText(kit.directory, CANARY)).toEqual(['spool.db']);
    const object = join(kit.directory, 'objects', readdirSync(join(kit.directory, 'objects'))[0] ?? '');
    writeFileSync(object, Buffer.concat([readFileSync(object), Buffer.from(Buffer.from(CANARY).toString('hex'))]));
    expect(findText(kit.directory, CANARY)).toHaveLength(2);
    writeFileSync(join(kit.directory, `${NUMBER}.txt`), '');
    expect(findText(kit.directory, NUMBER)).toEqual([`${NUMBER}.txt`]);
  });

  it('holds neither session values nor names of objects that say what they are of', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    await deliverCanaries(kit);
    for (const name of readdirSync(join(kit.directory, 'objects'))) expect(name).toMatch(/^[0-9a-f]{64}$/);
  });
});
