// SPDX-License-Identifier: AGPL-3.0-or-later
import { execFileSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How a signer's certificate is made: a good one, or one that a verifier must refuse. */
export type SignerKind = 'good' | 'ec' | 'not-critical' | 'other-usage' | 'two-usages' | 'expired';

const USAGES: Readonly<Record<SignerKind, string>> = {
  good: 'critical,timeStamping',
  ec: 'critical,timeStamping',
  expired: 'critical,timeStamping',
  'not-critical': 'timeStamping',
  'other-usage': 'critical,serverAuth',
  'two-usages': 'critical,timeStamping,serverAuth',
};

/** A time-stamping authority by `openssl ts`: a root, signers below it, revocation lists, and answers over HTTP. */
export class Authority implements AsyncDisposable {
  readonly directory: string;
  #server: Server | null = null;
  answered = 0;
  /** Which signer answers. */
  signer: SignerKind = 'good';

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'holdfast-tsa-'));
    mkdirSync(this.#at('issued'));
    writeFileSync(this.#at('index.txt'), '');
    writeFileSync(this.#at('serial'), '1000\n');
    writeFileSync(this.#at('crlnumber'), '01\n');
    writeFileSync(this.#at('tsserial'), '01\n');
    writeFileSync(this.#at('ca.cnf'), this.#caConfig());
    this.#openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'root.key',
      '-out',
      'root.pem',
      '-days',
      '30',
      '-subj',
      '/O=Test/CN=Root',
      '-addext',
      'basicConstraints=critical,CA:TRUE',
    );
    this.makeCrl();
  }

  #at(name: string): string {
    return join(this.directory, name);
  }

  #openssl(...args: readonly string[]): Buffer {
    return execFileSync('openssl', args, { cwd: this.directory, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  #caConfig(): string {
    const own = Object.entries(USAGES).map(
      ([kind, usage]) =>
        `[ext_${kind}]\nbasicConstraints = CA:FALSE\nkeyUsage = critical,digitalSignature\nextendedKeyUsage = ${usage}\n`,
    );
    return `[ca]
default_ca = own
[own]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = issued
certificate = root.pem
private_key = root.key
default_md = sha256
default_days = 20
default_crl_days = 20
policy = any
unique_subject = no
[any]
organizationName = optional
commonName = supplied
${own.join('')}[tsa]
default_tsa = one
[one]
serial = tsserial
crypto_device = builtin
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
signer_digest = sha256
ess_cert_id_alg = sha256
ess_cert_id_chain = no
`;
  }

  /** Makes a signer of this kind, once. */
  #make(kind: SignerKind): void {
    try {
      readFileSync(this.#at(`${kind}.pem`));
      return;
    } catch {
      // It is made now.
    }
    const key = kind === 'ec' ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'] : ['-newkey', 'rsa:2048'];
    this.#openssl(
      'req',
      '-new',
      ...key,
      '-nodes',
      '-keyout',
      `${kind}.key`,
      '-out',
      `${kind}.csr`,
      '-subj',
      `/O=Test/CN=${kind}`,
    );
    const span = kind === 'expired' ? ['-startdate', '200101000000Z', '-enddate', '210101000000Z'] : [];
    this.#openssl(
      'ca',
      '-batch',
      '-notext',
      '-config',
      'ca.cnf',
      '-in',
      `${kind}.csr`,
      '-out',
      `${kind}.pem`,
      '-extensions',
      `ext_${kind}`,
      ...span,
    );
  }

  get root(): string {
    return readFileSync(this.#at('root.pem'), 'utf8');
  }

  certificate(kind: SignerKind): string {
    this.#make(kind);
    return readFileSync(this.#at(`${kind}.pem`), 'utf8');
  }

  makeCrl(): Buffer {
    this.#openssl('ca', '-gencrl', '-config', 'ca.cnf', '-out', 'crl.pem');
    return this.#openssl('crl', '-in', 'crl.pem', '-outform', 'DER');
  }

  revoke(kind: SignerKind): void {
    this.#openssl('ca', '-config', 'ca.cnf', '-revoke', `${kind}.pem`);
  }

  /** The answer to a request, DER. */
  reply(query: Uint8Array, kind: SignerKind = this.signer): Buffer {
    this.#make(kind);
    const id = `q${(this.answered += 1)}`;
    writeFileSync(this.#at(`${id}.tsq`), query);
    // OpenSSL refuses to answer under a certificate that is no authority's, so such a token is signed as CMS by hand.
    this.#openssl(
      'ts',
      '-reply',
      '-config',
      'ca.cnf',
      '-section',
      'one',
      '-queryfile',
      `${id}.tsq`,
      '-signer',
      `${kind}.pem`,
      '-inkey',
      `${kind}.key`,
      '-out',
      `${id}.tsr`,
    );
    return readFileSync(this.#at(`${id}.tsr`));
  }

  /** A token over the same content, signed by a certificate that `openssl ts` would not sign with. */
  resign(token: Uint8Array, kind: SignerKind, isNamed = true): Buffer {
    this.#make(kind);
    writeFileSync(this.#at('token.der'), token);
    this.#openssl(
      'cms',
      '-verify',
      '-noverify',
      '-nosigs',
      '-inform',
      'DER',
      '-in',
      'token.der',
      '-out',
      'content.der',
      '-binary',
    );
    return this.#openssl(
      'cms',
      '-sign',
      '-binary',
      '-nodetach',
      '-nosmimecap',
      ...(isNamed ? ['-cades'] : []),
      '-md',
      'sha256',
      '-econtent_type',
      '1.2.840.113549.1.9.16.1.4',
      '-in',
      'content.der',
      '-signer',
      `${kind}.pem`,
      '-inkey',
      `${kind}.key`,
      '-outform',
      'DER',
    );
  }

  async listen(): Promise<string> {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        if (request.url === '/crl') return response.end(this.makeCrl());
        if (request.headers['content-type'] !== 'application/timestamp-query') return response.writeHead(415).end();
        return response.setHeader('content-type', 'application/timestamp-reply').end(this.reply(Buffer.concat(chunks)));
      });
    });
    await new Promise<void>((resolve) => this.#server?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise<void>((resolve) => (this.#server === null ? resolve() : this.#server.close(() => resolve())));
    rmSync(this.directory, { recursive: true });
  }
}
