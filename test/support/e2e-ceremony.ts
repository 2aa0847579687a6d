// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runHoldfast, type Finished, type Surroundings } from './e2e-process.ts';
import type { ReaderKey } from './e2e-archive.ts';

/** What every holder of a key keeps on a machine of their own, and what they give to each other. */
export interface Ceremony {
  readonly origin: string;
  readonly dir: string;
  readonly trust: string;
  readonly manifest: string;
  readonly reader: ReaderKey;
  /** Directory of one holder. */
  readonly holder: (name: Holder) => string;
}

export const HOLDERS = {
  records: ['root'],
  archiver: ['log', 'archiver'],
  connector: ['connector', 'host', 'deployment'],
  legal: ['reader'],
  vault: ['escrow'],
} as const;
export type Holder = keyof typeof HOLDERS;

/** Every role makes its key where it is held; the root signs which of them count. All through the command line. */
export async function holdCeremony(surroundings: Surroundings, origin: string, name = 'ceremony'): Promise<Ceremony> {
  const dir = join(surroundings.guard.dir, name);
  const { holder } = ceremonyIn(dir, origin);
  const keygens = Object.entries(HOLDERS).flatMap(([one, roles]) => {
    mkdirSync(holder(one as Holder), { recursive: true });
    return roles.map((role) => runHoldfast(['keygen', role, '--out', holder(one as Holder)], surroundings));
  });
  for (const keygen of await Promise.all(keygens)) assertDone(keygen);
  const pub = (one: Holder, role: string): string => join(holder(one), `${role}.pub`);
  const office = join(dir, 'office');
  assertDone(
    await runHoldfast(
      [
        'init',
        office,
        '--origin',
        origin,
        '--root-key',
        join(holder('records'), 'root.key'),
        '--reader',
        pub('legal', 'reader'),
        '--escrow',
        pub('vault', 'escrow'),
        '--log',
        pub('archiver', 'log'),
        '--archiver',
        pub('archiver', 'archiver'),
        '--connector',
        `connector=${pub('connector', 'connector')}`,
      ],
      surroundings,
    ),
  );
  return ceremonyIn(dir, origin);
}

function ceremonyIn(dir: string, origin: string): Ceremony {
  const holder = (one: Holder): string => join(dir, one);
  return {
    origin,
    dir,
    holder,
    trust: join(dir, 'office', 'trust.json'),
    manifest: join(dir, 'office', 'manifest.json'),
    reader: { privateFile: join(holder('legal'), 'reader.key'), publicFile: join(holder('legal'), 'reader.pub') },
  };
}

const SHARED_ORIGIN = 'agency.example/holdfast/2026';

let sharing: Promise<Ceremony> | null = null;

/** One ceremony for all test files of a run: it takes a process for every key. Each deployment has an archive of its own. */
export function sharedCeremony(surroundings: Surroundings): Promise<Ceremony> {
  return (sharing ??= findOrHold(surroundings));
}

async function findOrHold(surroundings: Surroundings): Promise<Ceremony> {
  // The parent is the test runner, so that no run finds the keys of another.
  const shared = join(tmpdir(), `holdfast-e2e-ceremony-${process.ppid}`);
  if (!existsSync(shared)) {
    const { dir } = await holdCeremony(surroundings, SHARED_ORIGIN);
    try {
      renameSync(dir, shared);
    } catch (error) {
      if (!existsSync(shared)) throw error;
    }
  }
  return ceremonyIn(shared, SHARED_ORIGIN);
}

export function assertDone({ code, stdout, stderr }: Finished): void {
  if (code !== 0) throw new Error(`ended with ${code}:\n${stdout}${stderr}`);
}
