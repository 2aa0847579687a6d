// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { VERSION } from '../../src/main/version.ts';
import { configReference } from './config-reference.ts';
import { read, ROOT, treeFiles } from './files.ts';

const files = treeFiles();
const sources = files.filter((file) => /^(?:src|test|bench|deploy)\/.*\.ts$/.test(file));
const manifest = JSON.parse(read('package.json')) as {
  version: string;
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
};

describe('every source file', () => {
  it('names its licence in its first line', () => {
    const wrong = sources.filter((file) => {
      const licence = /^src\/(?:record|verify)\//.test(file) ? 'Apache-2.0' : 'AGPL-3.0-or-later';
      const [first = '', second = ''] = read(file).split('\n');
      return (first.startsWith('#!') ? second : first) !== `// SPDX-License-Identifier: ${licence}`;
    });
    expect(wrong).toEqual([]);
  });

  it('is named in kebab case, and none is a drawer for odds and ends', () => {
    const wrong = sources.filter(
      (file) => !/^(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test|\.bench)?\.ts$/.test(file),
    );
    expect(wrong).toEqual([]);
    expect(sources.filter((file) => /(?:^|\/)(?:utils?|helpers?|common|misc)\.ts$/.test(file))).toEqual([]);
  });

  it('leaves the environment to one file', () => {
    const readers = sources.filter((file) => file.startsWith('src/') && /process\.env\b/.test(read(file)));
    expect(readers).toEqual(['src/base/environment.ts']);
  });

  it('ends a process in one place, when every part is disposed', () => {
    const enders = sources.filter((file) => file.startsWith('src/') && /process\.exit\(/.test(read(file)));
    expect(enders).toEqual(['src/base/run.ts']);
  });

  it('skips no test and leaves no note to do later', () => {
    const pattern = new RegExp(
      ['\\b(?:it|describe|test)\\.(?:sk', 'ip|to', 'do|on', 'ly)\\b|TO', 'DO|FIX', 'ME'].join(''),
    );
    expect(sources.filter((file) => pattern.test(read(file)))).toEqual([]);
  });
});

describe('the package', () => {
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };

  it('pins every dependency exactly', () => {
    expect(Object.values(all).filter((version) => !/^\d+\.\d+\.\d+(?:-rc\d+)?$/.test(version))).toEqual([]);
  });

  it('gives a reason for every dependency', () => {
    const reasons = read('docs/decisions/dependencies.md');
    expect(Object.keys(all).filter((name) => !reasons.includes(name))).toEqual([]);
  });

  it('needs no install script and names no download address', () => {
    const lock = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { resolved?: string; hasInstallScript?: boolean; link?: boolean }>;
    };
    const entries = Object.entries(lock.packages);
    expect(entries.filter(([, entry]) => entry.resolved !== undefined).map(([name]) => name)).toEqual([]);
    const scripts = entries
      .filter(([, entry]) => entry.hasInstallScript === true)
      .map(([name]) => name.replace('node_modules/', ''));
    const refused = Object.keys(
      (JSON.parse(read('package.json')) as { allowScripts: Record<string, boolean> }).allowScripts,
    );
    expect(scripts.filter((name) => !refused.includes(name) && name !== 'fsevents')).toEqual([]);
  });

  it('has one version', () => {
    expect(VERSION).toBe(manifest.version);
    expect(read('CHANGELOG.md')).toContain(`## ${manifest.version}`);
  });
});

describe('the documents', () => {
  it('describe the configuration as it is, and every setting', () => {
    expect(read('docs/config.md')).toBe(configReference());
    expect(
      read('docs/config.md')
        .split('\n')
        .filter((line) => /\| {2}\|$/.test(line)),
    ).toEqual([]);
  });

  it('link to files that are there', () => {
    const dead = files
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) =>
        [...read(file).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, target]) => ({ file, target: target ?? '' })),
      )
      .filter(({ file, target }) => {
        const path = new URL(target, `file:///${file}`).pathname.slice(1).replace(/\/$/, '');
        return !files.some((known) => known === path || known.startsWith(`${path}/`));
      });
    expect(dead).toEqual([]);
  });

  it('name tests that are there', () => {
    const named = [...read('docs/threat-model.md').matchAll(/`(test\/[\w/.-]+)`/g)].map(([, path]) => path ?? '');
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !files.some((file) => file === path || file.startsWith(`${path}/`)))).toEqual([]);
  });

  it('show in the README the folders that are there', () => {
    const steps = readdirSync(`${ROOT}src`).filter((name) => !['base', 'cli', 'main'].includes(name));
    for (const step of steps) expect(read('README.md')).toContain(`src/${step}`);
  });

  it('give in the README only scripts that exist', () => {
    for (const [, script = ''] of read('README.md').matchAll(/npm run (\w+)/g))
      expect(manifest.scripts).toHaveProperty(script);
  });
});
