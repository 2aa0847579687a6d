// SPDX-License-Identifier: AGPL-3.0-or-later
import { InvalidArgumentError, type Command } from 'commander';
import { Failure } from '../base/failure.ts';
import { readPublicKey } from '../base/secrets.ts';
import { readTrust } from '../main/trusted.ts';
import { cosignerKey, encodeCosignerKey } from '../record/cosignature.ts';
import { parseSigningKeyText } from '../record/key.ts';
import { encodeVerifierKey } from '../record/note.ts';
import { parsePolicy } from '../record/policy.ts';
import type { Trust } from '../record/trust.ts';
import { signerOf } from './init.ts';
import { writeNew } from './keygen.ts';
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
    .option('--witness <name=file>', 'name and public key of a witness; repeat for more', collect, [])
    .option('--quorum <n>', 'how many of them must have cosigned; default: all', quorumOf)
    .requiredOption('--out <file>', 'where the policy goes')
    .option('--json', 'machine-readable result', false)
    .action((options: PolicyOptions) => {
      const output = openOutput(options.json);
      const text = policyText(readTrust(options.trust), options.witness, options.quorum ?? options.witness.length);
      writeNew(options.out, text, 0o644);
      output.result({ policy: options.out, witnesses: options.witness.length });
      output.line(`${options.out} written. Give it to auditors by a way of its own, with the trust file.`);
    });
}

function quorumOf(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a number of witnesses');
}

/** Throws `format/policy` if the quorum is more than there are. */
export function policyText(trust: Trust, witnesses: readonly string[], quorum: number): string {
  const parts = witnesses.map(witnessOf);
  const names = parts.map(({ name }) => name).join(' ');
  const lines = [
    `# Checkpoints of ${trust.origin} count when ${quorum} of ${parts.length} witnesses have cosigned them.`,
    `log ${encodeVerifierKey(trust.log)}`,
    ...parts.map(({ name, vkey }) => `witness ${name} ${vkey}`),
    ...(parts.length === 0 ? ['quorum none'] : [`group witnesses ${quorum} ${names}`, 'quorum witnesses']),
  ];
  const text = `${lines.join('\n')}\n`;
  parsePolicy(text);
  return text;
}

function witnessOf(text: string): { name: string; vkey: string } {
  const [name = '', file = '', ...rest] = text.split('=');
  if (name === '' || file === '' || rest.length > 0) {
    throw new Failure('config/missing-part', { expected: 'name=file.pub', got: 'another form', where: '--witness' });
  }
  const key = parseSigningKeyText(signerOf('witness', name, readPublicKey(file)).pub);
  return { name, vkey: encodeCosignerKey(cosignerKey(name, key)) };
}
