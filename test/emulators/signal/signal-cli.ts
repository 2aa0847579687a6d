// SPDX-License-Identifier: AGPL-3.0-or-later

import type { AttachmentFile, AttachmentStore } from './attachments.ts';
import type { Faults } from './faults.ts';
import { frameOf, type Frame } from './frame.ts';
import { newMessage, type DropReason, type EmulatedMessage } from './history.ts';
import type { Journal } from './journal.ts';
import { dropReason } from './policy.ts';
import type { Line } from './receive-loop.ts';
import type { World } from './world.ts';

/** A message on its way from Signal's server. */
export interface Parcel {
  readonly frame: Frame;
  readonly message: EmulatedMessage;
  readonly attachments: readonly AttachmentFile[];
  /** How often the daemon hands it on; 2 is a duplicate. */
  readonly copies: number;
  /** The read loop is through with it, or nobody will ever see it. */
  readonly done: () => void;
}

/** The connection to the REST process. */
export interface Connection {
  readonly hasRoom: boolean;
  push(line: Line): void;
}

export interface SignalCliParts {
  readonly world: World;
  readonly faults: Faults;
  readonly journal: Journal;
  readonly attachments: AttachmentStore;
  readonly messages: EmulatedMessage[];
  readonly onCrash: () => void;
}

/**
 * signal-cli with Signal's server behind it. It fetches, acknowledges, and only then hands on: to out.log first, then to
 * the REST process. It goes on fetching while the REST process is away.
 */
export class SignalCli {
  /** `null`: nobody is connected, messages go to out.log alone. */
  connection: Connection | null = null;
  readonly #parts: SignalCliParts;
  readonly #withheld: Parcel[] = [];
  readonly #toRetry = new Set<string>();
  #waiting: Parcel[] = [];
  #isRunning = false;

  constructor(parts: SignalCliParts) {
    this.#parts = parts;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  start(): void {
    this.#isRunning = true;
    this.#log('INFO  DaemonCommand - Starting daemon in multi-account mode');
    for (const parcel of this.#withheld) this.#toRetry.add(parcel.frame.account);
    for (const account of this.#toRetry) this.#retryWithheld(account);
    this.pump();
  }

  stop(): void {
    this.#isRunning = false;
    this.connection = null;
    // A caller must not wait for a message that stays on the server for now.
    for (const parcel of this.#waiting) parcel.done();
  }

  /** Messages arrive at Signal's server. */
  send(parcels: readonly Parcel[]): void {
    for (const parcel of parcels) {
      this.#parts.messages.push(parcel.message);
      if (this.#parts.world.registeredAccount(parcel.frame.account) === undefined) {
        parcel.message.state = 'undeliverable';
        parcel.done();
      } else {
        this.#waiting.push(parcel);
      }
    }
    this.pump();
  }

  /** Fetches what can be fetched now. */
  pump(): void {
    while (this.#isRunning && this.#parts.faults.signalReachable && (this.connection?.hasRoom ?? true)) {
      const parcel = this.#waiting.shift();
      if (parcel === undefined) return;
      this.#retryWithheld(parcel.frame.account);
      const accepted = this.#accept(parcel);
      if (accepted !== null) this.#handOn(accepted);
      else parcel.done();
    }
    if (!this.#isRunning || !this.#parts.faults.signalReachable) for (const parcel of this.#waiting) parcel.done();
  }

  /** Normal mode: fetches one message of an account, `undefined` when none is there that yields a frame. */
  take(account: string): Parcel | undefined {
    if (!this.#parts.faults.signalReachable) return undefined;
    for (let at = this.#indexOf(account); at >= 0; at = this.#indexOf(account)) {
      const [parcel] = this.#waiting.splice(at, 1);
      const accepted = parcel === undefined ? null : this.#accept(parcel);
      parcel?.done();
      if (accepted !== null) return accepted;
    }
    return undefined;
  }

  /** The account was unlinked: Signal's server drops what it kept for this device. */
  forget(account: string): void {
    const [gone, rest] = [[] as Parcel[], [] as Parcel[]];
    for (const parcel of this.#waiting) (parcel.frame.account === account ? gone : rest).push(parcel);
    this.#waiting = rest;
    for (const parcel of gone) {
      parcel.message.state = 'undeliverable';
      parcel.done();
    }
  }

  /** An identity was trusted: the messages withheld for it come with the next turn of the receive loop. */
  retryLater(account: string): void {
    this.#toRetry.add(account);
  }

  /** Acknowledges, then decides. Returns what is to be handed on: the message, an exception in its place, or nothing. */
  #accept(parcel: Parcel): Parcel | null {
    const { frame, message } = parcel;
    message.state = 'acknowledged';
    const reason = dropReason(this.#parts.world, frame);
    if (reason === 'untrusted-identity') return this.#withhold(parcel);
    if (reason === null) {
      this.#parts.attachments.download(frame.attachments, parcel.attachments);
      if (!this.#parts.faults.takeCrash()) return parcel;
    }
    message.dropped = reason ?? 'crash-before-handler';
    if (reason === null) this.#parts.onCrash();
    else this.#logDrop(reason, frame);
    return null;
  }

  #withhold(parcel: Parcel): Parcel {
    parcel.message.dropped = 'untrusted-identity';
    this.#withheld.push(parcel);
    const { account, facts, header } = parcel.frame;
    const type = 'UntrustedIdentityException';
    const exception = { message: `Untrusted identity: ${facts.sourceUuid ?? ''}`, type };
    const frame = frameOf(account, { exception, envelope: header });
    const message = newMessage(account, facts.timestamp, frame.params);
    message.state = 'acknowledged';
    this.#parts.messages.push(message);
    return { frame, message, attachments: [], copies: 1, done: parcel.done };
  }

  #retryWithheld(account: string): void {
    if (!this.#toRetry.delete(account)) return;
    for (const parcel of this.#withheld.splice(0)) {
      if (parcel.frame.account !== account || dropReason(this.#parts.world, parcel.frame) !== null) {
        this.#withheld.push(parcel);
        continue;
      }
      parcel.message.dropped = null;
      this.#parts.attachments.download(parcel.frame.attachments, parcel.attachments);
      this.#handOn(parcel);
    }
  }

  #handOn(parcel: Parcel): void {
    const { frame, message } = parcel;
    for (let copy = 1; copy <= parcel.copies; copy += 1) {
      if (this.#parts.faults.takeNoise()) this.#logNoise();
      if (!this.#parts.faults.journalDisabled) {
        this.#parts.journal.writeLine(frame.params);
        message.journal += 1;
      }
      const done = copy === parcel.copies ? parcel.done : (): void => undefined;
      if (this.connection === null) done();
      else this.connection.push({ kind: 'message', frame, message, done });
    }
  }

  #indexOf(account: string): number {
    return this.#waiting.findIndex((parcel) => parcel.frame.account === account);
  }

  #logDrop(reason: DropReason, frame: Frame): void {
    const at = String(frame.facts.timestamp);
    this.#log(
      reason === 'blocked-contact' || reason === 'blocked-group'
        ? `INFO  IncomingMessageHandler - Ignoring a message from blocked user/group: ${at}`
        : `INFO  IncomingMessageHandler - Ignoring a group message from an unauthorized sender (no member or admin): ${frame.facts.source ?? ''} ${at}`,
    );
  }

  #logNoise(): void {
    this.#log('WARN  ReceiveHelper - Connection closed unexpectedly, reconnecting in 100 ms');
    this.#log('INFO  AccountHelper - The Signal protocol expects that incoming messages are regularly received.');
  }

  #log(line: string): void {
    if (!this.#parts.faults.journalDisabled) this.#parts.journal.writeLine(line);
  }
}
