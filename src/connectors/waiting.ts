// SPDX-License-Identifier: AGPL-3.0-or-later

/** Waits, unless the signal aborts first: then it throws what `stopped` makes. What has settled already counts, even then. */
export async function unlessAborted<T>(wait: Promise<T>, signal: AbortSignal, stopped: () => Error): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(stopped());
  if (signal.aborted) queueMicrotask(() => queueMicrotask(stop));
  else signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([wait, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
