// SPDX-License-Identifier: AGPL-3.0-or-later
import { pino, type Logger } from 'pino';
import { wantsColour } from './environment.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** Values a log line may carry: counts, codes, pseudonyms, labels, and the words of a failure. There is no member for other text. */
export type LogFields = Readonly<Record<string, number | boolean | null | Code | Words>>;
/** Words that a failure says of itself, which hold nothing that a person wrote. */
export interface Words {
  readonly words: string;
}
/** A word of ours: letters, digits and a few signs; never something a person wrote. */
export type Code = string & { readonly Code: unique symbol };

const CODE = /^[A-Za-z0-9][A-Za-z0-9._/:-]{0,79}$/;

/** Lets a string into a log line if it is a word of ours; anything else becomes its length. */
export function code(text: string): Code {
  return (CODE.test(text) ? text : `(${text.length}-characters)`) as Code;
}

const MOST_WORDS = 240;
/** Numbers of people and addresses, with what hangs on them; keys, hashes and places in a log do not look like this. */
const OF_PEOPLE = /\S*(?:\+\d|@)\S*/g;

function isWords(value: unknown): value is Words {
  return typeof value === 'object' && value !== null && 'words' in value && typeof value.words === 'string';
}

/** Our own sentences as one line of plain characters. Whatever looks like somebody's number or address goes by its length alone. */
function plainWords({ words }: Words): string {
  const plain = words.replaceAll(/[^ -~]+/g, '·').replaceAll(OF_PEOPLE, (found) => `(${found.length}-characters)`);
  return plain.length <= MOST_WORDS ? plain : `${plain.slice(0, MOST_WORDS)} (${plain.length}-characters)`;
}

/** What really goes out: types are checked again here, because a log is for ever and a cast is quickly written. */
function allowed(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (isWords(value)) return [name, plainWords(value)];
      const plain = typeof value === 'number' || typeof value === 'boolean' || value === null;
      return [name, plain ? value : code(String(value))];
    }),
  );
}

export interface Log {
  write(level: LogLevel, event: string, fields: LogFields): void;
}

/** Where lines go; a terminal says so. */
export interface LogStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** One JSON object a line on standard error; a short coloured line where a person looks at a terminal. */
export function openLog(level: LogLevel, stream: LogStream = process.stderr): Log {
  if (wantsColour(stream.isTTY === true)) return terminalLog(level, stream);
  const destination = { write: (line: string): void => void stream.write(line) };
  const logger: Logger = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, messageKey: 'event' },
    destination,
  );
  return { write: (at, event, fields) => logger[at](allowed(fields), event) };
}

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const COLOUR: Record<LogLevel, string> = { debug: '2', info: '36', warn: '33', error: '31' };

function terminalLog(level: LogLevel, stream: LogStream): Log {
  return {
    write: (at, event, fields) => {
      if (RANK[at] < RANK[level]) return;
      const time = new Date().toISOString().slice(11, 19);
      const rest = Object.entries(allowed(fields)).map(
        ([name, value]) => ` \u001B[2m${name}=\u001B[0m${String(value)}`,
      );
      stream.write(`\u001B[2m${time}\u001B[0m \u001B[${COLOUR[at]}m${event}\u001B[0m${rest.join('')}\n`);
    },
  };
}
