#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Makes what compose.yaml mounts: keys, manifest, passwords, certificate, configs, directories; and `.env`, which tells compose where
# they are and whose. For evaluation only: all keys are made on this machine, and every report says so. Never overwrites.
#
#   deploy/compose/prepare.sh [--account NUMBER] [--directory DIRECTORY] [--env FILE]
#
# Needs openssl, and Holdfast: `npx holdfast` of this checkout, or what HOLDFAST says, such as the image with DIRECTORY mounted in the
# same place. Run as root it gives every role a user of its own; run as somebody else all of it belongs to that user.
set -eu
umask 077

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
account=+12025550100
directory=$here/local
env=$here/../.env
while [ $# -gt 0 ]; do
  case $1 in
    --account) account=$2 ;;
    --directory) directory=$2 ;;
    --env) env=$2 ;;
    *) echo "unknown option: $1" >&2; exit 2 ;;
  esac
  shift 2
done

case $account in
  +*[!0-9]* | +) echo 'expected --account like +12025550100' >&2; exit 2 ;;
  +*) ;;
  *) echo 'expected --account like +12025550100' >&2; exit 2 ;;
esac
command -v openssl >/dev/null || { echo 'openssl is needed' >&2; exit 1; }
mkdir -p -- "$(dirname -- "$directory")"
if ! mkdir -- "$directory"; then
  echo 'keys are never overwritten: choose another directory, or remove this one and what was archived with it' >&2
  exit 1
fi
directory=$(CDPATH='' cd -- "$directory" && pwd)
# Half of it would be of no use and in the way.
trap 'rm -rf -- "$directory"' EXIT

if [ "$(id -u)" -eq 0 ]; then
  connector=10001 archiver=10002 redis=10003 s3=10004 auditor=10005 witness=10006 steward=10007
else
  connector=$(id -u) archiver=$connector redis=$connector s3=$connector auditor=$connector witness=$connector steward=$connector
fi

random() { openssl rand -hex "$1"; }
sha256() { printf %s "$1" | openssl dgst -sha256 -r | cut -d' ' -f1; }

cd -- "$directory"
mkdir -p connector/config connector/spool archiver/config auditor/config witness/config witness/book steward/config redis/config/tls redis/data s3/data tools

# Keys. What no container may have stays in `offline`: the root, the reader's and the escrow's private keys.
(cd -- "$here/../.." && ${HOLDFAST:-npx holdfast} init "$directory/offline" --evaluation --origin evaluation.example/holdfast --json) >made.json
key_id=$(sed -n 's/.*"connector": *"\([0-9a-f]\{32\}\)".*/\1/p' made.json)
rm made.json
[ -n "$key_id" ] || { echo 'the key id of the connector is not in what init printed' >&2; exit 1; }
rm offline/holdfast.yaml
mv offline/keys/connector.key offline/keys/host.key offline/keys/deployment.key connector/
mv offline/keys/log.key offline/keys/archiver.key archiver/
mv offline/keys/witness.key witness/

# Redis: a user for each role, by the templates of ../redis, and a certificate that vouches for itself.
connector_password=$(random 32)
archiver_password=$(random 32)
operator_password=$(random 32)
printf '%s\n' "$connector_password" >connector/redis-password
printf '%s\n' "$archiver_password" >archiver/redis-password
printf '%s\n' "$operator_password" >offline/redis-operator-password
sed -e 's/@PREFIX@/holdfast/g' -e "s/@KEY_ID@/$key_id/g" \
  -e "s/@OPERATOR@/$(sha256 "$operator_password")/" \
  -e "s/@ARCHIVER@/$(sha256 "$archiver_password")/" \
  -e "s/@CONNECTOR@/$(sha256 "$connector_password")/" "$here/../redis/users.acl" >redis/config/users.acl
cp "$here/../redis/redis.conf" redis/config/redis.conf
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj '/CN=redis' \
  -addext 'subjectAltName=DNS:redis,DNS:localhost,IP:127.0.0.1' \
  -keyout redis/config/tls/redis.key -out redis/config/tls/redis.crt 2>openssl.log || { cat openssl.log >&2; exit 1; }
rm openssl.log
cp redis/config/tls/redis.crt redis/config/tls/ca.crt
cp redis/config/tls/ca.crt connector/config/redis-ca.crt
cp redis/config/tls/ca.crt archiver/config/redis-ca.crt

# The S3 server: one identity creates the bucket, once; the archiver's reads, writes and lists in it, the auditor's reads and lists,
# the steward's as the archiver's, because this server has no right for holds alone. The connector has none.
creator_id=$(random 10) creator_secret=$(random 20)
archiver_id=$(random 10) archiver_secret=$(random 20)
auditor_id=$(random 10) auditor_secret=$(random 20)
steward_id=$(random 10) steward_secret=$(random 20)
printf '%s\n%s\n' "$creator_id" "$creator_secret" >s3/bucket-credentials
printf '%s\n%s\n' "$archiver_id" "$archiver_secret" >archiver/s3-credentials
printf '%s\n%s\n' "$auditor_id" "$auditor_secret" >auditor/s3-credentials
printf '%s\n%s\n' "$steward_id" "$steward_secret" >steward/s3-credentials
cat >s3/identities.json <<END
{
  "identities": [
    {
      "name": "creator",
      "credentials": [{ "accessKey": "$creator_id", "secretKey": "$creator_secret" }],
      "actions": ["Admin"]
    },
    {
      "name": "archiver",
      "credentials": [{ "accessKey": "$archiver_id", "secretKey": "$archiver_secret" }],
      "actions": ["Read:records", "Write:records", "List:records"]
    },
    {
      "name": "auditor",
      "credentials": [{ "accessKey": "$auditor_id", "secretKey": "$auditor_secret" }],
      "actions": ["Read:records", "List:records"]
    },
    {
      "name": "steward",
      "credentials": [{ "accessKey": "$steward_id", "secretKey": "$steward_secret" }],
      "actions": ["Read:records", "Write:records", "List:records"]
    }
  ]
}
END

sed -e "s/@KEY_ID@/$key_id/" -e "s/@ACCOUNT@/$account/" "$here/holdfast.connector.yaml" >connector/config/holdfast.yaml
for role in archiver steward; do
  cp "$here/holdfast.$role.yaml" "$role/config/holdfast.yaml"
done
for role in connector archiver steward; do
  cp offline/trust.json offline/manifest.json "$role/config/"
done
cp "$here/create-bucket.ts" "$here/upload-door.ts" "$here/verify-daily.ts" "$here/bucket-policy.json" tools/
cp offline/trust.json offline/policy.txt auditor/config/
cp offline/trust.json witness/config/
chmod 755 tools && chmod 644 tools/*

if [ "$(id -u)" -eq 0 ]; then
  chown -R "$connector:$connector" connector
  chown -R "$archiver:$archiver" archiver
  chown -R "$redis:$redis" redis
  chown -R "$s3:$s3" s3
  chown -R "$auditor:$auditor" auditor
  chown -R "$witness:$witness" witness
  chown -R "$steward:$steward" steward
fi

cat >"$env" <<END
HOLDFAST_LOCAL=$directory
HOLDFAST_CONNECTOR_USER=$connector:$connector
HOLDFAST_ARCHIVER_USER=$archiver:$archiver
HOLDFAST_REDIS_USER=$redis:$redis
HOLDFAST_S3_USER=$s3:$s3
HOLDFAST_AUDITOR_USER=$auditor:$auditor
HOLDFAST_WITNESS_USER=$witness:$witness
HOLDFAST_STEWARD_USER=$steward:$steward
END
trap - EXIT
echo "made $directory; take $directory/offline off this machine, then: docker compose -f deploy/compose.yaml up -d"
