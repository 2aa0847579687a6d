// SPDX-License-Identifier: AGPL-3.0-or-later
import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { SessionChange } from '../connectors/connector.ts';
import type { Hex128 } from '../record/entry-types.ts';
import { Failure } from '../base/failure.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * The messenger's session state: AES-256-GCM under the host's key, bound to account and name. It never leaves the spool.
 * A value that does not open is a fatal failure, never "no state": a messenger must not be told that it is new.
 */
export class SessionStore {
  readonly #key: KeyObject;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #names: StatementSync;

  constructor(db: DatabaseSync, hostKey: KeyObject) {
    this.#key = hostKey;
    this.#get = db.prepare('SELECT value FROM session WHERE acct = ? AND name = ?');
    this.#put = db.prepare('INSERT OR REPLACE INTO session(acct, name, value) VALUES (?, ?, ?)');
    this.#delete = db.prepare('DELETE FROM session WHERE acct = ? AND name = ?');
    this.#names = db.prepare(
      'SELECT name FROM session WHERE acct = ?1 AND name >= ?2 AND name < ?2 || char(1114111) ORDER BY name',
    );
  }

  get(acct: Hex128, name: string): Buffer | null {
    const row = this.#get.get(acct, name) as { value: Uint8Array } | undefined;
    return row === undefined ? null : this.#open(acct, name, Buffer.from(row.value));
  }

  names(acct: Hex128, prefix: string): string[] {
    return (this.#names.all(acct, prefix) as unknown as { name: string }[]).map(({ name }) => name);
  }

  /** Runs inside a transaction. */
  apply(acct: Hex128, changes: readonly SessionChange[]): void {
    for (const { name, value } of changes) {
      if (value === null) this.#delete.run(acct, name);
      else this.#put.run(acct, name, this.#seal(acct, name, value));
    }
  }

  #seal(acct: Hex128, name: string, value: Uint8Array): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    cipher.setAAD(Buffer.from(`${acct}\n${name}`));
    return Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
  }

  #open(acct: Hex128, name: string, sealed: Buffer): Buffer {
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(0, NONCE_BYTES));
      decipher.setAAD(Buffer.from(`${acct}\n${name}`));
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
      return Buffer.concat([
        decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES)),
        decipher.final(),
      ]);
    } catch (cause) {
      throw new Failure('spool/session-unreadable', {
        expected: 'session state sealed with this host key',
        got: 'a value that does not open',
        fix: 'look at the disk; if it is sound, remove the spool and link the account again',
        cause,
      });
    }
  }
}
