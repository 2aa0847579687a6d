// SPDX-License-Identifier: AGPL-3.0-or-later
import { parentPort, workerData } from 'node:worker_threads';
import type { Audit } from '../access/audit.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { PreparedExport, type ExportProgress } from '../export/export.ts';
import { LocalTime } from '../search/local-time.ts';
import { SqliteSnapshot } from '../search/sqlite-snapshot.ts';
import type { ExportReply, ExportWord, ExportWorkerData } from './export-thread.ts';
import { plainFailure } from './plain-failure.ts';
import { openerOf } from './reader-keys.ts';
import { openReader } from './readers.ts';
import { stampFolder } from './stamp.ts';
import { readTrust } from './trusted.ts';
import { VERSION } from './version.ts';

/** Progress is said so often, and whenever a step begins. */
const EVERY_MS = 100;

const { index, archive, s3, trust: trustFile, keys, timeStamps, request, out } = workerData as ExportWorkerData;

function say(word: ExportWord): void {
  parentPort?.postMessage(word);
}

/** Asked of the process: the spool that what readers do is recorded in is held by it. One question at a time. */
const audit: Pick<Audit, 'record'> = {
  record: (deeds) =>
    new Promise((resolve, reject) => {
      parentPort?.once('message', (reply: ExportReply) => {
        if (reply.recorded) resolve();
        else reject(new Failure(reply.failed.code, reply.failed.detail));
      });
      say({ said: 'record', deeds });
    }),
};

let [step, saidMs] = ['', 0];
function onProgress(progress: ExportProgress): void {
  const nowMs = performance.now();
  if (progress.step === step && nowMs - saidMs < EVERY_MS && progress.done < progress.total) return;
  [step, saidMs] = [progress.step, nowMs];
  say({ said: 'progress', progress });
}

async function write(): Promise<void> {
  await using parts = new AsyncDisposableStack();
  const snapshot = parts.use(SqliteSnapshot.open(index));
  const { reader } = parts.use(await openReader(archive, s3));
  const options = { ...request, zone: new LocalTime(request.zone) };
  const trust = readTrust(trustFile);
  const made = { snapshot, reader, trust, audit, version: VERSION, opener: () => openerOf(keys) };
  const prepared = await PreparedExport.choose(made, options, onProgress);
  say({ said: 'estimate', estimate: prepared.estimate });
  await prepared.write(out, onProgress);
}

try {
  await write();
  // The export is whole from here on: whatever fails is done again by `holdfast export stamp`.
  await stampFolder(out, { timeStamps, archive, s3, trust: trustFile }).catch(() => undefined);
  say({ said: 'done' });
} catch (error) {
  if (error instanceof Failure) say({ said: 'failed', failed: plainFailure(error) });
  else say({ said: 'threw', name: codeOf(error) });
}
