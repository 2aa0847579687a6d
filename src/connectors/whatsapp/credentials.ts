// SPDX-License-Identifier: AGPL-3.0-or-later
import { BufferJSON, initAuthCreds, jidNormalizedUser, type AuthenticationCreds } from '@whiskeysockets/baileys';
import type { AccountSink, SessionChange } from '../connector.ts';
import type { OwnAddresses } from './normalise/input.ts';

/**
 * The device's identity and counters. The client changes the object in place and says so afterwards; whatever becomes durable next takes
 * the change along, so that a key is never stored without the counter that keeps its number from being given twice.
 */
export class Credentials {
  readonly value: AuthenticationCreds;
  #version = 0;
  #stored = 0;

  private constructor(value: AuthenticationCreds) {
    this.value = value;
  }

  /** Null if the account was never linked here. Throws if there is something that cannot be read. */
  static load(sink: AccountSink): Credentials | null {
    const bytes = sink.session('creds');
    return bytes === null ? null : new Credentials(decodeCredentials(bytes));
  }

  static fresh(): Credentials {
    return new Credentials(initAuthCreds());
  }

  /** Linked: the phone has signed this device. */
  get isLinked(): boolean {
    return this.value.me !== undefined && this.value.account !== undefined;
  }

  get own(): OwnAddresses {
    const { me } = this.value;
    return { pn: jidNormalizedUser(me?.id), lid: me?.lid === undefined ? null : jidNormalizedUser(me.lid) };
  }

  /** The client does not say which members it has changed. */
  touch(): void {
    this.#version += 1;
  }

  /** What is to be stored, if anything is; tell {@link stored} once it is durable. */
  pending(): { readonly version: number; readonly changes: readonly SessionChange[] } {
    const version = this.#version;
    const isStored = version === this.#stored;
    return { version, changes: isStored ? [] : [{ name: 'creds', value: encodeCredentials(this.value) }] };
  }

  stored(version: number): void {
    this.#stored = Math.max(this.#stored, version);
  }
}

export function encodeCredentials(creds: AuthenticationCreds): Uint8Array {
  return Buffer.from(JSON.stringify(creds, BufferJSON.replacer));
}

function decodeCredentials(bytes: Uint8Array): AuthenticationCreds {
  return JSON.parse(Buffer.from(bytes).toString('utf8'), BufferJSON.reviver) as AuthenticationCreds;
}
