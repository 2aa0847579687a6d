// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import { UTC, type LocalTime } from './local-time.ts';
import { FIELDS } from './query-fields.ts';
import type { Query, QueryNode } from './query.ts';
import { askedWords } from './words.ts';

const MOST_CHARACTERS = 8000;
const MOST_TERMS = 500;
const MOST_DEPTH = 40;

type Token =
  | { readonly type: '(' | ')' | 'or' | 'and' | 'not' | 'end'; readonly at: number }
  | {
      readonly type: 'term';
      readonly at: number;
      readonly text: string;
      readonly quoted: boolean;
      readonly star: boolean;
    }
  | {
      readonly type: 'field';
      readonly at: number;
      readonly name: string;
      readonly value: string;
      readonly valueAt: number;
    };

/**
 * Reads a query, its times as clocks in `zone` show them: words that all must be there, `"phrases"`, `begin*`, `-not` or `NOT`, `OR`, parentheses, and fields such as
 * `from:`. Throws `search/query`, which says at which character what was expected; it never repeats what was asked.
 */
export function parseQuery(text: string, zone: LocalTime = UTC): Query {
  if (text.length > MOST_CHARACTERS) {
    throw wrong(MOST_CHARACTERS, `at most ${MOST_CHARACTERS} characters`, String(text.length));
  }
  const tokens = [...tokensOf(text)];
  if (tokens.length > MOST_TERMS) throw wrong(0, `at most ${MOST_TERMS} terms`, String(tokens.length));
  return { text, root: tokens.length === 1 ? null : new Parser(tokens, zone).parse() };
}

function wrong(at: number, expected: string, got: string): Failure {
  return new Failure('search/query', {
    expected,
    got,
    where: `character ${at + 1} of the query`,
    fix: 'see the query language in src/search/README.md',
  });
}

const SPACE = /\s+/y;
const QUOTED = /"([^"]*)"(\*?)/y;
const FIELD = /([A-Za-z][A-Za-z-]*):(?!\/\/)/y;
const BARE = /[^\s()"]+/y;

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

const OPERATORS: ReadonlyMap<string, 'or' | 'and' | 'not'> = new Map([
  ['OR', 'or'],
  ['|', 'or'],
  ['AND', 'and'],
  ['&', 'and'],
  ['NOT', 'not'],
]);

function* tokensOf(text: string): Generator<Token> {
  let at = 0;
  while (at < text.length) {
    const space = match(SPACE, text, at);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const { token, end } = tokenAt(text, at);
    yield token;
    at = end;
  }
  yield { type: 'end', at: text.length };
}

function tokenAt(text: string, at: number): { token: Token; end: number } {
  const character = text[at] as string;
  if (character === '(' || character === ')') return { token: { type: character, at }, end: at + 1 };
  if (character === '-' && /[^\s)]/.test(text[at + 1] ?? ' ')) return { token: { type: 'not', at }, end: at + 1 };
  if (character === '"') return quotedAt(text, at);
  const field = match(FIELD, text, at);
  if (field !== null) return fieldAt(text, at, field);
  const bare = (match(BARE, text, at) as RegExpExecArray)[0];
  const end = at + bare.length;
  const operator = OPERATORS.get(bare);
  if (operator !== undefined) return { token: { type: operator, at }, end };
  const star = bare.endsWith('*');
  const word = star ? bare.slice(0, -1) : bare;
  const inner = word.indexOf('*');
  if (inner >= 0) throw wrong(at + inner, '* at the end of a word only', 'one inside of it');
  return { token: { type: 'term', at, text: word, quoted: false, star }, end };
}

function quotedAt(text: string, at: number): { token: Token; end: number } {
  const found = match(QUOTED, text, at);
  if (found === null) throw wrong(at, 'a closing quotation mark for this one', 'the end of the query');
  const [whole, inner = '', star] = found;
  return { token: { type: 'term', at, text: inner, quoted: true, star: star === '*' }, end: at + whole.length };
}

function fieldAt(text: string, at: number, found: RegExpExecArray): { token: Token; end: number } {
  const name = (found[1] as string).toLowerCase();
  if (!Object.hasOwn(FIELDS, name)) {
    const known = Object.keys(FIELDS).map((one) => `${one}:`);
    throw wrong(at, `one of ${known.join(' ')}, or quotation marks around text with a colon`, 'another field');
  }
  const valueAt = at + found[0].length;
  const quoted = match(QUOTED, text, valueAt);
  const value = quoted?.[1] ?? match(BARE, text, valueAt)?.[0] ?? '';
  const end = valueAt + (quoted?.[0].length ?? value.length);
  if (value.trim() === '')
    throw wrong(valueAt, `a value for ${name}:`, text[valueAt] === undefined ? 'the end of the query' : 'none');
  return { token: { type: 'field', at, name, value: value.trim(), valueAt }, end };
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #zone: LocalTime;
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], zone: LocalTime) {
    this.#tokens = tokens;
    this.#zone = zone;
  }

  parse(): QueryNode {
    const node = this.#either();
    const token = this.#token();
    if (token.type !== 'end') throw wrong(token.at, 'an opening parenthesis before this closing one', 'none');
    return node;
  }

  #token(): Token {
    return this.#tokens[this.#next] as Token;
  }

  #either(): QueryNode {
    const nodes = [this.#all()];
    while (this.#token().type === 'or') {
      this.#next += 1;
      nodes.push(this.#all());
    }
    return joined('or', nodes);
  }

  #all(): QueryNode {
    const nodes = [this.#one()];
    for (;;) {
      const { type } = this.#token();
      if (type === 'and') this.#next += 1;
      else if (type === 'or' || type === ')' || type === 'end') return joined('and', nodes);
      nodes.push(this.#one());
    }
  }

  #one(): QueryNode {
    const token = this.#token();
    this.#next += 1;
    switch (token.type) {
      case 'not':
        return { op: 'not', node: this.#deeper(token.at, () => this.#one()) };
      case '(':
        return this.#deeper(token.at, () => this.#group(token.at));
      case 'term':
        return termNode(token);
      case 'field': {
        const node = (FIELDS[token.name] as (typeof FIELDS)[string])(token.value, this.#zone);
        if ('expected' in node) throw wrong(token.valueAt, node.expected, 'another value');
        return node;
      }
      case ')':
      case 'or':
      case 'and':
      case 'end':
        throw wrong(token.at, 'a word, a "phrase", a field or an opening parenthesis', NAMES[token.type]);
    }
  }

  #group(at: number): QueryNode {
    const node = this.#either();
    if (this.#token().type !== ')') throw wrong(at, 'a closing parenthesis for this one', 'the end of the query');
    this.#next += 1;
    return node;
  }

  #deeper(at: number, read: () => QueryNode): QueryNode {
    this.#depth += 1;
    if (this.#depth > MOST_DEPTH) throw wrong(at, `at most ${MOST_DEPTH} levels`, 'more');
    const node = read();
    this.#depth -= 1;
    return node;
  }
}

const NAMES = { ')': 'a closing parenthesis', or: 'OR', and: 'AND', end: 'the end of the query' } as const;

function joined(op: 'and' | 'or', nodes: readonly QueryNode[]): QueryNode {
  return nodes.length === 1 ? (nodes[0] as QueryNode) : { op, nodes };
}

function termNode({ at, text, star }: Extract<Token, { type: 'term' }>): QueryNode {
  const asked = askedWords(text, star);
  if (asked === null) throw wrong(at, 'letters, digits or an emoji', 'none of them');
  return { op: 'words', asked };
}
