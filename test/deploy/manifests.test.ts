// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { assertSafeEnvironment } from '../../src/base/environment.ts';
import { DEPLOY, readCompose } from './compose-file.ts';

const container = z.object({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()).optional(),
  startupProbe: z.unknown().optional(),
  readinessProbe: z.unknown().optional(),
  args: z.array(z.string()).optional(),
  env: z.array(z.strictObject({ name: z.string(), value: z.string() })).default([]),
  securityContext: z.object({
    runAsNonRoot: z.boolean().optional(),
    runAsUser: z.number().optional(),
    readOnlyRootFilesystem: z.boolean().optional(),
    allowPrivilegeEscalation: z.literal(false),
    capabilities: z.object({ drop: z.tuple([z.literal('ALL')]), add: z.array(z.string()).default([]) }),
  }),
  resources: z.object({ limits: z.object({ memory: z.string(), cpu: z.string() }) }),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() })),
});

const pod = z.object({
  automountServiceAccountToken: z.literal(false),
  enableServiceLinks: z.literal(false),
  securityContext: z.object({
    runAsNonRoot: z.boolean().optional(),
    seccompProfile: z.object({ type: z.literal('RuntimeDefault') }),
  }),
  initContainers: z.array(container).default([]),
  containers: z.array(container),
  volumes: z.array(z.object({ name: z.string(), secret: z.object({ defaultMode: z.number() }).optional() })),
});

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: {
    readonly template?: { readonly spec: unknown };
    readonly jobTemplate?: { readonly spec: { readonly template: { readonly spec: unknown } } };
    readonly [key: string]: unknown;
  };
}

// Kubernetes reads YAML 1.1, in which 0400 is octal.
const manifests = readdirSync(join(DEPLOY, 'kubernetes')).flatMap((name) =>
  parseAllDocuments(readFileSync(join(DEPLOY, 'kubernetes', name), 'utf8'), { version: '1.1' }).map(
    (document) => document.toJS() as Manifest,
  ),
);
const pods = manifests.flatMap(({ metadata, spec }) => {
  const template = spec?.template ?? spec?.jobTemplate?.spec.template;
  return template === undefined ? [] : [{ name: metadata.name, spec: pod.parse(template.spec) }];
});
const containers = pods.flatMap(({ spec }) =>
  [...spec.initContainers, ...spec.containers].map((one) => ({ spec, one })),
);
const compose = readCompose(new Proxy({}, { get: () => 'x' }));

describe('the Kubernetes manifests', () => {
  it.each(containers.map(({ spec, one }) => ({ name: one.name, spec, one })))(
    'confine $name',
    ({ name, spec, one }) => {
      const { securityContext: own } = one;
      expect(() =>
        assertSafeEnvironment(Object.fromEntries(one.env.map(({ name: key, value }) => [key, value]))),
      ).not.toThrow();
      expect(one.image).toMatch(/^[a-z0-9.-]+\/[a-z0-9/-]+:\d+\.\d+[0-9.]*$/);
      if (name === 'signal') {
        expect(own.capabilities.add.toSorted()).toEqual(compose.services['signal']?.cap_add.toSorted());
        expect(one.image).toBe(compose.services['signal']?.image);
        return;
      }
      expect(own.readOnlyRootFilesystem).toBe(true);
      expect(own.capabilities.add).toEqual([]);
      expect(own.runAsNonRoot ?? spec.securityContext.runAsNonRoot).toBe(true);
    },
  );

  it('mount secrets as files for their owner alone', () => {
    const secrets = pods.flatMap(({ spec }) => spec.volumes.flatMap(({ secret }) => secret?.defaultMode ?? []));
    expect(secrets.length).toBeGreaterThan(8);
    expect(new Set(secrets)).toEqual(new Set([0o400]));
  });

  it('tell the daemon what compose tells it', () => {
    const daemon = containers.find(({ one }) => one.name === 'signal')?.one;
    const told = Object.fromEntries(daemon?.env.map(({ name, value }) => [name, value]) ?? []);
    const { RECEIVE_WEBHOOK_URL: _address, ...same } = compose.services['signal']?.environment ?? {};
    expect(told).toEqual({ ...same, RECEIVE_WEBHOOK_URL: 'http://127.0.0.1:9080/' });
  });

  const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
  const namespaces = manifests.filter(({ kind }) => kind === 'Namespace').map(({ metadata: { name } }) => name);
  const namespaceOf = (role: string): string | undefined =>
    manifests.find(({ kind, metadata }) => kind !== 'NetworkPolicy' && kind !== 'Service' && metadata.name === role)
      ?.metadata.namespace;

  it('put each zone into a namespace of its own', () => {
    const zones = ['connector', 'archiver', 'verify', 'steward', 'reader', 'witness'].map(namespaceOf);
    expect(new Set(zones).size).toBe(6);
    expect(namespaces).toEqual(expect.arrayContaining(zones));
  });

  it('let a witness be asked through its ingress controller, and ask nobody', () => {
    const own = policies.find(({ metadata: { name } }) => name === 'witness');
    expect(own?.spec).not.toHaveProperty('egress');
    expect(own?.spec['ingress']).toEqual([
      {
        from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } } }],
        ports: [{ protocol: 'TCP', port: 8090 }],
      },
    ]);
  });

  it('give the steward the store alone, and the reader the store and the queue', () => {
    const portsOf = (role: string): number[] => {
      const egress = policies.find(({ metadata: { name } }) => name === role)?.spec['egress'];
      return (egress as { ports: { port: number }[] }[]).flatMap(({ ports }) => ports.map(({ port }) => port));
    };
    expect([portsOf('steward'), portsOf('reader')]).toEqual([
      [53, 53, 443],
      [53, 53, 6379, 443],
    ]);
  });

  it('deny all that is not said, and let nothing else in', () => {
    for (const namespace of namespaces) {
      const own = policies.filter(({ metadata }) => metadata.namespace === namespace);
      expect(own.some(({ spec }) => JSON.stringify(spec['podSelector']) === '{}' && spec['egress'] === undefined)).toBe(
        true,
      );
      for (const { spec } of own) {
        expect(spec['policyTypes']).toEqual(['Ingress', 'Egress']);
        if (namespace !== 'holdfast-witness') expect(spec['ingress']).toBeUndefined();
      }
    }
  });
});

describe('the daily verification', () => {
  const auditor = compose.services['auditor']?.command ?? [];
  const unit = readFileSync(join(DEPLOY, 'systemd', 'holdfast-verify.service'), 'utf8');
  const timer = readFileSync(join(DEPLOY, 'systemd', 'holdfast-verify.timer'), 'utf8');

  it('of Kubernetes runs once a day, alone, and is not repeated until somebody has read it', () => {
    const [job] = manifests.filter(({ kind }) => kind === 'CronJob');
    expect(job?.spec).toMatchObject({ schedule: '30 4 * * *', concurrencyPolicy: 'Forbid' });
    expect(job?.spec.jobTemplate?.spec).toMatchObject({
      backoffLimit: 0,
      template: { spec: { restartPolicy: 'Never' } },
    });
    const one = containers.find(({ one: { name } }) => name === 'verify')?.one;
    expect(one?.args).toEqual(['verify', 's3://records-archive/holdfast', ...read('/etc/holdfast/')]);
  });

  it('of systemd runs once a day, and what fell due is done later', () => {
    expect(timer).toMatch(/^OnCalendar=\*-\*-\* 04:30:00$/m);
    expect(timer).toMatch(/^Persistent=true$/m);
    expect(unit).toMatch(/^Type=oneshot$/m);
    expect(unit).not.toMatch(/^Restart=/m);
    expect(unit).toMatch(
      / verify s3:\/\/records-archive\/holdfast --trust trust\.json --credentials \S+\/s3-credentials$/m,
    );
  });

  it('of compose says what the auditor says', () => {
    expect(compose.services['auditor-daily']?.command).toEqual(['/app/dist/main/cli.js', ...auditor.slice(1)]);
  });

  /** Trust file and credentials, as they are mounted below a directory. */
  function read(directory: string): string[] {
    return [`--trust=${directory}trust.json`, `--credentials=${directory}s3-credentials`];
  }
});

describe('every process that is started', () => {
  it('keeps what lives briefly in memory small', () => {
    const words = containers.flatMap(({ one }) => JSON.stringify(one)).concat(JSON.stringify(compose.services));
    for (const text of words) {
      const started = text.match(/"\/usr\/local\/bin\/node"/g) ?? [];
      expect(text.match(/--max-semi-space-size=2/g) ?? []).toHaveLength(started.length);
    }
  });
});

describe('the systemd units', () => {
  const units = readdirSync(join(DEPLOY, 'systemd'))
    .filter((name) => name.endsWith('.service'))
    .map((name) => ({ name, lines: readFileSync(join(DEPLOY, 'systemd', name), 'utf8').split('\n') }));
  const hardening = (lines: readonly string[]): string[] =>
    lines.filter((line) =>
      /^(?:Protect|Private|Restrict|NoNew|Capability|Ambient|Lock|SystemCall|Limit|MemorySwap|ProcSubset|Remove|UMask)/.test(
        line,
      ),
    );

  /** Those that hold fewer secrets than a connector, an archiver or a reader. */
  const few = new Map([
    ['holdfast-verify.service', ['s3-credentials']],
    ['holdfast-witness.service', ['witness.key']],
    ['holdfast-steward.service', ['s3-credentials']],
    ['holdfast-scrub.service', ['auditor.key', 'redis-password', 's3-credentials']],
    ['holdfast-hold-follow.service', ['officer.key', 'reader-signing.key']],
  ]);

  it.each(units)('$name is confined, and its secrets are credentials', ({ name, lines }) => {
    const [first] = units;
    expect(hardening(lines)).toEqual(hardening(first?.lines ?? []));
    expect(hardening(lines).length).toBeGreaterThan(25);
    expect(lines.find((line) => line.startsWith('ExecStart='))).toContain(' --disable-sigusr1 ');
    expect(lines.some((line) => /^MemoryMax=\d+M$/.test(line))).toBe(true);
    const credentials = lines.flatMap((line) => /^LoadCredential=([a-z0-9.-]+):/.exec(line)?.[1] ?? []);
    if (few.has(name)) expect(credentials.toSorted()).toEqual(few.get(name));
    else expect(credentials.length).toBeGreaterThan(3);
    expect(lines.filter((line) => line.startsWith('Environment'))).toEqual([]);
    expect(lines.some((line) => line.startsWith('User=holdfast-'))).toBe(true);
  });
});
