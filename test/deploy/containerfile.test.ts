// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEPLOY } from './compose-file.ts';
import { PROJECT } from './image.ts';

const containerfile = readFileSync(join(DEPLOY, 'Containerfile'), 'utf8');

describe('the container file', () => {
  const stages = containerfile.split(/^FROM /m).slice(1);
  const last = stages.at(-1) ?? '';

  it('ends in a stage that runs nothing, as a user without a name and without rights', () => {
    expect(last).not.toMatch(/^RUN /m);
    expect(last).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
    expect(last).toMatch(
      /^ENTRYPOINT \["\/usr\/local\/bin\/node", "--disable-sigusr1", "--max-semi-space-size=2", "\/app\/dist\/main\/cli.js"\]$/m,
    );
    expect(containerfile).not.toMatch(/^(?:ADD|HEALTHCHECK|EXPOSE|VOLUME) /m);
  });

  it('takes its bases as arguments, and the bases by name', () => {
    const from = stages.map((stage) => stage.split(/\s/)[0]);
    expect(from).toEqual(['${BUILD_BASE}', '${BUILD_BASE}', '${BASE}']);
  });

  it('installs without scripts, for running without what only development needs', () => {
    const installs = [...containerfile.matchAll(/npm ci[^&\n]*/g)].map(([line]) => line.trim());
    expect(installs).toEqual([
      'npm ci --ignore-scripts',
      'npm ci --omit=dev --omit=optional --omit=peer --ignore-scripts',
    ]);
  });

  it('copies only what its ignore file lets through, and that is no secret', () => {
    const ignore = readFileSync(join(DEPLOY, 'Containerfile.dockerignore'), 'utf8').split('\n');
    expect(ignore).toContain('*');
    const allowed = ignore.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const copied = [...containerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, list = '']) =>
      list.split(' '),
    );
    expect(new Set(copied)).toEqual(new Set(allowed));
    for (const name of allowed) expect([name, existsSync(join(PROJECT, name))]).toEqual([name, true]);
  });
});
