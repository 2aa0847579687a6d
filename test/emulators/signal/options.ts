// SPDX-License-Identifier: AGPL-3.0-or-later

import type { AttachmentFile } from './attachments.ts';
import type { Mode } from './rest-routes.ts';
import type { AccountPreset, TrustMode } from './world.ts';

export interface SignalEmulatorOptions {
  /** `attachments/` and `log/out.log` live here. Created when missing, never removed. */
  readonly dataDir: string;
  /** 0 or absent: any free port, kept over restarts. */
  readonly port?: number;
  readonly mode?: Mode;
  readonly webhookUrl?: string;
  readonly accounts?: readonly AccountPreset[];
  readonly seed?: number;
  /** `version` of `/v1/about`: the build of the REST process, not of signal-cli. */
  readonly version?: string;
  readonly trustNewIdentities?: TrustMode;
  readonly journalMaxBytes?: number;
  readonly journalBackups?: number;
  /** Lines of a burst that go by while a socket gets one frame. 1 or less: every frame arrives. */
  readonly linesPerFrame?: number;
  readonly pingIntervalMs?: number;
  /** The REST process looks for the daemon this often, 15 times, then it ends with exit code 1. */
  readonly redialIntervalMs?: number;
  /** What fits between the daemon and the REST process before the daemon stops fetching. */
  readonly socketBufferBytes?: number;
  /** `SIGNAL_CLI_CMD_TIMEOUT`, normal mode. */
  readonly commandTimeoutMs?: number;
  readonly nowMs?: () => number;
}

export interface ReceiveOptions {
  /** Files for ids that the envelope lists, or more files. Those not given here are made up. */
  readonly attachments?: readonly AttachmentFile[];
  /** 2: the same line twice on every intake. */
  readonly copies?: number;
}
