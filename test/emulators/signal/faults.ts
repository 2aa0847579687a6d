// SPDX-License-Identifier: AGPL-3.0-or-later

/** How an attachment file comes to be in the attachments directory. */
export type AttachmentArrival =
  | 'whole'
  /** The download failed: the envelope names it, `GET /v1/attachments/{id}` is 404 for ever. */
  | 'never'
  /** The disk was full or the daemon died while writing: the file is shorter than `size` says. */
  | { readonly truncatedTo: number }
  | { readonly afterMs: number };

interface RequestFault {
  remaining: number;
  readonly path: RegExp;
}

/** Routes whose answer comes from the daemon: only these can get lost between the daemon and the REST process. */
const daemonRoutes = /^\/v1\/(accounts|contacts|devices|groups|identities|qrcodelink)(\/|$)/;

/** The switches. All are off at first, except that slow webhooks delay REST answers, as they do in the real thing. */
export class Faults {
  /** REST answers of the daemon wait behind the messages in front of them, each with its webhook call. */
  headOfLineBlocking = true;
  /** The webhook is not called for the next N messages; `Infinity` for all. */
  webhookSkips = 0;
  /** out.log gets nothing (as with `--no-receive-stdout`). */
  journalDisabled = false;
  /** Log lines of the daemon stand in out.log before every Nth message. 0: only those that the daemon has cause for. */
  journalNoiseEvery = 0;
  /** Of every `of` frames that a socket would get, the first `drop` are lost. */
  webSocketDrop: { readonly drop: number; readonly of: number } | null = null;
  /** How long the daemon takes to answer a REST call. A restart of the daemon meanwhile leaves the call hanging. */
  daemonLatencyMs = 0;
  /** The next N messages are acknowledged, then the daemon crashes before it hands them to anyone. */
  crashesBeforeHandler = 0;
  /** `startLink` fails with this text. */
  startLinkError: string | null = null;
  /** How attachments arrive that do not say so themselves. */
  attachmentArrival: AttachmentArrival = 'whole';
  /** Normal mode: a line on standard error, spliced into the array of the answer unless it begins with INFO or WARN. */
  receiveErrorLine: string | null = null;
  /** Normal mode: signal-cli ends with an error after it printed what it got. */
  receiveExitsNonZero = false;
  /** Normal mode: signal-cli takes this long for one receive; beyond the command time limit it is killed. */
  receiveTakesMs = 0;

  /** Called when Signal's server comes back into reach. Set by the emulator. */
  onReachable: () => void = () => undefined;

  #signalReachable = true;
  #hangs: RequestFault | null = null;
  #failures: RequestFault | null = null;
  #emitted = 0;

  /** `false`: Signal's server is out of reach. Messages wait there, device lists and linking fail. */
  get signalReachable(): boolean {
    return this.#signalReachable;
  }

  set signalReachable(reachable: boolean) {
    this.#signalReachable = reachable;
    if (reachable) this.onReachable();
  }

  /** The next `count` answers on matching paths never come; the request stays open until the process ends. */
  hangAnswers(count: number, path: RegExp = daemonRoutes): void {
    this.#hangs = { remaining: count, path };
  }

  /** The next `count` answers on matching paths are 500 with an empty body. */
  failAnswers(count: number, path: RegExp = daemonRoutes): void {
    this.#failures = { remaining: count, path };
  }

  takeHang(path: string): boolean {
    return take(this.#hangs, path);
  }

  takeFailure(path: string): boolean {
    return take(this.#failures, path);
  }

  takeWebhookSkip(): boolean {
    if (this.webhookSkips <= 0) return false;
    this.webhookSkips -= 1;
    return true;
  }

  takeCrash(): boolean {
    if (this.crashesBeforeHandler <= 0) return false;
    this.crashesBeforeHandler -= 1;
    return true;
  }

  takeNoise(): boolean {
    this.#emitted += 1;
    return this.journalNoiseEvery > 0 && this.#emitted % this.journalNoiseEvery === 0;
  }
}

function take(fault: RequestFault | null, path: string): boolean {
  if (fault === null || fault.remaining <= 0 || !fault.path.test(path)) return false;
  fault.remaining -= 1;
  return true;
}
