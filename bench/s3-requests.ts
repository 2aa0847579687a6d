// SPDX-License-Identifier: AGPL-3.0-or-later
// What an archive asks of a bucket. Counted: the HTTP requests of a real archiver's flushes and read-backs, through the S3 store, to a
// Ceph with Object Lock, plain and behind a shim that honours If-None-Match and keeps SHA-256 as today's servers do. Computed
// from those counts: requests and locked objects a day at three rates. Run: npx node bench/s3-requests.ts
import { openS3Store } from '../src/archive/s3-store.ts';
import type { ArchiveStore } from '../src/archive/store.ts';
import { Archiver, FLUSH_RHYTHM } from '../src/archive/archiver.ts';
import { startModernS3 } from '../test/archive/store/modern-s3.ts';
import { type Exchange, type HttpFaultProxy, startFaultProxy } from '../test/faults/http-fault-proxy.ts';
import { createLockedBucket, startCeph, type CephServer } from '../test/services/ceph.ts';
import { ArchiverKit, archiverOptions, CLASS, OTHER_CLASS, Told } from '../test/support/archiver-kit.ts';
import type { SentStream } from '../test/support/batch-sender.ts';
import { noted, tell, type Figure } from './figures.ts';

const CLASSES = [CLASS, OTHER_CLASS, 'third', 'fourth'];
const KINDS = ['PUT', 'LIST', 'HEAD', 'GET'] as const;
type Kind = (typeof KINDS)[number];
type Counts = Readonly<Record<Kind, number>>;

/** A text message with its header, as the Signal connector seals it. */
const MESSAGE_BYTES = 1400;
const DAY_S = 86_400;
/** US dollars for a thousand, AWS S3 Standard, us-east-1. */
const PRICE: Readonly<Record<Kind, number>> = { PUT: 0.005, LIST: 0.005, HEAD: 0.0004, GET: 0.0004 };

function kindOf({ method, path }: Exchange): Kind {
  if (method === 'GET' && /[?&]versions/.test(path)) return 'LIST';
  return method as Kind;
}

function count(proxy: HttpFaultProxy): Counts {
  const counts = { PUT: 0, LIST: 0, HEAD: 0, GET: 0 };
  for (const exchange of proxy.seen) counts[kindOf(exchange)] += 1;
  proxy.seen.length = 0;
  return counts;
}

interface Measured {
  readonly perFlush: readonly Counts[];
  readonly perHeads: Counts;
  readonly perPackReadBack: Counts;
}

const minus = (a: Counts, b: Counts): Counts => combine((kind) => a[kind] - b[kind]);
const combine = (of: (kind: Kind) => number): Counts =>
  Object.fromEntries(KINDS.map((kind) => [kind, of(kind)])) as Record<Kind, number>;

/** Flushes with one to four classes, heads, and a read-back, each counted on the wire. */
async function measure(proxy: HttpFaultProxy, store: ArchiveStore): Promise<Measured> {
  const kit = new ArchiverKit();
  let clockMs = Date.now();
  kit.bucket.nowMs = clockMs;
  const options = archiverOptions({ store, clock: () => clockMs, headsEveryMs: 3_600_000 });
  const archiver = await Archiver.start({
    ...options,
    downlink: kit.link.downlink(),
    events: new Told(),
    onFatal: (error) => console.error(error),
  });
  const stream = kit.first.open();
  await flush(kit, archiver);
  proxy.seen.length = 0;
  const withHeads = await counted(kit, archiver, proxy, stream, 1);
  const perFlush = [];
  for (let classes = 1; classes <= CLASSES.length; classes += 1) {
    perFlush.push(await counted(kit, archiver, proxy, stream, classes));
  }
  clockMs += 7_200_000;
  await archiver.readBack();
  const readBack = count(proxy);
  const packs = 1 + 1 + 2 + 3 + 4;
  await archiver[Symbol.asyncDispose]();
  return {
    perFlush,
    perHeads: minus(withHeads, perFlush[0] as Counts),
    perPackReadBack: combine((kind) => readBack[kind] / packs),
  };
}

async function flush(kit: ArchiverKit, archiver: Archiver): Promise<void> {
  await kit.first.sendAll();
  await archiver.flush();
}

async function counted(
  kit: ArchiverKit,
  archiver: Archiver,
  proxy: HttpFaultProxy,
  stream: SentStream,
  classes: number,
): Promise<Counts> {
  for (const ret of CLASSES.slice(0, classes)) kit.first.messages(stream, 20, ret);
  await flush(kit, archiver);
  if (kit.backlog() > 0) throw new Error('the flush did not archive');
  return count(proxy);
}

/** A flush begins to wait with the first message, and is written when enough or old enough. */
function flushesPerDay(messagesPerMinute: number): number {
  const perSecond = messagesPerMinute / 60;
  const untilFullS = FLUSH_RHYTHM.maxBytes / (perSecond * MESSAGE_BYTES);
  return DAY_S / (1 / perSecond + Math.min(FLUSH_RHYTHM.maxDelayMs / 1000, untilFullS));
}

function row(cells: readonly (string | number)[]): void {
  console.log(
    cells
      .map((cell) => (typeof cell === 'number' ? Math.round(cell).toLocaleString('en-US') : cell).padStart(12))
      .join(''),
  );
}

function show(name: string, { perFlush, perHeads, perPackReadBack }: Measured): void {
  console.log(`\n${name}\nmeasured, requests`);
  row(['', ...KINDS]);
  for (const [index, counts] of perFlush.entries()) row([`${index + 1} class`, ...KINDS.map((kind) => counts[kind])]);
  row(['heads', ...KINDS.map((kind) => perHeads[kind])]);
  row(['pack again', ...KINDS.map((kind) => perPackReadBack[kind])]);
  console.log('computed, a day');
  row(['msgs/min', 'classes', 'flushes', ...KINDS, 'locked', 'USD']);
  for (const rate of [1, 100, 10_000]) {
    for (const classes of [1, 4]) {
      const flushes = flushesPerDay(rate);
      // At a low rate a flush has one message, and so one class.
      const packs = Math.min(classes, Math.max(1, (rate / 60) * (FLUSH_RHYTHM.maxDelayMs / 1000)));
      const each = interpolated(perFlush, packs);
      const day = combine((kind) => flushes * (each[kind] + packs * perPackReadBack[kind]) + perHeads[kind]);
      const dollars = KINDS.reduce((sum, kind) => sum + (day[kind] / 1000) * PRICE[kind], 0);
      row([rate, classes, flushes, ...KINDS.map((kind) => day[kind]), flushes * (packs + 1) + 1, dollars.toFixed(2)]);
    }
  }
}

function interpolated(perFlush: readonly Counts[], packs: number): Counts {
  const [one, four] = [perFlush[0] as Counts, perFlush[3] as Counts];
  return combine((kind) => one[kind] + ((packs - 1) * (four[kind] - one[kind])) / 3);
}

async function run(name: string, ceph: CephServer, proxy: HttpFaultProxy): Promise<void> {
  const bucket = `requests-${name.replaceAll(/[^a-z]+/g, '-')}`;
  await createLockedBucket(ceph, bucket);
  const { region, accessKeyId, secretAccessKey } = ceph;
  const place = { endpoint: proxy.url, region, bucket, prefix: '', pathStyle: true, maxRetainDays: 20 * 366 };
  await using store = await openS3Store({ ...place, credentials: { accessKeyId, secretAccessKey } });
  const measured = await measure(proxy, store);
  show(`${name} (create-once by ${store.abilities.create})`, measured);
  const [one] = measured.perFlush;
  figures.push(noted(`a flush of one class, ${name}`, KINDS.map((kind) => `${one?.[kind] ?? 0} ${kind}`).join(', ')));
}

const figures: Figure[] = [];
await using ceph = await startCeph();
{
  await using plain = await startFaultProxy(ceph.endpoint);
  await run('older ceph', ceph, plain);
}
{
  await using modern = await startModernS3(ceph.endpoint);
  await run('a server of today', ceph, modern);
}
tell(figures);
