// SPDX-License-Identifier: AGPL-3.0-or-later
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { configSchema } from '../../src/base/config.ts';
import { signalConfig } from '../../src/connectors/signal/config.ts';
import { whatsappConfig } from '../../src/connectors/whatsapp/config.ts';

// Writes docs/config.md from the schemas that read the config: `node test/guards/config-reference.ts`. A test compares.

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

interface Row {
  readonly path: string;
  readonly type: string;
  readonly value: string;
  readonly text: string;
}

function typeOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(' or ');
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {})}`;
  return schema.type ?? 'mapping';
}

function isPlain(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

function rowsOf(schema: Schema, prefix: string): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const value = isPlain(member.default) ? `\`${String(member.default)}\`` : '';
    const needed = schema.required?.includes(name) === true && value === '' ? 'required' : value;
    const own: Row = { path, type: typeOf(member), value: needed, text: member.description ?? '' };
    const inner = member.type === 'array' ? rowsOf(member.items ?? {}, `${path}[]`) : rowsOf(member, path);
    return [own, ...inner];
  });
}

function table(schema: z.ZodType): string {
  const rows = rowsOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema, '');
  const lines = rows.map(
    ({ path, type, value, text }) => `| \`${path}\` | ${type} | ${value} | ${text.replaceAll('|', '\\|')} |`,
  );
  return ['| setting | type | default | meaning |', '| --- | --- | --- | --- |', ...lines].join('\n');
}

export function configReference(): string {
  return `# Configuration

One file, \`holdfast.yaml\`, is read by every command (\`--config FILE\`). Paths are relative to it. Durations are written \`250ms\`, \`5s\`, \`30m\`, \`1h\`,
\`14d\`; sizes \`4MiB\`, \`20GiB\`; periods of retention in ISO 8601: \`P7Y\`, \`P18M\`, \`P90D\`. A mistake is reported with its path, all of them at once.

Secrets are in files with mode 0600 that the config names. A secret in the environment is refused. This page is made from the schema that reads the file.

${table(configSchema)}

## \`signal\`: back ends by name

Each is one signal-cli-rest-api in json-rpc mode. What they mean for capture is explained in
[the connector's README](../src/connectors/signal/README.md).

${table(signalConfig)}

## \`whatsapp\`: settings by name

The connector is itself the linked device, so there is nothing to run beside it: \`whatsapp: { main: {} }\` is enough. What the
settings mean for capture is explained in [the connector's README](../src/connectors/whatsapp/README.md).

${table(whatsappConfig)}
`;
}

if (import.meta.main) writeFileSync(new URL('../../docs/config.md', import.meta.url), configReference());
