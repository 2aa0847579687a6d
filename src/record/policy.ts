// SPDX-License-Identifier: Apache-2.0
import { openCheckpointOf, type Checkpoint } from './checkpoint.ts';
import { parseCosignerKey, verifyCosignatures, type Cosignature } from './cosignature.ts';
import { FormatError } from './format-error.ts';
import { parseNote, parseVerifierKey, type NoteKey } from './note.ts';

// C2SP tlog-policy: https://c2sp.org/tlog-policy

/** A witness or a group of which `least` members must have cosigned. */
type Rule = { readonly witness: NoteKey } | { readonly least: number; readonly members: readonly Rule[] };

/** Which logs are known, who witnesses them, and how many of those must have cosigned a checkpoint for it to count. */
export interface Policy {
  readonly logs: readonly NoteKey[];
  readonly witnesses: readonly NoteKey[];
  /** Addresses by key, where the policy gives them. */
  readonly urls: ReadonlyMap<NoteKey, string>;
  /** Null: no witness is asked for. */
  readonly quorum: Rule | null;
}

/** A checkpoint with those who vouch for it. */
export interface Witnessed {
  readonly checkpoint: Checkpoint;
  readonly log: NoteKey;
  readonly cosignatures: readonly Cosignature[];
}

const MAX_POLICY_CHARS = 100_000;
const MOST_DEFINITIONS = 256;
const NO_QUORUM = 'none';

function malformed(line: number, expected: string, got = 'another line'): FormatError {
  return new FormatError('format/policy', expected, line === 0 ? got : `${got} (line ${line})`);
}

/** Reads a policy file. Its names are compared as the bytes they are. Throws `format/policy`, `format/note-key` or `format/key`. */
export function parsePolicy(bytes: Uint8Array | string): Policy {
  const text = Buffer.from(bytes).toString('latin1');
  if (text.length > MAX_POLICY_CHARS) throw malformed(0, `at most ${MAX_POLICY_CHARS} bytes`, `${text.length}`);
  // eslint-disable-next-line no-control-regex
  if (/[\x00-\x08\x0b-\x1f\x7f]/.test(text)) throw malformed(0, 'no control characters but tab and newline', 'others');
  if (text !== '' && !text.endsWith('\n')) throw malformed(0, 'a newline at the end', 'none');
  const reader = new PolicyReader();
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.split(/[ \t]+/).filter((word) => word !== '');
    if (words.length > 0 && !words[0]?.startsWith('#')) reader.take(index + 1, words);
  }
  return reader.policy();
}

class PolicyReader {
  readonly #logs: NoteKey[] = [];
  readonly #witnesses: NoteKey[] = [];
  readonly #urls = new Map<NoteKey, string>();
  readonly #rules = new Map<string, Rule>();
  readonly #members = new Set<string>();
  #quorum: Rule | null | undefined;

  take(line: number, [keyword, ...words]: readonly string[]): void {
    if (this.#rules.size + this.#logs.length >= MOST_DEFINITIONS) {
      throw malformed(line, `at most ${MOST_DEFINITIONS} definitions`, 'more');
    }
    switch (keyword) {
      case 'log':
        return this.#addLog(line, words);
      case 'witness':
        return this.#addWitness(line, words);
      case 'group':
        return this.#addGroup(line, words);
      case 'quorum':
        return this.#setQuorum(line, words);
      default:
        throw malformed(line, 'log, witness, group or quorum');
    }
  }

  #addLog(line: number, [vkey, url, ...rest]: readonly string[]): void {
    if (vkey === undefined || rest.length > 0) throw malformed(line, '`log <vkey> [<url>]`');
    const key = parseVerifierKey(utf8(vkey));
    this.#assertNew(line, key, this.#logs);
    this.#logs.push(key);
    if (url !== undefined) this.#urls.set(key, utf8(url));
  }

  #addWitness(line: number, [name, vkey, url, ...rest]: readonly string[]): void {
    if (name === undefined || vkey === undefined || rest.length > 0) {
      throw malformed(line, '`witness <name> <vkey> [<url>]`');
    }
    const key = parseCosignerKey(utf8(vkey));
    this.#assertNew(line, key, this.#witnesses);
    this.#define(line, name, { witness: key });
    this.#witnesses.push(key);
    if (url !== undefined) this.#urls.set(key, utf8(url));
  }

  /** One key is one witness, whatever names it goes by. */
  #assertNew(line: number, { key }: NoteKey, known: readonly NoteKey[]): void {
    if (known.some((other) => other.key.id === key.id)) throw malformed(line, 'each key once', `${key.id} again`);
  }

  #define(line: number, name: string, rule: Rule): void {
    if (name === NO_QUORUM || this.#rules.has(name)) throw malformed(line, 'a name of its own', 'one that is taken');
    this.#rules.set(name, rule);
  }

  #addGroup(line: number, [name, least, ...names]: readonly string[]): void {
    if (name === undefined || least === undefined || names.length === 0) {
      throw malformed(line, '`group <name> all|any|<k> <name>…`');
    }
    const members = names.map((member) => this.#member(line, member));
    const count = least === 'all' ? members.length : least === 'any' ? 1 : thresholdOf(least);
    if (!(count >= 1 && count <= members.length)) throw malformed(line, `all, any, or 1 to ${members.length}`);
    this.#define(line, name, { least: count, members });
  }

  #member(line: number, name: string): Rule {
    const rule = this.#rules.get(name);
    if (rule === undefined) throw malformed(line, 'a witness or group of a line before');
    if (this.#members.has(name)) throw malformed(line, 'each name in one group only');
    this.#members.add(name);
    return rule;
  }

  #setQuorum(line: number, [name, ...rest]: readonly string[]): void {
    if (name === undefined || rest.length > 0) throw malformed(line, '`quorum <name>`');
    if (this.#quorum !== undefined) throw malformed(line, 'one quorum line', 'a second one');
    const rule = name === NO_QUORUM ? null : this.#rules.get(name);
    if (rule === undefined) throw malformed(line, 'a witness or group of a line before');
    this.#quorum = rule;
  }

  policy(): Policy {
    if (this.#quorum === undefined) throw malformed(0, 'a quorum line', 'none');
    return { logs: this.#logs, witnesses: this.#witnesses, urls: this.#urls, quorum: this.#quorum };
  }
}

function thresholdOf(text: string): number {
  return /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0;
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

/** True if those who cosigned are as many, and those, that the policy asks for. */
export function hasQuorum({ quorum }: Pick<Policy, 'quorum'>, cosigners: Iterable<NoteKey>): boolean {
  const ids = new Set([...cosigners].map(({ key }) => key.id));
  return quorum === null || holds(quorum, ids);
}

function holds(rule: Rule, ids: ReadonlySet<string>): boolean {
  if ('witness' in rule) return ids.has(rule.witness.key.id);
  return rule.members.filter((member) => holds(member, ids)).length >= rule.least;
}

/**
 * Opens a checkpoint under a policy. Throws `format/policy-unmet` where the cosignatures are fewer than its quorum, and what a note and a
 * checkpoint throw. A policy without logs accepts none here.
 */
export function openWitnessed(note: string, policy: Policy): Witnessed {
  const parsed = parseNote(note);
  const { checkpoint, log } = openCheckpointOf(parsed, policy.logs);
  const cosignatures = verifyCosignatures(parsed, policy.witnesses);
  if (
    hasQuorum(
      policy,
      cosignatures.map(({ cosigner }) => cosigner),
    )
  )
    return { checkpoint, log, cosignatures };
  throw new FormatError(
    'format/policy-unmet',
    'the quorum of the policy',
    `${cosignatures.length} cosignatures of its witnesses`,
  );
}
