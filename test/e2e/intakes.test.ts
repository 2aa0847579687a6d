// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goldenAccount, goldenCases } from '../connectors/signal/golden.ts';
import { envelopeHead, incoming } from '../emulators/signal/envelopes.ts';
import type { PayloadObject } from '../emulators/signal/frame.ts';
import { account, dana } from '../emulators/signal/test-world.ts';
import type { ArchiveView } from '../support/e2e-archive.ts';
import { Deployment, OWNER, type IntakeName } from '../support/e2e-deployment.ts';
import { until } from '../support/e2e-process.ts';

const BURST = 1000;
/** The research corpus, where it is at hand: one line each, ending with the payload. */
const CORPUS = new URL('../../../shared/fixtures/signal-envelopes.jsonl', import.meta.url);

/** Every kind of frame; without the corpus the golden pairs beside the connector stand in. */
function payloads(): string[] {
  if (!existsSync(CORPUS)) {
    return goldenCases()
      .map(({ raw }) => JSON.stringify(JSON.parse(raw.toString())).replaceAll(goldenAccount, account))
      .filter((payload) => payload.includes('"envelope":'));
  }
  const lines = readFileSync(CORPUS, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => line.slice(line.indexOf('"payload":') + 10, -1));
}

const ALONE = ['webhook', 'websocket', 'journal'] as const satisfies readonly IntakeName[];
const alone = new Map<IntakeName, Deployment>();
const of = (intake: IntakeName): Deployment => alone.get(intake) as Deployment;
let together: Deployment;

/** Times after the link, so that they may be expected in the archive. */
const burst = (from: number): PayloadObject[] =>
  Array.from({ length: BURST }, (_, at) => incoming(dana, from + at, { text: `${at} of the burst` }));

beforeAll(async () => {
  // No contacts and no groups: what the emulator does not know it does not judge.
  const emulator = { accounts: [{ ...OWNER }] };
  // While a burst is posted to the webhook, answers of the REST API wait behind it: that is no outage.
  const signalSettings = { thresholds: { referenceGrace: '300ms', outage: '1m' }, timeouts: { rest: '15s' } };
  const make = (label: string, intakes?: readonly IntakeName[]): Promise<Deployment> =>
    Deployment.make({
      label,
      emulator,
      signalSettings,
      logLevel: 'info',
      ...(intakes === undefined ? {} : { intakes }),
    });
  const made = await Promise.all(ALONE.map((intake) => make(intake, [intake])));
  for (const [at, deployment] of made.entries()) alone.set(ALONE[at] as IntakeName, deployment);
  together = await make('together');
  for (const deployment of [...made, together]) await deployment.start();
}, 180_000);

afterAll(async () => {
  for (const deployment of [...alone.values(), together]) await deployment?.[Symbol.asyncDispose]();
});

/** What a reader sees of what an intake brought, and of the files that came with it. */
async function content(view: ArchiveView): Promise<unknown> {
  const records = view.records.flatMap(({ opened }) => {
    if (opened === null || opened.via === 'rest' || opened.via === 'connector' || opened.via === 'spool') return [];
    return { view: opened.view, raw: opened.raw.toString() };
  });
  const files = [...(await view.files())].map(([id, bytes]) => `${id} ${bytes.toString('base64')}`).toSorted();
  return { records, files };
}

describe('each intake alone', () => {
  it('archives the same views, bytes and files of every kind of frame, in the same order', async () => {
    const sent = payloads();
    expect(sent.length).toBeGreaterThanOrEqual(50);
    const contents = await Promise.all(
      ALONE.map(async (intake) => {
        const deployment = of(intake);
        for (const payload of sent) await deployment.emulator.receive(account, payload);
        const view = await deployment.drained();
        // Some frames say several things, and each is a record.
        expect([...new Set(view.native())]).toEqual(sent);
        const files = new Set(
          deployment.emulator.messages.flatMap(({ params }) =>
            [...params.matchAll(/"id":"([^"]+\.\w+)"/g)].map(([, id]) => id),
          ),
        );
        await until(`${files.size} files`, async () => (await (await view.refresh()).files()).size >= files.size);
        return content(view);
      }),
    );
    console.log(`${sent.length} frames through each of three intakes`);
    expect(contents[1]).toEqual(contents[0]);
    expect(contents[2]).toEqual(contents[0]);
  }, 120_000);

  it.each(['webhook', 'journal'] as const)(`loses nothing of a burst of ${BURST}: %s`, async (intake) => {
    const { emulator } = of(intake);
    const sent = await emulator.receiveBurst(account, burst(Date.now() + 60_000));
    const view = await of(intake).drained();
    const archived = view.native();
    expect(sent.filter(({ params }) => !archived.includes(params))).toEqual([]);
    expect(new Set(archived).size).toBe(emulator.history.length);
  });

  it('shows what a burst loses on the WebSocket, in words before anybody asks, and one by one once somebody refers to it', async () => {
    const deployment = of('websocket');
    const { emulator } = deployment;
    const status = deployment.status()?.accounts[0]?.health;
    expect([status?.state, status?.reasons]).toEqual(['degraded', ['lossy-intake']]);
    const sent = await emulator.receiveBurst(account, burst(Date.now() + 60_000));
    const lost = sent.filter(({ webSocket }) => webSocket.written === 0);
    expect(lost.length).toBeGreaterThan(BURST / 2);
    const view = await deployment.drained();
    // Exactly what the socket did not bring is missing, and the account says so to an auditor without keys.
    const archived = new Set(view.native());
    expect(sent.filter(({ params }) => !archived.has(params))).toEqual(lost);
    expect(view.gaps()[0]).toBe('intake-lost open');
    expect(view.gaps()).not.toContain('intake-lost closed');
    // The owner's phone read them all.
    const readMessages = lost.map(({ timestamp }) => ({
      sender: dana.number,
      senderNumber: dana.number,
      senderUuid: dana.uuid,
      timestamp: timestamp ?? 0,
    }));
    await emulator.receive(account, {
      envelope: { ...envelopeHead(OWNER, Date.now()), syncMessage: { readMessages } },
    });
    const unseen = (): number[] =>
      view
        .views('gap')
        .flatMap(({ cause, target }) => (cause === 'reference-unseen' && target ? (target.sentAtMs ?? []) : []));
    await until('a gap for each', async () => (await view.refresh(), unseen().length >= lost.length));
    expect(unseen()).toEqual(lost.map(({ timestamp }) => timestamp));
    console.log(`WebSocket alone: ${BURST} sent, ${lost.length} lost by it, ${unseen().length} gaps name them`);
    await deployment.stop();
    const [report] = (await view.refresh())
      .views('intakes')
      .map((one) => one.report as { byIntake: Record<string, number> });
    const { code, stdout } = await deployment.verify();
    expect([code, stdout]).toEqual([0, expect.stringContaining('account intake-lost, open')]);
    expect(report?.byIntake['websocket']).toBe(view.native().length);
  }, 120_000);
});

describe('all intakes together', () => {
  it(`archive each message of a burst of ${BURST} once, and tell which of them brought it`, async () => {
    const { emulator } = together;
    await emulator.receiveBurst(account, burst(Date.now() + 60_000));
    const view = await together.drained();
    expect(view.native().toSorted()).toEqual(emulator.history.map(({ params }) => params).toSorted());
    expect(view.gaps()).toEqual([]);
    await together.stop();
    const [report] = (await view.refresh())
      .views('intakes')
      .map((one) => one.report as { byIntake: Record<string, number> });
    expect(report?.byIntake).toMatchObject({ webhook: BURST, journal: BURST });
    expect(report?.byIntake['websocket']).toBe(
      emulator.history.filter(({ webSocket }) => webSocket.written > 0).length,
    );
  });
});
