// SPDX-License-Identifier: Apache-2.0
import { canonicalize, parseCanonical, type Json } from './canonical.ts';
import type { Hex128, Hex256, StreamHead } from './entry-types.ts';
import { FormatError } from './format-error.ts';
import { leafHash, type Hash } from './hash.ts';
import { RangeBuilder, rootOf } from './merkle.ts';
import { APPS, STREAM_ROLES, type App, type StreamRole } from './vocabulary.ts';

const MAGIC = 'holdfast heads v1';
const HEAD_MEMBERS = 'docs,leaves,origin,rules,streams';
const STATE_MEMBERS = 'acct,app,at,closed,gen,id,key,leaf,role,seq,stream';
const SECONDS = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const HEX_128 = /^[0-9a-f]{32}$/;
const HEX_256 = /^[0-9a-f]{64}$/;

/** Where one stream stands. */
export interface StreamState extends StreamHead {
  readonly acct: Hex128;
  readonly app: App;
  readonly role: StreamRole;
  readonly gen: number;
  readonly key: Hex128;
  /** Leaf number of the record `id`. */
  readonly leaf: number;
  readonly closed: boolean;
  /** Time of the record `id`. */
  readonly at: string;
}

/** All streams as of the first `leaves` leaves, with the documents and entries then in force: a place to start reading from. */
export interface Heads {
  readonly origin: string;
  readonly leaves: number;
  /** Signed manifests, the one in force last. */
  readonly docs: readonly string[];
  /** The `key` entries of `docs`, in their order, and the `store` and `retention` entries in force. */
  readonly rules: readonly string[];
  /** In ascending order of stream id. */
  readonly streams: readonly StreamState[];
}

export function encodeHeads({ origin, leaves, docs, rules, streams }: Heads): Buffer {
  const counts = canonicalize({ docs: docs.length, leaves, origin, rules: rules.length, streams: streams.length });
  const states = streams.map((state) => canonicalize(state as unknown as Json));
  return Buffer.from(`${[MAGIC, counts, ...docs, ...rules, ...states].join('\n')}\n`);
}

export function parseHeads(bytes: Buffer): Heads {
  const [magic, counts = '', ...lines] = decodeText(bytes).split('\n');
  if (magic !== MAGIC || lines.pop() !== '')
    throw new FormatError('format/heads', `a first line "${MAGIC}"`, 'another');
  const { docs, leaves, origin, rules, streams } = members(counts, HEAD_MEMBERS);
  if (![docs, leaves, rules, streams].every(isCount) || typeof origin !== 'string') {
    throw new FormatError('format/heads', 'counts of docs, rules and streams', 'another line');
  }
  const rulesFrom = docs as number;
  const streamsFrom = rulesFrom + (rules as number);
  if (lines.length !== streamsFrom + (streams as number)) {
    throw new FormatError('format/heads', `${streamsFrom + (streams as number)} lines`, String(lines.length));
  }
  const states = lines.slice(streamsFrom).map(parseState);
  states.forEach(({ stream }, index) => {
    const before = states[index - 1];
    if (before !== undefined && before.stream >= stream) {
      throw new FormatError('format/heads', 'streams in ascending order, each once', 'another order');
    }
  });
  return {
    origin,
    leaves: leaves as number,
    docs: lines.slice(0, rulesFrom),
    rules: lines.slice(rulesFrom, streamsFrom),
    streams: states,
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeText(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new FormatError('format/heads', 'UTF-8 text', 'other bytes');
  }
}

/** The object of a canonical line with exactly these members. */
function members(line: string, names: string): Readonly<Record<string, Json>> {
  const value = parseCanonical(line);
  if (typeof value !== 'object' || value === null || Object.keys(value).join() !== names) {
    throw new FormatError('format/heads', `an object of ${names}`, 'another value');
  }
  return value as Readonly<Record<string, Json>>;
}

function isCount(value: Json | undefined): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function parseState(line: string): StreamState {
  const state = members(line, STATE_MEMBERS);
  const numbers = [state['gen'], state['leaf'], state['seq']].every(isCount);
  const ids = [state['acct'], state['key'], state['stream']].every((value) => matches(HEX_128, value));
  const words = APPS.includes(state['app'] as App) && STREAM_ROLES.includes(state['role'] as StreamRole);
  const rest = matches(HEX_256, state['id']) && typeof state['closed'] === 'boolean' && matches(SECONDS, state['at']);
  if (!numbers || !ids || !words || !rest)
    throw new FormatError('format/heads', 'the state of a stream', 'another line');
  return state as unknown as StreamState;
}

function matches(pattern: RegExp, value: Json | undefined): boolean {
  return typeof value === 'string' && pattern.test(value);
}

/** RFC 6962 root over the lines `stream seq id`, in ascending order of stream: what a `heads` entry states. */
export function headsRoot(streams: readonly Pick<StreamHead, 'stream' | 'seq' | 'id'>[]): Hash {
  const tree = new RangeBuilder(0);
  for (const { stream, seq, id } of streams) tree.appendLeaf(leafHash(Buffer.from(`${stream} ${seq} ${id}\n`)));
  return rootOf(tree.range());
}

export function headsRootHex(streams: readonly StreamHead[]): Hex256 {
  return headsRoot(streams).toString('hex');
}
