// SPDX-License-Identifier: AGPL-3.0-or-later
import { hash } from 'node:crypto';
import {
  type Answer,
  type Exchange,
  type Fault,
  type HttpFaultProxy,
  startFaultProxy,
} from '../../faults/http-fault-proxy.ts';

/** An answer in the words of S3. */
export function s3Error(status: number, code: string): Answer {
  const body = Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>m</Message></Error>`,
  );
  return { status, headers: { 'content-type': 'application/xml', date: new Date().toUTCString() }, body };
}

/**
 * The Ceph of the tests with what it lacks and today's servers have: `If-None-Match: *` is honoured (412, and 409 while another PUT
 * of the key is under way; a delete marker lets a PUT through), and SHA-256 checksums are checked, kept and told by HEAD.
 */
export async function startModernS3(ceph: string): Promise<HttpFaultProxy> {
  const proxy = await startFaultProxy(ceph);
  const shim = new Shim();
  proxy.rule = (exchange) => shim.rule(exchange);
  return proxy;
}

class Shim {
  readonly #taken = new Set<string>();
  readonly #pending = new Set<string>();
  readonly #checksums = new Map<string, string>();

  rule(exchange: Exchange): Fault | null {
    const { method, path, headers } = exchange;
    const place = path.split('?')[0] ?? '';
    if (method === 'PUT' && !/[?&](?:retention|legal-hold)/.test(path)) return this.#put(exchange, place);
    if (method === 'DELETE' && !path.includes('versionId')) this.#taken.delete(place);
    if (headers['x-amz-checksum-mode'] !== 'ENABLED') return null;
    return { kind: 'change', change: (answer) => this.#withChecksum(answer) };
  }

  #put({ headers, body }: Exchange, place: string): Fault {
    const claimed = headers['x-amz-checksum-sha256'];
    if (claimed !== undefined && claimed !== hash('sha256', body, 'base64')) return refusal(400, 'BadDigest');
    if (headers['if-none-match'] === '*') {
      if (this.#taken.has(place)) return refusal(412, 'PreconditionFailed');
      if (this.#pending.has(place)) return refusal(409, 'ConditionalRequestConflict');
    }
    this.#pending.add(place);
    return {
      kind: 'change',
      change: (answer) => {
        this.#pending.delete(place);
        if (answer.status !== 200) return answer;
        this.#taken.add(place);
        if (claimed !== undefined) this.#checksums.set(answer.headers['x-amz-version-id'] ?? '', claimed);
        return answer;
      },
    };
  }

  #withChecksum(answer: Answer): Answer {
    const checksum = this.#checksums.get(answer.headers['x-amz-version-id'] ?? '');
    if (checksum === undefined) return answer;
    return { ...answer, headers: { ...answer.headers, 'x-amz-checksum-sha256': checksum } };
  }
}

function refusal(status: number, code: string): Fault {
  return { kind: 'answer', answer: s3Error(status, code), forwarded: false };
}
