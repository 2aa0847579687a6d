// SPDX-License-Identifier: AGPL-3.0-or-later
import { assertSafeEnvironment } from '../base/environment.ts';
import type { Config } from '../base/config.ts';
import { parseConfig } from '../connectors/signal/config.ts';
import { fields, list, text } from '../connectors/signal/json.ts';
import { Rest } from '../connectors/signal/rest.ts';
import { inspectRedis } from '../queue/inspect-redis.ts';
import { checkAttestations } from './check-attestations.ts';
import { checkWhatsApp } from './check-whatsapp.ts';
import { failed, type Check } from './check.ts';
import { checkArchive, checkKeys, checkSpool, checkTrust } from './checks.ts';
import { redisAddress } from './redis.ts';

const NODE_FLOOR = [24, 11] as const;

/**
 * Looks at everything a deployment stands on, and says what to mend. Writes nothing but the probes' own small objects and files.
 * `policy`: the file that auditors hold the log to, if it is to be looked at.
 */
export async function examine(config: Config, policy: string | null): Promise<Check[]> {
  const { checks, trusted } = checkTrust(config);
  return [
    ...checkProcess(),
    ...checks,
    ...(trusted === null ? [] : checkKeys(config, trusted)),
    ...checkSpool(config),
    ...(await checkArchive(config)),
    ...(trusted === null ? [] : await checkAttestations(config, trusted, policy)),
    ...(await checkRedis(config)),
    ...(await checkSignal(config)),
    ...(await checkWhatsApp(config)),
  ];
}

function checkProcess(): Check[] {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isRecent = major > NODE_FLOOR[0] || (major === NODE_FLOOR[0] && minor >= NODE_FLOOR[1]);
  const node: Check = {
    area: 'process',
    check: 'node',
    level: isRecent ? 'ok' : 'fail',
    expected: `at least ${NODE_FLOOR.join('.')}`,
    got: process.versions.node,
    fix: isRecent ? '' : 'install a newer Node',
  };
  try {
    assertSafeEnvironment();
    return [
      node,
      { area: 'process', check: 'environment', level: 'ok', expected: '', got: 'no secrets, no debugger', fix: '' },
    ];
  } catch (error) {
    return [node, failed('process', 'environment', error)];
  }
}

async function checkRedis(config: Config): Promise<Check[]> {
  if (config.redis === undefined) return [];
  try {
    const findings = await inspectRedis({
      redis: redisAddress(config, 'doctor'),
      events: { trouble: () => undefined },
      onBroken: () => undefined,
    });
    return findings.map(({ check, ok, expected, got, fix }) => ({
      area: 'redis',
      check,
      level: ok ? 'ok' : 'fail',
      expected,
      got,
      fix: ok ? '' : fix,
    }));
  } catch (error) {
    return [failed('redis', 'connection', error)];
  }
}

/** Whether each back end answers, and which of the config's accounts are linked there. */
async function checkSignal(config: Config): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [name, settings] of Object.entries(config.signal)) {
    try {
      const { api, timeouts } = parseConfig(settings);
      const rest = new Rest({
        api,
        timeoutMs: timeouts.rest,
        retryMs: timeouts.restRetry,
        attachmentIdleMs: timeouts.attachmentIdle,
      });
      const stop = AbortSignal.timeout(2 * timeouts.rest);
      const mode = text(fields((await rest.get('v1/about', stop)).json)?.['mode']);
      checks.push(judgeMode(name, mode));
      const linked = new Set(list((await rest.get('v1/accounts', stop)).json).flatMap((number) => text(number) ?? []));
      for (const account of config.accounts.filter(({ backend }) => backend === name)) {
        checks.push(judgeLinked(account.name, linked.has(account.account)));
      }
    } catch (error) {
      checks.push(failed('signal', `back end ${name}`, error));
    }
  }
  return checks;
}

function judgeMode(name: string, mode: string | null): Check {
  const right = mode === 'json-rpc' || mode === 'json-rpc-native';
  return {
    area: 'signal',
    check: `back end ${name}`,
    level: right ? 'ok' : 'fail',
    expected: 'mode json-rpc',
    got: `mode ${mode ?? 'unknown'}`,
    fix: right ? '' : 'set MODE=json-rpc on the container',
  };
}

function judgeLinked(account: string, linked: boolean): Check {
  return {
    area: 'signal',
    check: `account ${account}`,
    level: linked ? 'ok' : 'fail',
    expected: 'linked',
    got: linked ? 'linked' : 'not linked',
    fix: linked ? '' : `run \`holdfast link ${account}\``,
  };
}
