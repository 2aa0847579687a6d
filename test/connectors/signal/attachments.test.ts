// SPDX-License-Identifier: AGPL-3.0-or-later

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { contentFor } from '../../emulators/signal/attachments.ts';
import { edited, incoming, type Content } from '../../emulators/signal/envelopes.ts';
import type { PayloadObject } from '../../emulators/signal/frame.ts';
import { account, dana } from '../../emulators/signal/test-world.ts';
import { Capturing } from './harness.ts';
import { eventually } from '../../support/eventually.ts';

const file = (id: string, size = 2000, contentType = 'image/jpeg'): NonNullable<Content['attachments']>[number] => ({
  id,
  size,
  contentType,
  filename: `${id} of somebody`,
});

let at = 1_786_000_000_000;
const withFiles = (...attachments: NonNullable<Content['attachments']>): PayloadObject =>
  incoming(dana, (at += 1), { text: 'files', attachments });

const upstream = ({ emulator }: Capturing): string[] => readdirSync(emulator.attachmentsDir).toSorted();

const open = ({ sink }: Capturing): string[] => sink.openGaps().map(({ cause, scope }) => `${cause} ${scope}`);

async function archived(capturing: Capturing, count: number): Promise<void> {
  await eventually(() => capturing.sink.media.length).toBe(count);
}

test('archives every file of a message, then removes it upstream, and nothing before', async () => {
  const capturing = await Capturing.start();
  const files = [file('a.jpg'), file('b.pdf', 70_000, 'application/pdf'), file('c.aac', 1)];
  await capturing.emulator.receive(account, withFiles(...files));
  await archived(capturing, 3);
  for (const { view, bytes } of capturing.sink.media) {
    if (view.kind !== 'attachment') throw new TypeError('expected a view of an attachment');
    const listed = files.find(({ id }) => id === view.attachment.id);
    expect(bytes).toEqual(
      contentFor(view.attachment.id ?? '', { id: '', text: null, contentType: '', size: 0, ...listed }),
    );
    expect(view).toMatchObject({
      attachment: { place: 'attachment', fileName: listed?.filename },
      target: { sentAtMs: at },
    });
    expect(view.object.size).toBe(listed?.size);
  }
  await eventually(() => upstream(capturing)).toEqual([]);
  await eventually(() => capturing.sink.sessionNames('work/')).toEqual([]);
  const order = capturing.emulator.requests.filter(({ path }) => path.endsWith('/a.jpg')).map(({ method }) => method);
  expect(order).toEqual(['GET', 'DELETE']);
});

test('fetches thumbnails, previews, avatars, story files and long texts too', async () => {
  const capturing = await Capturing.start();
  const whole = {
    contentType: 'image/png',
    filename: null,
    size: 64,
    width: null,
    height: null,
    caption: null,
    uploadTimestamp: null,
  };
  const quote = { id: 1, author: dana.uuid, authorUuid: dana.uuid, text: 'x' };
  await capturing.emulator.receive(
    account,
    incoming(dana, (at += 1), {
      text: 'short',
      attachments: [file('long.txt', 9, 'text/x-signal-plain')],
      more: {
        quote: {
          ...quote,
          attachments: [{ contentType: 'image/png', filename: null, thumbnail: { ...whole, id: 'thumb.png' } }],
        },
        previews: [
          { url: 'https://example.gov', title: null, description: null, image: { ...whole, id: 'preview.png' } },
        ],
        contacts: [{ name: {}, avatar: { attachment: { ...whole, id: 'avatar.png' }, isProfile: true } }],
      },
    }),
    { attachments: [{ id: 'long.txt', content: Buffer.from('long text') }] },
  );
  await archived(capturing, 4);
  const places = capturing.sink.media.map(({ view }) =>
    view.kind === 'attachment' ? `${view.attachment.id} ${view.attachment.place}` : '',
  );
  expect(places.toSorted()).toEqual([
    'avatar.png contact',
    'long.txt long-text',
    'preview.png preview',
    'thumb.png quote',
  ]);
  const long = capturing.sink.media.find(
    ({ view }) => view.kind === 'attachment' && view.attachment.place === 'long-text',
  );
  expect(long?.bytes.toString()).toBe('long text');
});

test('does not fetch twice what three intakes list', async () => {
  const capturing = await Capturing.start();
  await capturing.emulator.receive(account, withFiles(file('once.jpg')), { copies: 2 });
  await archived(capturing, 1);
  await eventually(() => upstream(capturing)).toEqual([]);
  await eventually(() => capturing.sink.sightings(0).byIntake).toMatchObject({ webhook: 1, journal: 1, websocket: 1 });
  expect(
    capturing.emulator.requests.filter(({ method, path }) => method === 'GET' && path.endsWith('once.jpg')),
  ).toHaveLength(1);
});

test('waits for a file that comes late, and leaves no gap', async () => {
  const capturing = await Capturing.start({ settings: { thresholds: { attachmentMissing: '10s' } } });
  await capturing.emulator.receive(account, withFiles(file('late.jpg')), {
    attachments: [{ id: 'late.jpg', arrival: { afterMs: 300 } }],
  });
  await archived(capturing, 1);
  expect(capturing.sink.gaps).toEqual([]);
});

test('records a gap for a file that is not there (L12), and closes it if the file comes after all', async () => {
  const capturing = await Capturing.start();
  await capturing.emulator.receive(account, withFiles(file('lost.jpg')), {
    attachments: [{ id: 'lost.jpg', arrival: 'never' }],
  });
  await eventually(() => open(capturing)).toEqual(['attachment-missing attachment']);
  expect(capturing.events.alarmed('attachment-missing')).toBe(true);
  expect(capturing.sink.gaps[0]?.view).toMatchObject({
    kind: 'gap',
    cause: 'attachment-missing',
    target: { sentAtMs: at },
  });
  writeFileSync(join(capturing.emulator.attachmentsDir, 'lost.jpg'), Buffer.alloc(2000, 7));
  await archived(capturing, 1);
  await eventually(() => open(capturing)).toEqual([]);
  expect(capturing.sink.gaps.map(({ state }) => state)).toEqual(['open', 'closed']);
});

test('says for good that a file never came, once, also when a journal brings the message again', async () => {
  const capturing = await Capturing.start({ settings: { thresholds: { attachmentGiveUp: '400ms' } } });
  const payload = withFiles(file('never.jpg'));
  await capturing.emulator.receive(account, payload, { attachments: [{ id: 'never.jpg', arrival: 'never' }] });
  await eventually(() => capturing.sink.gaps.map(({ state }) => state)).toEqual(['open', 'final']);
  await capturing.emulator.receive(account, payload, { attachments: [{ id: 'never.jpg', arrival: 'never' }] });
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(capturing.sink.gaps).toHaveLength(2);
  expect(open(capturing)).toEqual([]);
});

test('keeps the bytes of a short file, records a gap, and removes nothing upstream while it may still grow', async () => {
  const capturing = await Capturing.start();
  await capturing.emulator.receive(account, withFiles(file('short.jpg')), {
    attachments: [{ id: 'short.jpg', arrival: { truncatedTo: 500 } }],
  });
  await archived(capturing, 1);
  expect(capturing.sink.media[0]?.bytes).toHaveLength(500);
  await eventually(() => open(capturing)).toEqual(['attachment-mismatch attachment']);
  expect(upstream(capturing)).toEqual(['short.jpg']);
  writeFileSync(join(capturing.emulator.attachmentsDir, 'short.jpg'), Buffer.alloc(2000, 9));
  await archived(capturing, 2);
  expect(capturing.sink.media[1]?.bytes).toHaveLength(2000);
  await eventually(() => open(capturing)).toEqual([]);
  await eventually(() => upstream(capturing)).toEqual([]);
});

test('says for good that a file stayed short, and removes it upstream: what there was, is archived', async () => {
  const capturing = await Capturing.start({ settings: { thresholds: { attachmentGiveUp: '300ms' } } });
  await capturing.emulator.receive(account, withFiles(file('short.jpg')), {
    attachments: [{ id: 'short.jpg', arrival: { truncatedTo: 500 } }],
  });
  await eventually(() => capturing.sink.gaps.map(({ state }) => state)).toEqual(['open', 'final']);
  await eventually(() => upstream(capturing)).toEqual([]);
  expect(capturing.sink.media).toHaveLength(1);
});

test('leaves a file over the bound upstream, and records it as a gap', async () => {
  const capturing = await Capturing.start({ settings: { limits: { attachment: '1KiB' } } });
  await capturing.emulator.receive(account, withFiles(file('big.jpg')));
  await eventually(() => capturing.sink.gaps.map(({ cause, state }) => `${cause} ${state}`)).toEqual([
    'oversized final',
  ]);
  expect(upstream(capturing)).toEqual(['big.jpg']);
  expect(capturing.events.alarmed('attachment-oversized')).toBe(true);
});

test('tries again without end while the back end does not answer, and is not green meanwhile', async () => {
  const capturing = await Capturing.start({ settings: { thresholds: { attachmentBacklog: '300ms' } } });
  await eventually(() => capturing.state).toBe('capturing');
  capturing.emulator.faults.failAnswers(30, /^\/v1\/attachments\//);
  await capturing.emulator.receive(account, withFiles(file('later.jpg')));
  await eventually(() => capturing.session.health(account).reasons).toContain('attachment-backlog');
  capturing.emulator.faults.failAnswers(0);
  await archived(capturing, 1);
  await eventually(() => capturing.state).toBe('capturing');
  expect(capturing.sink.gaps).toEqual([]);
});

test('removes upstream later what could not be removed at once', async () => {
  const capturing = await Capturing.start({
    intakes: ['webhook'],
    settings: { thresholds: { attachmentDelete: '200ms' } },
  });
  await capturing.emulator.receive(account, withFiles(file('stays.jpg')));
  await archived(capturing, 1);
  capturing.emulator.faults.failAnswers(4, /^\/v1\/attachments\//);
  await eventually(() => upstream(capturing)).toEqual([]);
  expect(capturing.events.troubles.some(({ reason }) => reason === 'attachment')).toBe(true);
});

test('takes up after a restart whatever was left: to fetch, to remove, to ask for again', async () => {
  const capturing = await Capturing.start({
    intakes: ['webhook'],
    settings: { thresholds: { attachmentDelete: '1h' } },
  });
  await capturing.emulator.receive(account, withFiles(file('remove.jpg')));
  await archived(capturing, 1);
  capturing.emulator.faults.failAnswers(Infinity, /^\/v1\/attachments\//);
  await capturing.emulator.receive(account, withFiles(file('fetch.jpg')));
  await eventually(() => capturing.sink.sessionNames('work/').length).toBe(2);
  await capturing.stop();
  capturing.emulator.faults.failAnswers(0);
  const next = new Capturing(capturing.emulator, {
    intakes: ['webhook'],
    accounts: new Map([[account, capturing.sink]]),
  });
  await next.run();
  await eventually(() => capturing.sink.media.length).toBe(2);
  await eventually(() => upstream(capturing)).toEqual([]);
  await eventually(() => capturing.sink.sessionNames('work/')).toEqual([]);
  await next.stop();
});

test('does not remove a file that another message still needs: an edit lists the files of its message again', async () => {
  const capturing = await Capturing.start({
    intakes: ['webhook'],
    settings: { thresholds: { attachmentDelete: '500ms', attachmentShort: '1h' } },
  });
  const target = (at += 1);
  await capturing.emulator.receive(
    account,
    incoming(dana, target, { text: 'one', attachments: [file('shared.jpg', 2000)] }),
  );
  await archived(capturing, 1);
  // The edit's copy of the file is still being written.
  const arrival = { truncatedTo: 2000 };
  const edit = edited(dana, (at += 1), target, { text: 'two', attachments: [file('shared.jpg', 3000)] });
  await capturing.emulator.receive(account, edit, { attachments: [{ id: 'shared.jpg', arrival }] });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(upstream(capturing)).toEqual(['shared.jpg']);
  writeFileSync(join(capturing.emulator.attachmentsDir, 'shared.jpg'), Buffer.alloc(3000, 5));
  await archived(capturing, 2);
  await eventually(() => upstream(capturing)).toEqual([]);
  expect(capturing.sink.gaps).toEqual([]);
});

test('asks nobody for a file whose name could lead elsewhere', async () => {
  const capturing = await Capturing.start({ intakes: ['webhook'] });
  const payload = JSON.stringify(withFiles(file('../../accounts')));
  const line = `{"jsonrpc":"2.0","method":"receive","params":${payload.replace(/\}$/, `,"account":"${account}"}`)}}`;
  await fetch(capturing.session.webhookUrl ?? '', { method: 'POST', body: line });
  await eventually(() => open(capturing)).toEqual(['attachment-missing attachment']);
  expect(capturing.emulator.requests.some(({ path }) => path.includes('attachments'))).toBe(false);
});

test('archives the files of a burst, at most two at a time', async () => {
  const capturing = await Capturing.start();
  const payloads = Array.from({ length: 100 }, (_, index) => withFiles(file(`f${index}.jpg`, 100 + index)));
  await capturing.emulator.receiveBurst(account, payloads);
  await archived(capturing, 100);
  await eventually(() => upstream(capturing)).toEqual([]);
  expect(capturing.sink.gaps).toEqual([]);
  expect(capturing.sink.mediaPeak).toBeLessThanOrEqual(2);
});
