// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHmac, type KeyObject } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Failure, type FailureCode } from '../base/failure.ts';
import { sha256Hex } from '../record/hash.ts';

export type MetaName = 'checkpoint' | 'earlier' | 'readback' | 'intakes' | 'unasked' | OwnerName;
type OwnerName = 'origin' | 'host' | 'deployment';

const SUM_DIGITS = 16;

/** Single values of the spool, each behind its own hash: one that rotted counts as absent. */
export class Meta {
  readonly #get: StatementSync;
  readonly #set: StatementSync;
  readonly #remove: StatementSync;

  constructor(db: DatabaseSync) {
    this.#get = db.prepare('SELECT value FROM meta WHERE name = ?');
    this.#remove = db.prepare('DELETE FROM meta WHERE name = ?');
    this.#set = db.prepare('INSERT OR REPLACE INTO meta(name, value) VALUES (?, ?)');
  }

  get(name: MetaName): string | null {
    const value = (this.#get.get(name) as { value: string } | undefined)?.value ?? '';
    const text = value.slice(SUM_DIGITS);
    return value !== '' && value.slice(0, SUM_DIGITS) === sumOf(name, text) ? text : null;
  }

  /** Runs inside a transaction. */
  set(name: MetaName, text: string): void {
    this.#set.run(name, sumOf(name, text) + text);
  }

  /** Runs inside a transaction. */
  remove(name: MetaName): void {
    this.#remove.run(name);
  }
}

function sumOf(name: MetaName, text: string): string {
  return sha256Hex(`${name}\n${text}`).slice(0, SUM_DIGITS);
}

export interface Owner {
  readonly origin: string;
  readonly hostKey: KeyObject;
  readonly deploymentKey: KeyObject;
}

/**
 * A spool belongs to one log, one host key and one deployment. With another host key session state would look absent, with another
 * deployment key every account would look new, and with another log nothing could be archived: all three end the start.
 */
export function assertOwner(db: DatabaseSync, meta: Meta, { origin, hostKey, deploymentKey }: Owner): void {
  const own: Record<OwnerName, string> = {
    origin,
    host: fingerprint(hostKey, 'host'),
    deployment: fingerprint(deploymentKey, 'deployment'),
  };
  for (const name of Object.keys(own) as OwnerName[]) {
    const known = meta.get(name);
    if (known !== null && known !== own[name]) throw foreign(name);
  }
  db.exec('BEGIN');
  for (const name of Object.keys(own) as OwnerName[]) if (meta.get(name) === null) meta.set(name, own[name]);
  db.exec('COMMIT');
}

/** Keyed, so that the spool's disk tells nothing about the key. */
function fingerprint(key: KeyObject, name: OwnerName): string {
  return createHmac('sha256', key).update(`holdfast spool ${name} v1`).digest('hex').slice(0, 32);
}

const FOREIGN: Readonly<Record<OwnerName, { code: FailureCode; expected: string; fix: string }>> = {
  origin: {
    code: 'spool/other-log',
    expected: 'a spool that writes to this log',
    fix: 'give every log a spool directory of its own',
  },
  host: {
    code: 'spool/session-unreadable',
    expected: 'session state sealed with this host key',
    fix: 'give this spool the host key it was made with',
  },
  deployment: {
    code: 'spool/other-deployment',
    expected: 'a spool made with this deployment key',
    fix: 'give all connectors of a deployment the same deployment key',
  },
};

function foreign(name: OwnerName): Failure {
  const { code, expected, fix } = FOREIGN[name];
  return new Failure(code, { expected, got: 'one made for another', fix });
}
