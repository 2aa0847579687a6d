// SPDX-License-Identifier: AGPL-3.0-or-later

/** A complete evaluation: one process, no services, one day of retention. */
export function evaluationConfig(origin: string, archiveUrl: string): string {
  return `# Holdfast, evaluation. All settings: docs/config.md
origin: ${origin}
trust: trust.json
manifest: manifest.json
keys:
  log: keys/log.key
  archiver: keys/archiver.key
  connector: keys/connector.key
  host: keys/host.key
  deployment: keys/deployment.key

archive:
  url: ${archiveUrl}
  flushAfter: 1s

spool:
  directory: spool

# Only here are the reader's key and the connector on one machine.
reader:
  key: keys/reader.key
  index: index
  signing: keys/reader-signing.key
  spool: reader-spool

connector:
  name: connector

# It shows what cosigning looks like, and proves nothing: a witness is worth something where it is somebody else's, on a machine of theirs.
ownWitness:
  name: evaluation-witness
  key: keys/witness.key
  directory: witness

retention:
  - class: evaluation
    period: P1D
    authority: evaluation, nobody's records

# An account is one phone number: on Signal linked on one signal-cli-rest-api, on WhatsApp linked to this process.
accounts: []
#  - name: duty-phone
#    app: signal
#    account: "+12025550100"
#    backend: main
#    retention: evaluation

signal: {}
#  main:
#    api: http://127.0.0.1:8080
#    webhook: { host: 127.0.0.1, port: 9080 }
#    journal: /var/log/signal-cli-json-rpc-1/out.log

whatsapp: {}
#  main: {}
`;
}

/** A starting point for a deployment whose roles run apart. Each host keeps only what its role needs. */
export function configTemplate(
  origin: string,
  witnesses: readonly { readonly name: string; readonly url: string }[] = [],
): string {
  return `# Holdfast. Each role's host keeps only its own keys. All settings: docs/config.md
origin: ${origin}
trust: trust.json
manifest: manifest.json
keys:
  log: /run/secrets/log.key                # archiver
  archiver: /run/secrets/archiver.key      # archiver
  connector: /run/secrets/connector.key    # connector
  host: /run/secrets/host.key              # connector
  deployment: /run/secrets/deployment.key  # connectors

archive:
  url: s3://records-archive/holdfast
  s3:
    region: us-gov-west-1
    credentials: /run/secrets/s3-credentials   # archiver

# Who cosigns the log: somebody else, elsewhere. The manifest has their keys.
${witnessLines(witnesses)}
redis:
  host: redis
  username: connector
  password: /run/secrets/redis-password

spool:
  directory: /var/lib/holdfast/spool

connector:
  name: connector-1

retention:
  - class: GRS-6.1-011
    period: P7Y
    authority: NARA GRS 6.1 item 011

accounts:
  - name: duty-phone
    app: signal
    account: "+12025550100"
    backend: main
    retention: GRS-6.1-011

signal:
  main:
    api: http://127.0.0.1:8080
    webhook: { host: 127.0.0.1, port: 9080 }
    journal: /signal/log/out.log
`;
}

function witnessLines(witnesses: readonly { readonly name: string; readonly url: string }[]): string {
  if (witnesses.length === 0) return 'witnesses: []\n';
  return ['witnesses:', ...witnesses.map((one) => `  - name: ${one.name}\n    url: ${one.url}`), ''].join('\n');
}
