// SPDX-License-Identifier: AGPL-3.0-or-later
import { InvalidArgumentError, type Command } from 'commander';
import { countOf } from '../base/counted.ts';
import { readTrust } from '../main/trusted.ts';
import { encodeCosignerKey } from '../record/cosignature.ts';
import { encodeVerifierKey } from '../record/note.ts';
import { parsePolicy } from '../record/policy.ts';
import type { Trust } from '../record/trust.ts';
import { writeNew } from './keygen.ts';
import { WITNESS_FORM, witnessOf, type NamedWitness } from './named-witness.ts';
import { openOutput } from './output.ts';

interface PolicyOptions {
  readonly trust: string;
  readonly witness: readonly string[];
  readonly quorum?: number;
  readonly out: string;
  readonly json: boolean;
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

export function registerPolicy(program: Command): void {
  program
    .command('policy')
    .description('Write the C2SP policy that says which witnesses must have cosigned the log')
    .requiredOption('--trust <file>', 'trust.json of the log')
    .option(
      `--witness <${WITNESS_FORM}>`,
      'name and public key of a witness, or its C2SP verifier key; the address may be left out; repeat for more',
      collect,
      [],
    )
    .option('--quorum <n>', 'how many of them must have cosigned; default: all', quorumOf)
    .requiredOption('--out <file>', 'where the policy goes')
    .option('--json', 'machine-readable result', false)
    .action((options: PolicyOptions) => {
      const output = openOutput(options.json);
      // Whoever signed the manifest asked for the holder's word; a policy may name others, of whom nothing but the key is known.
      const witnesses = options.witness.map((value) => witnessOf(value, false));
      const text = policyText(readTrust(options.trust), witnesses, options.quorum);
      writeNew(options.out, text, 0o644);
      output.result({ policy: options.out, witnesses: options.witness.length });
      output.line(`${options.out} written. Give it to auditors by a way of its own, with the trust file.`);
    });
}

export function quorumOf(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a number of witnesses');
}

/** Throws `format/policy` if the quorum is more than there are. */
export function policyText(
  { origin, log }: Pick<Trust, 'origin' | 'log'>,
  witnesses: readonly NamedWitness[],
  quorum: number = witnesses.length,
): string {
  const names = witnesses.map(({ key }) => key.name).join(' ');
  const lines = [
    `# Checkpoints of ${origin} count when ${quorum} of ${countOf(witnesses.length, 'witness', 'witnesses')} ${quorum === 1 ? 'has' : 'have'} cosigned them.`,
    `log ${encodeVerifierKey(log)}`,
    ...witnesses.map(({ key, url }) => `witness ${key.name} ${encodeCosignerKey(key)}${url === null ? '' : ` ${url}`}`),
    ...(witnesses.length === 0 ? ['quorum none'] : [`group witnesses ${quorum} ${names}`, 'quorum witnesses']),
  ];
  const text = `${lines.join('\n')}\n`;
  parsePolicy(text);
  return text;
}
