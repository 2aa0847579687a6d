// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';

export const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));

const duration = z.string().regex(/^\d+(?:s|m)$/);
const size = z.string().regex(/^\d+(?:m|g)$/);
const condition = z.enum(['service_started', 'service_healthy', 'service_completed_successfully']);
const attachment = z.strictObject({ aliases: z.array(z.string()).optional() });

/** What this compose file may consist of, as the Compose specification has it; anything else is a mistake or a new decision. */
const service = z.strictObject({
  image: z.string(),
  profiles: z.array(z.string()).default([]),
  build: z.strictObject({ context: z.string(), dockerfile: z.string() }).optional(),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  user: z.string().optional(),
  environment: z.record(z.string(), z.string()).optional(),
  networks: z.union([z.array(z.string()), z.record(z.string(), attachment)]),
  volumes: z.array(z.string()).default([]),
  secrets: z.array(z.string()).default([]),
  tmpfs: z.array(z.string()).optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).default([]),
  cap_add: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  restart: z.enum(['unless-stopped', 'no']),
  stop_grace_period: duration.optional(),
  mem_limit: size,
  memswap_limit: size,
  cpus: z.number().positive(),
  pids_limit: z.int().positive(),
  ulimits: z.record(z.string(), z.int()),
  logging: z.strictObject({ driver: z.string(), options: z.record(z.string(), z.string()) }),
  healthcheck: z.union([
    z.strictObject({ disable: z.literal(true) }),
    z.strictObject({
      test: z.array(z.string()),
      interval: duration,
      timeout: duration,
      retries: z.int(),
      start_period: duration.optional(),
    }),
  ]),
  depends_on: z.record(z.string(), z.strictObject({ condition })).default({}),
});

const file = z.object({
  services: z.record(z.string(), service),
  networks: z.record(z.string(), z.strictObject({ internal: z.boolean().optional() })),
  volumes: z.record(z.string(), z.strictObject({})),
  secrets: z.record(z.string(), z.strictObject({ file: z.string() })),
});

export type ComposeFile = z.output<typeof file>;
export type ComposeService = ComposeFile['services'][string];

/** Text with `${NAME}` and `${NAME:?why}` filled in, as compose does; throws for a name without a value. */
function filled(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{([A-Z_0-9]+)(?::\?[^}]*)?\}/g, (_match, name: string) => {
    const value = environment[name];
    if (value === undefined) throw new Error(`no value for ${name}`);
    return value;
  });
}

export function readCompose(environment: Readonly<Record<string, string>>): ComposeFile {
  return file.parse(parse(filled(readFileSync(join(DEPLOY, 'compose.yaml'), 'utf8'), environment), { merge: true }));
}

export function readEnvironment(path: string): Record<string, string> {
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split('=', 2) as [string, string]));
}

export function networksOf({ networks }: ComposeService): string[] {
  return (Array.isArray(networks) ? networks : Object.keys(networks)).toSorted();
}

/** What a path inside a container is outside: mounts with the longest first, secrets as compose places them. */
export function mountsOf(compose: ComposeFile, { volumes, secrets }: ComposeService): Map<string, string> {
  const mounts = volumes.map((volume): [string, string] => {
    const [outside = '', inside = ''] = volume.split(':');
    return [inside, outside];
  });
  const files = secrets.map((name): [string, string] => [`/run/secrets/${name}`, compose.secrets[name]?.file ?? '']);
  return new Map([...files, ...mounts].toSorted(([a], [b]) => b.length - a.length));
}

/** The same text with every path of the container replaced by the one outside. */
export function outside(text: string, mounts: ReadonlyMap<string, string>): string {
  let result = text;
  for (const [inside, out] of mounts) result = result.replaceAll(inside, out);
  return result;
}

/** True if the container sees something at this path. */
export function isMounted(path: string, mounts: ReadonlyMap<string, string>): boolean {
  return [...mounts.keys()].some((inside) => path === inside || path.startsWith(`${inside}/`));
}
