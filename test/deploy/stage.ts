// SPDX-License-Identifier: AGPL-3.0-or-later
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { openRecords } from '../support/open-records.ts';
import { createUser, s3Client } from '../services/ceph.ts';
import { runTool, type Service } from '../services/guard.ts';
import { freePort } from '../services/ports.ts';
import { sharedS3, uniqueName, type S3Access } from '../services/shared.ts';
import { type ComposeFile, DEPLOY, mountsOf, outside, readCompose, readEnvironment } from './compose-file.ts';
import { asUser, Image } from './image.ts';

const ORIGIN = 'evaluation.example/holdfast';

/**
 * The compose file's services as plain processes: the same commands, configs, secrets and users, with paths, hosts and ports
 * replaced, and another S3 server.
 */
export class Stage implements AsyncDisposable {
  readonly image: Image;
  readonly local: string;
  readonly compose: ComposeFile;
  readonly bucket = uniqueName('records');
  readonly signalDir: string;
  readonly #ports = new Map<string, number>();

  private constructor(image: Image) {
    this.image = image;
    const { dir } = image.guard;
    this.local = join(dir, 'local');
    this.signalDir = join(dir, 'signal');
    this.compose = readCompose(readEnvironment(join(dir, 'env')));
  }

  /** Everything up to `docker compose up`: the image, what prepare.sh makes, and the addresses of this machine in its configs. */
  static async set(account: string): Promise<Stage> {
    const image = await Image.build();
    const { dir } = image.guard;
    const script = join(DEPLOY, 'compose', 'prepare.sh');
    const options = ['--account', account, '--directory', join(dir, 'local'), '--env', join(dir, 'env')];
    const holdfast = `HOLDFAST=${image.node} ${image.app}/dist/main/cli.js`;
    await runTool('env', [holdfast, script, ...options]);
    // Containers see what is mounted, whatever is above it.
    chmodSync(join(dir, 'local'), 0o711);
    const stage = new Stage(image);
    for (const name of ['redis', 'webhook', 'signal', 'door', 'witness']) stage.#ports.set(name, await freePort());
    mkdirSync(stage.signalDir, { recursive: true });
    await stage.#useCeph();
    stage.#adapt();
    mkdirSync(stage.#tmp);
    chmodSync(stage.#tmp, 0o1777);
    for (const tool of ['create-bucket.ts', 'bucket-policy.json', 'upload-door.ts', 'verify-daily.ts']) {
      await image.mount(join(stage.local, 'tools', tool), `/app/${tool}`);
    }
    return stage;
  }

  port(name: 'redis' | 'webhook' | 'signal' | 'door' | 'witness'): number {
    return this.#ports.get(name) ?? 0;
  }

  /** Starts a service as compose would; what it prints goes to `<name>.out`. */
  start(name: string): Service {
    const [program = '', ...args] = this.#words(name);
    return this.image.guard.start(name, program, args);
  }

  /** Runs a service to its end, or its container with another command of the program. */
  async run(name: string, command?: readonly string[]): Promise<string> {
    const [program = '', ...args] = this.#words(name, command);
    return await runTool(program, args);
  }

  /** What containers have as /tmp. */
  get #tmp(): string {
    return join(this.image.guard.dir, 'tmp');
  }

  /** Runs a service's health check: what it prints, or rejects as it fails. */
  async check(name: string): Promise<string> {
    const { healthcheck } = this.compose.services[name] ?? {};
    const [kind, ...words] = healthcheck !== undefined && 'test' in healthcheck ? healthcheck.test : [];
    if (kind !== 'CMD') throw new Error(`no health check of ${name}`);
    const [program = '', ...args] = this.#placed(name, words);
    return await runTool(program, args);
  }

  /** What the bucket holds, by key, downloaded into a directory with the auditor's right to read. */
  async download(): Promise<{ readonly directory: string; readonly keys: readonly string[] }> {
    const [accessKeyId = '', secretAccessKey = ''] = this.#read('auditor/s3-credentials').split('\n');
    const client = s3Client({ ...sharedS3(), accessKeyId, secretAccessKey });
    const directory = join(this.image.guard.dir, uniqueName('copy'));
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: this.bucket, Prefix: 'holdfast/' }));
    const keys = Contents.map(({ Key = '' }) => Key);
    for (const key of keys) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
      const file = join(directory, key.slice('holdfast/'.length));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, (await Body?.transformToByteArray()) ?? '');
    }
    client.destroy();
    return { directory, keys };
  }

  /** All that was said, by the reader's key, which no service has. */
  async texts(): Promise<string[]> {
    const { directory } = await this.download();
    if (!existsSync(join(directory, 'log', ORIGIN, 'segment'))) return [];
    const said: string[] = [];
    for await (const view of openRecords(directory, ORIGIN, join(this.local, 'offline', 'keys'))) {
      if (view.kind === 'message') said.push(view.content.text ?? '');
    }
    return said;
  }

  printed(name: string): string {
    return readFileSync(join(this.image.guard.dir, `${name}.out`), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.image[Symbol.asyncDispose]();
  }

  #mounts(name: string): Map<string, string> {
    const service = this.compose.services[name];
    if (service === undefined) throw new Error(`no service ${name}`);
    return mountsOf(this.compose, service).set('/var/log/signal-cli', join(this.signalDir, 'log'));
  }

  #words(name: string, instead?: readonly string[]): string[] {
    const service = this.compose.services[name];
    if (service === undefined) throw new Error(`no service ${name}`);
    const ours = ['/usr/local/bin/node', '--disable-sigusr1', '--max-semi-space-size=2', '/app/dist/main/cli.js'];
    const usual = service.entrypoint ?? (service.image.startsWith('localhost/holdfast:') ? ours : []);
    const [entrypoint, command] = instead === undefined ? [usual, service.command ?? []] : [ours, instead];
    return this.#placed(name, [...entrypoint, ...command]);
  }

  /** Words of a service's container as they are outside of it. */
  #placed(name: string, words: readonly string[]): string[] {
    const service = this.compose.services[name];
    const mounts = this.#mounts(name);
    const placed = this.image.placed(words).map((word) => {
      // The image's own places first: its directory may look like one of the container's.
      return word.includes(this.image.guard.dir) ? word : this.#addressed(outside(word, mounts));
    });
    // The image's working directory is where the config is.
    const directory = mounts.get('/etc/holdfast') ?? '/';
    return [...asUser(service?.user ?? ''), 'env', `--chdir=${directory}`, `TMPDIR=${this.#tmp}`, ...placed];
  }

  #addressed(text: string): string {
    const { endpoint } = sharedS3();
    return text
      .replaceAll(/http:\/\/(?:s3|seaweedfs):8333/g, endpoint)
      .replaceAll('s3://records/', `s3://${this.bucket}/`)
      .replaceAll('--bucket=records', `--bucket=${this.bucket}`)
      .replaceAll('http://witness:8090', `http://127.0.0.1:${this.port('witness')}`)
      .replaceAll('0.0.0.0:8090', `127.0.0.1:${this.port('witness')}`)
      .replaceAll('http://signal:8080', `http://127.0.0.1:${this.port('signal')}`)
      .replaceAll('host: holdfast-webhook, port: 9080', `host: 127.0.0.1, port: ${this.port('webhook')}`)
      .replaceAll('host: redis', `host: 127.0.0.1\n  port: ${this.port('redis')}`);
  }

  #adapt(): void {
    for (const name of ['connector', 'archiver', 'steward']) {
      const file = join(this.local, name, 'config', 'holdfast.yaml');
      writeFileSync(file, this.#addressed(outside(readFileSync(file, 'utf8'), this.#mounts(name))));
    }
    const redis = join(this.local, 'redis', 'config', 'redis.conf');
    const text = outside(readFileSync(redis, 'utf8'), this.#mounts('redis'));
    writeFileSync(
      redis,
      text.replace('tls-port 6379', `tls-port ${this.port('redis')}`).replace(/^bind .*$/m, 'bind 127.0.0.1'),
    );
  }

  /** Users of the shared Ceph in place of the identities that the evaluation's server would have. */
  async #useCeph(): Promise<void> {
    const ceph = sharedS3();
    const [archiver, auditor, steward] = [uniqueName('archiver'), uniqueName('auditor'), uniqueName('steward')];
    this.#credentials('s3/bucket-credentials', ceph);
    this.#credentials('archiver/s3-credentials', await createUser(ceph, archiver));
    this.#credentials('auditor/s3-credentials', await createUser(ceph, auditor));
    this.#credentials('steward/s3-credentials', await createUser(ceph, steward));
    // What identities.json gives them there, the bucket's policy gives them here.
    const file = join(this.local, 'tools', 'bucket-policy.json');
    const policy = JSON.parse(readFileSync(file, 'utf8')) as { Statement: object[] };
    const resource = ['arn:aws:s3:::@BUCKET@', 'arn:aws:s3:::@BUCKET@/*'];
    const allow = (name: string, actions: string[]): object => {
      return {
        Effect: 'Allow',
        Principal: { AWS: [`arn:aws:iam:::user/${name}`] },
        Action: actions,
        Resource: resource,
      };
    };
    const read = ['s3:GetObject*', 's3:GetBucket*', 's3:ListBucket*'];
    policy.Statement.push(allow(archiver, [...read, 's3:PutObject*']), allow(auditor, read));
    policy.Statement.push(allow(steward, [...read, 's3:PutObjectLegalHold']));
    writeFileSync(file, JSON.stringify(policy));
  }

  #read(file: string): string {
    return readFileSync(join(this.local, file), 'utf8');
  }

  #credentials(file: string, { accessKeyId, secretAccessKey }: S3Access): void {
    writeFileSync(join(this.local, file), `${accessKeyId}\n${secretAccessKey}\n`);
  }
}
