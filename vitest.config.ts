// SPDX-License-Identifier: AGPL-3.0-or-later

import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';

const FAULTS = 'test/faults-long/**';

/** `--mode faults` runs the long fault runs, anything else all other tests. */
export default defineConfig(({ mode }) => {
  const isFaults = mode === 'faults';
  return {
    test: {
      include: [isFaults ? `${FAULTS}/*.test.ts` : 'test/**/*.test.ts'],
      exclude: isFaults ? configDefaults.exclude : [...configDefaults.exclude, FAULTS],
      // Processes, because tests end by signal, fill file descriptors and load what must not be loaded twice.
      pool: 'forks',
      // One more than processors: many tests wait for a disk, a service or a process that they killed.
      maxWorkers: availableParallelism() + 1,
      testTimeout: isFaults ? 30 * 60_000 : 60_000,
      hookTimeout: 60_000,
      teardownTimeout: 20_000,
    },
  };
});
