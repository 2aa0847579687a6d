// SPDX-License-Identifier: AGPL-3.0-or-later

import { setTimeout as delay } from 'node:timers/promises';
import type { Faults } from './faults.ts';
import { errorReply, textReply, type Reply } from './reply.ts';
import type { Parcel } from './signal-cli.ts';
import type { World } from './world.ts';

export interface NormalReceiveParts {
  readonly world: World;
  readonly faults: Faults;
  /** Fetches and acknowledges one message of the account, if one is there. */
  readonly take: (account: string) => Parcel | undefined;
  /** `SIGNAL_CLI_CMD_TIMEOUT`. */
  readonly commandTimeoutMs: number;
}

interface ReceiveRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

const flags = ['ignore_attachments', 'ignore_stories', 'ignore_avatars', 'ignore_stickers', 'send_read_receipts'];
const pollMs = 5;

/**
 * `GET /v1/receive/{number}` in normal mode: one run of signal-cli per request, its output as the answer. Everything it
 * printed is acknowledged already, whatever becomes of the answer.
 */
export class NormalReceive {
  readonly #parts: NormalReceiveParts;

  constructor(parts: NormalReceiveParts) {
    this.#parts = parts;
  }

  async answer(request: ReceiveRequest): Promise<Reply> {
    const timeout = request.query.get('timeout') ?? '1';
    if (!isInt32(timeout)) return errorReply(400, "Couldn't process request - timeout needs to be numeric!");
    const maxMessages = request.query.get('max_messages') ?? '0';
    if (!isInt32(maxMessages)) return errorReply(400, "Couldn't process request - max_messages needs to be numeric!");
    for (const name of flags) {
      const value = request.query.get(name) ?? 'false';
      if (value !== 'true' && value !== 'false') {
        return errorReply(400, `Couldn't process request - ${name} parameter needs to be either 'true' or 'false'`);
      }
    }
    const number = request.params['number'] ?? '';
    if (this.#parts.world.registeredAccount(number) === undefined) {
      return errorReply(400, `User ${number} is not registered.\n`);
    }
    return await this.#run(number, Number(timeout) * 1000, Number(maxMessages));
  }

  async #run(number: string, timeoutMs: number, maxMessages: number): Promise<Reply> {
    const startedMs = performance.now();
    const elapsedMs = (): number => performance.now() - startedMs;
    const { commandTimeoutMs, faults } = this.#parts;
    const taken: Parcel[] = [];
    let lastMs = 0;
    // signal-cli ends when nothing came for the timeout, or when it has its number of messages.
    while (elapsedMs() - lastMs < timeoutMs && (maxMessages <= 0 || taken.length < maxMessages)) {
      const parcel = this.#parts.take(number);
      if (parcel !== undefined) {
        taken.push(parcel);
        lastMs = elapsedMs();
      } else {
        await delay(pollMs);
      }
      if (elapsedMs() >= commandTimeoutMs) return killed();
    }
    const restMs = Math.max(0, faults.receiveTakesMs - elapsedMs());
    const isKilled = elapsedMs() + restMs >= commandTimeoutMs;
    await delay(isKilled ? commandTimeoutMs - elapsedMs() : restMs);
    return isKilled ? killed() : this.#output(taken);
  }

  #output(taken: readonly Parcel[]): Reply {
    const { receiveErrorLine, receiveExitsNonZero } = this.#parts.faults;
    const lines = taken.flatMap((parcel) => Array.from({ length: parcel.copies }, () => parcel.frame.params));
    if (receiveErrorLine !== null) lines.push(receiveErrorLine);
    if (receiveExitsNonZero) return errorReply(400, lines.map((line) => `${line}\n`).join(''));
    const shown = lines.filter((line) => !line.startsWith('INFO') && !line.startsWith('WARN'));
    return {
      ...textReply(200, `[${shown.join(',')}]`),
      onSent: () => {
        for (const parcel of taken) parcel.message.receiveApi += parcel.copies;
      },
    };
  }
}

function killed(): Reply {
  return errorReply(400, 'process killed as timeout reached');
}

function isInt32(text: string): boolean {
  return /^[+-]?[0-9]+$/.test(text) && Math.abs(Number(text)) <= 0x7fff_ffff;
}
