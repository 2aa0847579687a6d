// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApprovedBox } from '../../src/matters/approved-box.ts';
import { approve, parseApproval } from '../../src/matters/hold-entry.ts';
import { signBytes } from '../../src/record/key.ts';
import { TalkingArchive } from '../search/archive-kit.ts';
import { ANA, BEN, HARBOUR, message } from '../search/kit.ts';
import { OFFICER, SECOND_OFFICER } from '../support/archive-fixture.ts';
import { until } from '../support/e2e-process.ts';
import { CONNECTOR, type SigningPair } from '../vectors/keys.ts';
import { desk, WebOffice } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-web-holds-'));
const spool = join(root, 'holds');
let archive: TalkingArchive;
let office: WebOffice;
let matter: string;
beforeAll(async () => {
  archive = await TalkingArchive.start(join(root, 'made'));
  const { maker } = archive;
  await archive.capture(ANA, message('the seal is broken'), { by: BEN, chat: HARBOUR });
  await maker.archive();
  const clock = (): number => maker.nowMs;
  const approved = (): ReturnType<ApprovedBox['waiting']> => new ApprovedBox(spool).waiting();
  office = await WebOffice.open(
    root,
    archive.directory,
    {},
    { link: maker.link, clock, approved, holds: desk(spool, clock) },
  );
  matter = ((await (await office.post('/matters', { name: 'Berth 14' })).json()) as { matter: string }).matter;
  await archived();
}, 120_000);
afterAll(async () => {
  await office?.[Symbol.asyncDispose]();
  await archive?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

const archived = (): Promise<void> => office.archived(archive.maker);

interface Proposed {
  readonly hold: string;
  readonly approvals: readonly string[];
}
interface Waits {
  readonly approval: string;
  readonly state: string;
  readonly needed: number;
  readonly what: string;
}
interface Holds extends Record<string, unknown> {
  readonly holds: readonly { readonly hold: string; readonly log: { readonly state: string } | null }[];
}

async function asked<R>(path: string, body: unknown = {}): Promise<R> {
  const response = await office.post(path, body);
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as R;
}

const waiting = async (): Promise<readonly Waits[]> =>
  (await office.get<{ approvals: readonly Waits[] }>('/approvals')).approvals;
const stateOf = async (hold: string): Promise<string | null | undefined> =>
  (await office.get<Holds>('/holds')).holds.find((one) => one.hold === hold)?.log?.state ?? null;

/** What an officer does at another machine: reads the text, signs it, and hands back the signature. */
async function signed(approval: string, { privateKey, key }: SigningPair): Promise<{ key: string; sig: string }> {
  const { text } = await office.get<{ text: string }>(`/approvals/${approval}`);
  return { key: key.id, sig: signBytes(privateKey, text).toString('base64') };
}

/** The reader's process brings approved entries to the archiver, which logs them. */
async function logged(hold: string, state: string): Promise<void> {
  await until(`the log has the hold as ${state}`, async () => {
    // What is carried needs a look that is recorded, and a moment.
    await office.get('/holds');
    await archived();
    return (await stateOf(hold)) === state;
  });
}

describe('a hold', () => {
  it('is asked for, approved by an officer’s signature, extended, and released by two', async () => {
    const placed = await asked<Proposed & { lines: number; packs: number }>(`/matters/${matter}/holds`, {
      scope: { by: 'search', query: 'seal' },
      reference: 'No. 26-0417',
    });
    expect(placed).toMatchObject({ lines: 1, packs: 1, approvals: [expect.stringMatching(/^[0-9a-f]{64}$/)] });
    expect(await waiting()).toMatchObject([{ what: 'placed', state: 'open', needed: 1, reference: 'No. 26-0417' }]);
    await archived();
    expect(await stateOf(placed.hold)).toBeNull();
    const [first = ''] = placed.approvals;
    const done = await asked<Waits>(`/approvals/${first}`, { by: [await signed(first, OFFICER)] });
    expect(done).toMatchObject({ state: 'approved' });
    await logged(placed.hold, 'placed');
    expect(await waiting()).toEqual([]);

    expect((await asked<Proposed>(`/holds/${placed.hold}/extension`)).approvals).toEqual([]);
    archive.maker.nowMs += 60_000;
    await archive.capture(ANA, message('another seal'), { by: BEN, chat: HARBOUR });
    await archive.maker.archive();
    await office.grow();
    const [more = ''] = (await asked<Proposed>(`/holds/${placed.hold}/extension`)).approvals;
    await asked(`/approvals/${more}`, { by: [await signed(more, SECOND_OFFICER)] });
    await logged(placed.hold, 'extended');

    const [release = ''] = (await asked<Proposed>(`/holds/${placed.hold}/release`)).approvals;
    const half = await asked<Waits>(`/approvals/${release}`, { by: [await signed(release, OFFICER)] });
    expect(half).toMatchObject({ state: 'open', needed: 2 });
    // The same officer twice is one officer.
    expect(await asked(`/approvals/${release}`, { by: [await signed(release, OFFICER)] })).toMatchObject({
      state: 'open',
    });
    await asked(`/approvals/${release}`, { by: [await signed(release, SECOND_OFFICER)] });
    await logged(placed.hold, 'released');
    expect((await office.post(`/holds/${placed.hold}/release`, {})).status).toBe(400);
  }, 240_000);

  it('is signed as a file on the officer’s machine, with the command’s own code', async () => {
    const { approvals } = await asked<Proposed>(`/matters/${matter}/holds`, {
      scope: { by: 'custodian', custodian: 'Ana' },
    });
    const [approval = ''] = approvals;
    const { entry, document } = await office.get<{ entry: unknown; document: string }>(`/approvals/${approval}`);
    const { entry: own } = approve(parseApproval(JSON.stringify({ entry, document })), OFFICER.privateKey);
    expect(await asked(`/approvals/${approval}`, { by: own.by })).toMatchObject({ state: 'approved' });
  });

  it('is approved by no other key, over no other text, and by nobody twice removed', async () => {
    const { hold, approvals } = await asked<Proposed>(`/matters/${matter}/holds`, {
      scope: { by: 'search', query: 'crate' },
    });
    const [approval = ''] = approvals;
    const stranger = await signed(approval, CONNECTOR);
    const officer = await signed(approval, OFFICER);
    const elsewhere = { key: officer.key, sig: signBytes(OFFICER.privateKey, 'another text').toString('base64') };
    for (const by of [[stranger], [elsewhere], [{ ...stranger, key: officer.key }], [officer, stranger]]) {
      const response = await office.post(`/approvals/${approval}`, { by });
      expect([response.status, await response.json()]).toMatchObject([400, { error: { code: 'matters/approval' } }]);
    }
    expect((await waiting()).find((one) => one.approval === approval)).toMatchObject({ state: 'open', by: [] });
    for (const by of [[], [{ key: officer.key }], [{ ...officer, sig: 'x' }]])
      expect((await office.post(`/approvals/${approval}`, { by })).status).toBe(400);
    expect((await office.post(`/approvals/${'0'.repeat(64)}`, { by: [officer] })).status).toBe(404);
    // What nobody approved in a week the archiver would refuse: it says so, and is proposed anew in its place.
    archive.maker.nowMs += 8 * 86_400_000;
    expect((await waiting()).find((one) => one.approval === approval)).toMatchObject({ state: 'expired' });
    expect((await office.post(`/approvals/${approval}`, { by: [officer] })).status).toBe(400);
    await archived();
    const again = await asked<Proposed>(`/holds/${hold}/extension`);
    expect(
      (await waiting()).filter((one) => one.what === 'placed' && one.state === 'open').map((one) => one.approval),
    ).toEqual(again.approvals);
    const gone = await office.ask(`/api/v1/approvals/${again.approvals[0]}`, { method: 'DELETE' });
    expect(gone.status).toBe(200);
    expect((await waiting()).filter((one) => one.state === 'open')).toEqual([]);
  }, 180_000);

  it('is on nothing that is not there, and its reference holds no sentence in clear', async () => {
    for (const body of [
      { scope: { by: 'record', leaf: 999_999 } },
      { scope: { by: 'search', query: '(seal' } },
      { scope: { by: 'search', query: 'seal in:#1' } },
      { scope: { by: 'everything' } },
      { scope: { by: 'search', query: 'seal' }, reference: 'x'.repeat(500) },
      { scope: { by: 'search', query: 'seal' }, reference: 'Dana\nOrtiz' },
    ]) {
      expect((await office.post(`/matters/${matter}/holds`, body)).status).toBe(400);
    }
    expect((await office.post(`/holds/${'0'.repeat(32)}/extension`, {})).status).toBe(404);
    expect((await office.post(`/holds/${'0'.repeat(32)}/release`, {})).status).toBe(404);
  });
});
