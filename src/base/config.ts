// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { isOrigin } from '../record/origin.ts';
import { addPeriod } from '../record/period.ts';
import { archive, ownWitness, timeStamp, witness } from './config-archive.ts';
import { scrub } from './config-scrub.ts';
import { byteSize, duration } from './duration.ts';
import { invalidSettings, parseSettings, type Problem } from './config-words.ts';
import { codeOf, Failure } from './failure.ts';
import { webSettings, type WebSettings } from './web-settings.ts';

const label = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,39}$/,
    'expected a label of a-z, 0-9 and -; it appears in logs, so no names and no numbers of people',
  );
const origin = z
  .string()
  .refine(
    isOrigin,
    'expected a name such as records.agency.example/holdfast/2026, none of its parts a folder of the archive',
  );
const path = z.string().min(1);
const retentionClass = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/, 'expected a class such as GRS-6.1-011');
const period = z
  .string()
  .refine(isPeriod, 'expected an ISO 8601 period of years, months and days, such as P7Y or P90D');

function isPeriod(text: string): boolean {
  try {
    addPeriod(0, text);
    return true;
  } catch {
    return false;
  }
}

const keys = z
  .strictObject({
    log: path.optional().describe('Signs checkpoints. Archiver only.'),
    archiver: path.optional().describe('Signs segments and replies. Archiver only.'),
    connector: path.optional().describe('Signs batches. Connector only.'),
    host: path.optional().describe('Encrypts messenger session state on this host. Connector only.'),
    deployment: path.optional().describe('Makes pseudonyms and tags; the same on all connectors. Connector only.'),
  })
  .describe('Files with private keys, mode 0600, made by `holdfast keygen`. Each role is given its own only.');

const redis = z
  .strictObject({
    host: z.string().min(1).describe('Where Redis is.'),
    port: z.int().min(1).max(65_535).default(6379).describe('Its port.'),
    username: z.string().optional().describe('ACL user of this role; see deploy/redis.'),
    password: path.optional().describe('File with the password.'),
    ca: path.optional().describe('PEM of the server’s authority; switches TLS on.'),
    prefix: label.default('holdfast').describe('In front of every key.'),
  })
  .describe('Redis between connectors and archiver. Without it both run in one process and hand over directly.');

const spool = z
  .strictObject({
    directory: path.describe(
      'A volume of its own, not shared: what is acknowledged and not yet archived lies here, sealed.',
    ),
    maxBytes: byteSize.optional().describe('Quota; without it the volume is the limit.'),
    alarmAt: z.number().gt(0).lt(1).default(0.8).describe('Share in use at which operators are told.'),
    stopAt: z.number().gt(0).lt(1).default(0.9).describe('Share in use at which nothing more is taken from upstream.'),
  })
  .describe('The connector’s durable store.');

const reader = z
  .strictObject({
    key: path.describe('The reader’s private key: opens every record.'),
    earlierKeys: z
      .array(path)
      .default([])
      .describe('Private keys that the reader had before this one: what was sealed to them opens with no other.'),
    index: path.describe(
      'A directory of mode 0700 on a local, encrypted disk: the index in it holds plaintext. Deleting it loses nothing.',
    ),
    name: label.default('reader').describe('This reader’s name in the record of who looked at what.'),
    signing: path.describe(
      'Signs the record of what this reader looks at and decides; the manifest names it as `reader`.',
    ),
    spool: path.describe(
      'A directory of its own: the record of each look is on its disk, sealed, before the answer is shown. What is not yet archived lies here.',
    ),
    retention: retentionClass
      .optional()
      .describe('Class of the record of looks; one of `retention`, the first if left out.'),
    web: webSettings.optional(),
    followEvery: duration.prefault('2s').describe('How often `holdfast read` looks for new segments.'),
  })
  .describe('Reading and searching. Only where a reader key may be; never on the archiver’s or a connector’s host.');

const schedule = z.strictObject({
  class: retentionClass.describe('Name of the class, as records carry it.'),
  period: period.describe('How long records of the class are locked.'),
  max: period.optional().describe('A cap; the period itself if left out.'),
  mode: z
    .enum(['COMPLIANCE', 'GOVERNANCE'])
    .default('COMPLIANCE')
    .describe('COMPLIANCE: nobody can shorten or delete. GOVERNANCE: whoever has the right to bypass it can.'),
  authority: z
    .string()
    .regex(/^[ !#-[\]-~]{1,200}$/, 'expected printable ASCII without quotes')
    .describe('By which rule, e.g. NARA GRS 6.1 item 011.'),
});

const account = z.strictObject({
  name: label.describe('How operators see the account.'),
  app: z.enum(['signal', 'whatsapp']).describe('Which messenger.'),
  account: z.string().min(1).max(200).describe('What the messenger calls it: the phone number.'),
  device: label
    .optional()
    .describe('Only where two hosts archive one account: which device this is. Each host names another, for ever.'),
  backend: label.describe('Which back end below it lives on.'),
  retention: retentionClass.describe('Class of its records; one of `retention`.'),
});

export const configSchema = z.strictObject({
  origin: origin.describe('Name of the log, for ever. A domain the agency owns, a path, a year.'),
  trust: path.describe('trust.json: what verifiers start from.'),
  manifest: path.describe('The signed key manifest.'),
  predecessor: path
    .optional()
    .describe(
      'What `holdfast end` wrote when the log before this one was ended. Archiver only, of a log that goes on from another.',
    ),
  keys: keys.default({}),
  archive: archive,
  timeStamps: z
    .array(timeStamp)
    .default([])
    .describe(
      'RFC 3161 authorities. The archiver has them stamp the daily checkpoint, whoever exports has them stamp each export.',
    ),
  witnesses: z
    .array(witness)
    .default([])
    .describe('C2SP witnesses that the archiver asks to cosign its checkpoints. Archiver only.'),
  ownWitness: ownWitness.optional(),
  redis: redis.optional(),
  spool: spool.optional(),
  connector: z
    .strictObject({
      name: label.describe('Name of this connector process; one per spool.'),
      beatEvery: duration
        .prefault('1h')
        .describe('How often it writes where its streams stand; more than 2 h is a finding.'),
      againAfter: duration.prefault('30s').describe('A batch without a receipt is sent again after this.'),
    })
    .optional()
    .describe('The process that captures.'),
  reader: reader.optional(),
  scrub: scrub.optional(),
  retention: z.array(schedule).min(1).describe('Schedules; logged, and afterwards only ever lengthened.'),
  accounts: z.array(account).default([]).describe('Accounts to capture, each on one spool only.'),
  signal: z
    .record(label, z.unknown())
    .default({})
    .describe('Signal back ends by name; see src/connectors/signal/README.md.'),
  whatsapp: z
    .record(label, z.unknown())
    .default({})
    .describe('WhatsApp settings by name, one set for all accounts mostly; see src/connectors/whatsapp/README.md.'),
  status: path
    .optional()
    .describe('Directory for status files that `holdfast accounts` reads; the spool’s or archive’s if left out.'),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least level that is written.'),
    })
    .prefault({})
    .describe('Logs go to standard error: one JSON object a line, no content, no numbers of people.'),
});

export type Config = z.output<typeof configSchema>;

/** Reads and checks the config. Every problem is named with its path, all at once. Relative paths are relative to the file. */
export function loadConfig(file: string): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Failure('config/missing', {
      expected: 'a config file',
      got: codeOf(cause),
      where: file,
      fix: 'run `holdfast init`, or name it with --config',
      cause,
    });
  }
  return parseConfig(text, file);
}

export function parseConfig(text: string, file: string): Config {
  const document = parseDocument(text, { uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const line = broken.linePos?.[0].line ?? 0;
    throw new Failure('config/yaml', {
      expected: 'YAML',
      got: `an error of kind ${broken.code}`,
      where: `${file}:${line}`,
      fix: 'correct this line or the one before it; docs/config.md shows every setting',
    });
  }
  const place = { expected: 'a valid config', where: file, fix: 'see docs/config.md' };
  const config = parseSettings(configSchema, document.toJS({ maxAliasCount: 0 }), place);
  const problems = crossCheck(config);
  if (problems.length > 0) throw invalidSettings(place, problems);
  return absolute(config, dirname(resolve(file)));
}

function crossCheck(config: Config): Problem[] {
  const problems: Problem[] = [];
  const classes = new Set(config.retention.map((entry) => entry.class));
  if (classes.size < config.retention.length) problems.push({ at: 'retention', message: 'each class once' });
  if (config.archive.url.startsWith('s3:') !== (config.archive.s3 !== undefined)) {
    problems.push({ at: 'archive.s3', message: 'needed for an s3:// archive, and only there' });
  }
  problems.push(...beyondCap(config));
  config.accounts.forEach((entry, index) => {
    if (!classes.has(entry.retention))
      problems.push({ at: `accounts.${index}.retention`, message: 'expected a class of `retention`' });
    if (!Object.hasOwn(config[entry.app], entry.backend))
      problems.push({ at: `accounts.${index}.backend`, message: `expected a back end of \`${entry.app}\`` });
  });
  if (config.reader?.retention !== undefined && !classes.has(config.reader.retention))
    problems.push({ at: 'reader.retention', message: 'expected a class of `retention`' });
  const names = config.accounts.map(({ name }) => name);
  if (new Set(names).size < names.length) problems.push({ at: 'accounts', message: 'each name once' });
  const numbers = config.accounts.map(({ app, account: id }) => `${app} ${id}`);
  if (new Set(numbers).size < numbers.length) problems.push({ at: 'accounts', message: 'each account once' });
  if (config.spool !== undefined && config.spool.alarmAt > config.spool.stopAt) {
    problems.push({ at: 'spool.alarmAt', message: 'expected at most spool.stopAt' });
  }
  return problems;
}

const DAY_MS = 86_400_000;

/** Locks of the log itself are a day longer than those of what it names. */
function beyondCap({ retention, archive: { s3 } }: Config): Problem[] {
  if (s3 === undefined) return [];
  const most = s3.maxRetainDays - 1;
  return retention.flatMap(({ period }, index) => {
    if (addPeriod(0, period) <= most * DAY_MS) return [];
    return [
      { at: `retention.${index}.period`, message: `expected at most ${most} days: archive.s3.maxRetainDays, less one` },
    ];
  });
}

function absolute(config: Config, base: string): Config {
  const at = (file: string): string => resolve(base, file);
  const optional = (file: string | undefined): string | undefined => (file === undefined ? undefined : at(file));
  const paths = <T extends object, K extends keyof T>(object: T, ...names: K[]): T => {
    const copy = { ...object };
    for (const name of names) if (typeof copy[name] === 'string') copy[name] = at(copy[name]) as T[K];
    return copy;
  };
  const webPaths = (web: WebSettings): WebSettings => ({
    ...paths(web, 'token', 'exports'),
    ...(web.tls === undefined ? {} : { tls: paths(web.tls, 'certificate', 'key') }),
    ...(web.signOn === undefined ? {} : { signOn: paths(web.signOn, 'secret', 'ca') }),
  });
  const readerPaths = (own: NonNullable<Config['reader']>): NonNullable<Config['reader']> => {
    const named = { ...paths(own, 'key', 'index', 'signing', 'spool'), earlierKeys: own.earlierKeys.map(at) };
    const { web } = named;
    return web === undefined ? named : { ...named, web: webPaths(web) };
  };
  return {
    ...config,
    trust: at(config.trust),
    manifest: at(config.manifest),
    ...(config.predecessor === undefined ? {} : { predecessor: at(config.predecessor) }),
    keys: paths(config.keys, 'log', 'archiver', 'connector', 'host', 'deployment'),
    archive:
      config.archive.s3 === undefined
        ? config.archive
        : { ...config.archive, s3: paths(config.archive.s3, 'credentials', 'ca') },
    timeStamps: config.timeStamps.map((entry) => paths(entry, 'ca')),
    ...(config.ownWitness === undefined ? {} : { ownWitness: paths(config.ownWitness, 'key', 'directory') }),
    ...(config.redis === undefined ? {} : { redis: paths(config.redis, 'password', 'ca') }),
    ...(config.spool === undefined ? {} : { spool: paths(config.spool, 'directory') }),
    ...(config.reader === undefined ? {} : { reader: readerPaths(config.reader) }),
    ...(config.scrub === undefined ? {} : { scrub: paths(config.scrub, 'state', 'signing') }),
    ...(config.status === undefined ? {} : { status: optional(config.status) as string }),
  };
}

/** A part that a role cannot do without. Throws `config/missing-part`. */
export function need<T>(value: T | undefined, at: string, role: string): T {
  if (value !== undefined) return value;
  throw new Failure('config/missing-part', {
    expected: `\`${at}\` for ${role}`,
    got: 'nothing',
    fix: `add \`${at}\` to the config; see docs/config.md`,
  });
}
