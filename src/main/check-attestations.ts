// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { witnessAt } from '../archive/witness-client.ts';
import type { Config } from '../base/config.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { readSigningKey } from '../base/secrets.ts';
import { cosignerKey } from '../record/cosignature.ts';
import { FormatError } from '../record/format-error.ts';
import { parseSigningKeyText } from '../record/key.ts';
import type { Signer } from '../record/manifest.ts';
import { hasQuorum, parsePolicy, type Policy } from '../record/policy.ts';
import { assertOwnWitness } from './own-witness.ts';
import { attempt, failed, note, ok, type Check } from './check.ts';
import { assertNamed, type Trusted } from './trusted.ts';

const ANSWER_MS = 10_000;

/** Who vouches for the log besides its own keys: witnesses, the policy that auditors hold it to, and time-stamping authorities. */
export async function checkAttestations(config: Config, trusted: Trusted, policyFile: string | null): Promise<Check[]> {
  const named = trusted.manifest.signers.filter(({ role }) => role === 'witness');
  const asked = config.witnesses.map(({ name, url }) => checkWitness(name, url, named, trusted));
  return [
    ...(await Promise.all(asked)),
    ...checkOwnWitness(config, trusted),
    ...checkUnasked(config, named),
    ...(policyFile === null ? [] : [checkPolicy(policyFile, named, trusted)]),
    ...(await checkAuthorities(config)),
  ];
}

/** Reads what the witness cosigned last; it is not asked to cosign. */
async function checkWitness(name: string, url: string, named: readonly Signer[], { trust }: Trusted): Promise<Check> {
  const check = `witness ${name}`;
  const signer = named.find((one) => one.name === name);
  if (signer === undefined) {
    const fix = 'have the root sign a manifest with its key (`holdfast manifest --add witness:NAME=FILE.pub`)';
    const detail = { expected: 'a witness that the manifest names', got: 'another name', where: name, fix };
    return failed('witnesses', check, new Failure('config/key-unknown', detail));
  }
  try {
    const address = { url, key: cosignerKey(name, parseSigningKeyText(signer.pub)) };
    const size = await witnessAt(address, trust.log, AbortSignal.timeout(ANSWER_MS));
    return ok(
      'witnesses',
      check,
      size === null ? 'answers; nothing of this log cosigned yet' : `cosigned ${size} leaves`,
    );
  } catch (error) {
    return failed('witnesses', check, error);
  }
}

function checkOwnWitness({ ownWitness }: Config, trusted: Trusted): Check[] {
  if (ownWitness === undefined) return [];
  const { name, key } = ownWitness;
  const usable = attempt('witnesses', `witness ${name}`, () => {
    assertOwnWitness(trusted);
    assertNamed(trusted.manifest, 'witness', readSigningKey(key), key);
    return 'in this process';
  });
  if (usable.level === 'fail') return [usable];
  return [
    note(
      'witnesses',
      usable.check,
      'somebody else’s, elsewhere',
      'in the process that it watches',
      'never for records: it proves nothing',
    ),
  ];
}

/** Only where the log is written is anybody asked. */
function checkUnasked({ keys, witnesses, ownWitness }: Config, named: readonly Signer[]): Check[] {
  if (keys.log === undefined) return [];
  const asked = new Set([...witnesses.map(({ name }) => name), ownWitness?.name]);
  const forgotten = named.filter(({ name }) => !asked.has(name));
  return forgotten.map(({ name }) =>
    note(
      'witnesses',
      `witness ${name}`,
      'an address under `witnesses`',
      'named by the manifest, asked by nobody',
      'add its address',
    ),
  );
}

/** Whether auditors who hold the log to this policy could ever be content. */
function checkPolicy(file: string, named: readonly Signer[], { trust }: Trusted): Check {
  return attempt('witnesses', 'policy', () => {
    const policy = readPolicy(file);
    if (policy.logs.length > 0 && !policy.logs.some(({ hash }) => hash.equals(trust.log.hash)))
      throw unmet(file, `log key ${trust.log.key.id}`, 'the keys of other logs');
    if (policy.quorum === null) return 'asks for no witness';
    const ids = new Set(named.map(({ pub }) => parseSigningKeyText(pub).id));
    const known = policy.witnesses.filter(({ key }) => ids.has(key.id));
    if (!hasQuorum(policy, known))
      throw unmet(
        file,
        'a quorum of witnesses that the manifest names',
        `${known.length} of ${policy.witnesses.length}`,
      );
    return `${known.length} of its ${policy.witnesses.length} witnesses are in the manifest: its quorum can be met`;
  });
}

function unmet(where: string, expected: string, got: string): Failure {
  const fix = 'write it again with `holdfast policy`, and give it to auditors';
  return new Failure('config/policy-unmet', { expected, got, where, fix });
}

function readPolicy(file: string): Policy {
  try {
    return parsePolicy(readFileSync(file));
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new Failure('config/missing', { expected: 'a C2SP policy', got: codeOf(cause), where: file, cause });
  }
}

/** Each is asked to stamp something that says nothing. */
async function checkAuthorities(config: Config): Promise<Check[]> {
  const checks: Check[] = [];
  for (const one of config.timeStamps) checks.push(await checkAuthority(one));
  return checks;
}

async function checkAuthority(one: Config['timeStamps'][number]): Promise<Check> {
  const check = new URL(one.url).host;
  try {
    // Loaded only where authorities are named: it takes an ASN.1 library.
    const [{ askTimeStamp }, { timeAuthorityOf }] = await Promise.all([
      import('../timestamp/ask.ts'),
      import('./time-authorities.ts'),
    ]);
    const limit = AbortSignal.timeout(2 * ANSWER_MS);
    const { revocationChecked } = await askTimeStamp(timeAuthorityOf(one), 'holdfast doctor\n', limit);
    if (revocationChecked) return ok('time stamps', check, 'stamps; its revocation list is kept');
    const fix = 'name its list under `crls`: years later nobody has it';
    return note('time stamps', check, 'a revocation list', 'stamps; no revocation list of it', fix);
  } catch (error) {
    return failed('time stamps', check, error);
  }
}
