// SPDX-License-Identifier: AGPL-3.0-or-later
import { chmodSync, cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Guard, runTool } from '../services/guard.ts';

export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

interface Locked {
  readonly packages: Readonly<
    Record<
      string,
      { readonly dev?: boolean; readonly optional?: boolean; readonly peer?: boolean; readonly devOptional?: boolean }
    >
  >;
}

/** The folders that `npm ci --omit=dev --omit=optional --omit=peer` installs, by the lock file. */
export function productionFolders(): string[] {
  const { packages } = JSON.parse(readFileSync(join(PROJECT, 'package-lock.json'), 'utf8')) as Locked;
  return Object.entries(packages)
    .filter(([path, { dev, optional, peer, devOptional }]) => path !== '' && !(dev || optional || peer || devOptional))
    .map(([path]) => path);
}

/** What the container file assembles, without a container: the compiled program, what it needs to run, and this Node. */
export class Image implements AsyncDisposable {
  readonly guard: Guard;

  private constructor(guard: Guard) {
    this.guard = guard;
  }

  get app(): string {
    return join(this.guard.dir, 'app');
  }

  get node(): string {
    return join(this.guard.dir, 'node');
  }

  static async build(): Promise<Image> {
    const image = new Image(openGuard());
    mkdirSync(image.app);
    const compiler = join(PROJECT, 'node_modules', '.bin', 'tsc');
    // Types are a check of their own; what is emitted is the same.
    const options = ['-p', join(PROJECT, 'tsconfig.build.json'), '--outDir', join(image.app, 'dist'), '--noCheck'];
    await runTool(compiler, options);
    for (const folder of productionFolders()) copyPackage(join(PROJECT, folder), join(image.app, folder));
    cpSync(join(PROJECT, 'package.json'), join(image.app, 'package.json'));
    cpSync(process.execPath, image.node);
    await runTool('chmod', ['-R', 'u=rX,go=rX', image.app]);
    return image;
  }

  /** Places a file beside the program, as a mount does. */
  async mount(from: string, inside: string): Promise<void> {
    const to = join(this.app, relative('/app', inside));
    await runTool('chmod', ['u+w', this.app]);
    cpSync(from, to);
    chmodSync(to, 0o644);
    await runTool('chmod', ['u-w', this.app]);
  }

  /** The same arguments as in the image, with its two places replaced by ours. */
  placed(args: readonly string[]): string[] {
    return args.map((arg) => arg.replace('/usr/local/bin/node', this.node).replace(/(^|=)\/app\//, `$1${this.app}/`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (process.getuid?.() !== 0) await runTool('chmod', ['-R', 'u+w', this.app]).catch(() => '');
    await this.guard.end();
  }
}

/** A directory that other users find their way into; the one the test command gives its tests is private. */
function openGuard(): Guard {
  const own = process.env['TMPDIR'];
  process.env['TMPDIR'] = '/tmp';
  try {
    const guard = new Guard('image');
    chmodSync(guard.dir, 0o755);
    return guard;
  } finally {
    if (own === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = own;
  }
}

/** Without the packages inside it, which the lock file names by themselves, and without half its files, which nothing runs. */
function copyPackage(from: string, to: string): void {
  const inside = join(from, 'node_modules');
  cpSync(from, to, { recursive: true, filter: (path) => path !== inside && !/\.(?:[cm]?ts|map|md)$/.test(path) });
}

/** Runs as this user, where the tests may become others; the words in front of a command. */
export function asUser(user: string): string[] {
  if (process.getuid?.() !== 0) return [];
  const [uid = '', gid = ''] = user.split(':');
  return [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--no-new-privs',
    '--bounding-set=-all',
    '--inh-caps=-all',
  ];
}
