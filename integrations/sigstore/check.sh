#!/usr/bin/env bash
# Signs without a key at a Sigstore on loopback, and has everybody verify it: cosign, the
# packages `sigstore` of npm and PyPI, in-toto's validator, policies, and `ko verify`.
# `integrations/sigstore/check.sh KO` wants the tools that `cargo xtask test --only setup`
# installs, and npm, openssl and Python; it compiles the services once (minutes), below
# target/tools/sigstore. `check.sh KO DIR` keeps what was signed and the trusted root in DIR,
# as `crates/attest/tests/keyless` has them. With REKOR=1 the log is one of version 1; that
# wants mariadb-server-core and mariadb-client-core of Debian.
set -euo pipefail
ko=$(realpath "$1") keep=${2:-} version=${REKOR:-2} here=$(cd "$(dirname "$0")" && pwd)
tools=$(cd "$here/../../target/tools" && pwd) bin=$tools/sigstore
mkdir -p "$bin"
install() { # the name, the package at its version, and what go calls it
  [ -x "$bin/$1" ] || { GOBIN=$bin/new GOTOOLCHAIN=local go install "$2" && mv "$bin/new/$3" "$bin/$1"; }
}
install fulcio github.com/sigstore/fulcio@v1.8.8 fulcio
install tesseract github.com/transparency-dev/tesseract/cmd/tesseract/posix@v0.1.1 posix
install tsa github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server@v2.1.3 timestamp-server
[ -d "$bin/venv" ] || { python3 -m venv "$bin/venv" && "$bin/venv/bin/pip" install -q sigstore==4.5.1 in-toto-attestation==0.9.3; }
[ -d "$bin/node_modules/@sigstore/verify" ] || npm install --silent --no-audit --no-fund --prefix "$bin" sigstore@5.0.1

dir=$(mktemp -d) && cd "$dir"
trap 'kill $(jobs -p) 2>/dev/null; cd /; rm -rf "$dir"' EXIT
up() { "$@" >>"$dir/log" 2>&1 & last=$!; }
answers() { for _ in $(seq 100); do curl -s -o "${2:-/dev/null}" "$1" && return; sleep 0.1; done; echo "$1 does not answer"; exit 1; }
# The log, in both versions of its protocol: the older one keeps its entries in Trillian, which
# keeps them in a database.
rekor_v2() {
  install rekor github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix@v2.3.0 posix
  openssl genpkey -algorithm ed25519 -out rekor.key && openssl pkey -in rekor.key -pubout -out rekor.pub
  up "$bin/rekor" serve --hostname rekor.local --http-port 3010 --grpc-port 3011 --http-metrics-port 3012 --checkpoint-interval 1s --signer-filepath rekor.key --storage-dir "$dir/rekor"
  answers http://127.0.0.1:3010/
}
rekor_v1() {
  local trillian=github.com/google/trillian version=v1.7.2 schema db
  install rekor1 github.com/sigstore/rekor/cmd/rekor-server@v1.5.4 rekor-server
  install log-server $trillian/cmd/trillian_log_server@$version trillian_log_server
  install log-signer $trillian/cmd/trillian_log_signer@$version trillian_log_signer
  schema=$(go mod download -json $trillian@$version | sed -n 's/^\t"Dir": "\(.*\)",/\1/p')/storage/mysql/schema/storage.sql
  mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$dir/db" --auth-root-authentication-method=normal >>"$dir/log" 2>&1
  up mariadbd --no-defaults --user="$(id -un)" --datadir="$dir/db" --socket="$dir/db.sock" --skip-networking
  db=(mariadb --no-defaults --user=root --socket="$dir/db.sock")
  until "${db[@]}" -e 'CREATE DATABASE IF NOT EXISTS rekor' 2>/dev/null; do sleep 0.2; done
  "${db[@]}" rekor <"$schema"
  db=(--storage_system=mysql --mysql_uri="root@unix($dir/db.sock)/rekor" --quota_system=noop)
  up "$bin/log-server" "${db[@]}" --rpc_endpoint=127.0.0.1:3013 --http_endpoint=127.0.0.1:3014
  up "$bin/log-signer" "${db[@]}" --rpc_endpoint=127.0.0.1:3015 --http_endpoint=127.0.0.1:3016 --force_master --sequencer_interval=200ms
  answers http://127.0.0.1:3014/healthz
  up "$bin/rekor1" serve --host 127.0.0.1 --port 3010 --rekor_server.hostname rekor.local --rekor_server.signer memory --trillian_log_server.address 127.0.0.1 --trillian_log_server.port 3013 --enable_retrieve_api=false
  answers http://127.0.0.1:3010/api/v1/log/publicKey rekor.pub
}

issuer=http://127.0.0.1:8999 who=dev@example.com
openssl ecparam -name prime256v1 -genkey -noout -out ca.raw
openssl req -x509 -new -key ca.raw -days 3650 -subj /O=local/CN=local-fulcio -addext basicConstraints=critical,CA:TRUE,pathlen:1 -addext keyUsage=critical,keyCertSign,cRLSign -out ca.pem
openssl pkcs8 -topk8 -in ca.raw -out ca.key -v2 aes256 -passout pass:pw
openssl ecparam -name prime256v1 -genkey -noout -out ct.key && openssl ec -in ct.key -pubout -out ct.pub 2>/dev/null
echo "oidc-issuers: {$issuer: {issuer-url: $issuer, client-id: sigstore, type: email, description: local, contact: a@example.com}}" >fulcio.yaml
up "$bin/venv/bin/python" "$here/oidc.py" 8999
up "$bin/venv/bin/python" "$here/oidc.py" 8998
up "$bin/tesseract" --private_key ct.key --origin tesseract --storage_dir "$dir/ct" --roots_pem_file ca.pem --http_endpoint 127.0.0.1:6962
up "$bin/tsa" serve --host 127.0.0.1 --port 3004 --timestamp-signer memory --disable-ntp-monitoring
tsa=$last
answers "$issuer/.well-known/openid-configuration" && answers http://127.0.0.1:3004/api/v1/timestamp/certchain tsa.pem && answers http://127.0.0.1:6962/
# After the timestamp authority: both want the port of metrics, and this one does without.
"rekor_v$version"
rekor=$last
up "$bin/fulcio" serve --host 127.0.0.1 --grpc-host 127.0.0.1 --port 5566 --grpc-port 5567 --metrics-port 5568 --ca fileca --fileca-cert ca.pem --fileca-key ca.key --fileca-key-passwd pw --ct-log-url http://127.0.0.1:6962 --ct-log-public-key-path ct.pub --config-path fulcio.yaml --legacy-unix-domain-socket "$dir/sock"
answers http://127.0.0.1:5566/api/v2/configuration
since=start-time=2024-01-01T00:00:00Z
"$tools/cosign" trusted-root create --fulcio="url=http://127.0.0.1:5566,certificate-chain=ca.pem,$since" --ctfe="url=http://127.0.0.1:6962,public-key=ct.pub,$since" --rekor="url=http://rekor.local,public-key=rekor.pub,$since,origin=rekor.local" --tsa="url=http://127.0.0.1:3004/api/v1/timestamp,certificate-chain=tsa.pem" --no-default-fulcio --no-default-ctfe --no-default-rekor --no-default-tsa --out trusted-root.json
service() { echo "[{\"url\":\"$1\",\"majorApiVersion\":$2,\"validFor\":{\"start\":\"2024-01-01T00:00:00Z\"},\"operator\":\"local\"}]"; }
echo "{\"mediaType\":\"application/vnd.dev.sigstore.signingconfig.v0.2+json\",\"caUrls\":$(service http://127.0.0.1:5566 1),\"rekorTlogUrls\":$(service http://127.0.0.1:3010 "$version"),\"tsaUrls\":$(service http://127.0.0.1:3004/api/v1/timestamp 1),\"rekorTlogConfig\":{\"selector\":\"ANY\"},\"tsaConfig\":{\"selector\":\"ANY\"}}" >signing-config.json
echo "{\"mediaType\":\"application/vnd.dev.sigstore.clienttrustconfig.v0.1+json\",\"trustedRoot\":$(cat trusted-root.json),\"signingConfig\":$(cat signing-config.json)}" >trust-config.json

mkdir app home && cd app
printf 'module example.com/app\n\ngo 1.21\n' >go.mod
printf 'package main\n\nfunc main() { println("app") }\n' >main.go
export HOME=$dir/home KOCACHE=$dir/ko GOCACHE=${GOCACHE:-$dir/go} GOFLAGS=-buildvcs=false KO_DEFAULTBASEIMAGE=ko.static
cat >policy.cue <<'CUE'
predicateType: "https://slsa.dev/provenance/v1"
predicate: buildDefinition: externalParameters: importPath: "example.com/app"
CUE
sed 's,com/app,com/other,' policy.cue >other.cue
cat >bundle.py <<'PY'
import base64, json, sys, urllib.request
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
def get(path):
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"}
    return urllib.request.urlopen(urllib.request.Request(sys.argv[1] + path, headers=accept)).read()
image = sys.argv[2]
open("manifest.json", "wb").write(manifest := get(f"/manifests/{image}"))
open("config.json", "wb").write(get("/blobs/" + json.loads(manifest)["config"]["digest"]))
try: listed = get(f"/referrers/{image}")
except urllib.error.HTTPError: listed = get("/manifests/" + image.replace(":", "-"))
for entry in json.loads(listed)["manifests"]:
    layer = json.loads(get("/manifests/" + entry["digest"]))["layers"][0]
    bundle = get("/blobs/" + layer["digest"])
    statement = json.loads(base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]))
    name = "provenance" if "slsa" in statement["predicateType"] else "signature"
    open(name + ".json", "wb").write(bundle)
    if name == "provenance":
        Statement.copy_from_pb(json_format.ParseDict(statement, statement_pb2.Statement())).validate()
        print("in-toto's validator: the statement is valid")
PY
cat >verify.cjs <<'JS'
const at = process.argv[2] + '/node_modules/@sigstore/', fs = require('fs');
const { bundleFromJSON } = require(at + 'bundle');
const { toTrustMaterial, toSignedEntity, Verifier } = require(at + 'verify');
const { TrustedRoot } = require(at + 'protobuf-specs');
const [root, file, subjectAlternativeName, issuer] = process.argv.slice(3);
const json = (path) => JSON.parse(fs.readFileSync(path));
const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(json(root))), { tsaThreshold: 1, tlogThreshold: 1, ctlogThreshold: 1 });
verifier.verify(toSignedEntity(bundleFromJSON(json(file))), { subjectAlternativeName, extensions: { issuer } });
console.log('npm sigstore: verified', file);
JS
refused() { if "$@" >>"$dir/log" 2>&1; then echo "not refused: $*"; exit 1; fi; }
root=$dir/trusted-root.json
# A registry with an API for referrers, and two without.
up "$tools/registries/olareg" serve --addr 127.0.0.1 --port 5902 --store-type mem
up env PORT=5903 "$tools/registries/crane" registry serve --address 127.0.0.1:5903
printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:5904"}\n' "$dir/distribution" >distribution.yml
up docker-registry serve distribution.yml
for port in 5902 5903 5904; do
  host=127.0.0.1:$port && answers "http://$host/v2/"
  SIGSTORE_ID_TOKEN=$(curl -s "$issuer/token") KO_DOCKER_REPO=$host/app "$ko" build --bare -t v1 --sbom=none --sign --provenance --signing-key=keyless --signing-config=../signing-config.json --yes . >image
  image=$(sed 's/:v1@/@/' image) digest=${image#*@}
  by=(--trusted-root "$root" --certificate-identity "$who" --certificate-oidc-issuer "$issuer" --use-signed-timestamps --allow-http-registry)
  "$tools/cosign" verify "${by[@]}" "$image" >>"$dir/log" 2>&1 && echo "cosign verify: verified $image"
  "$tools/cosign" verify-attestation "${by[@]}" --type slsaprovenance1 --policy policy.cue "$image" >>"$dir/log" 2>&1 && echo "cosign verify-attestation: the policy holds"
  refused "$tools/cosign" verify-attestation "${by[@]}" --type slsaprovenance1 --policy other.cue "$image"
  "$tools/cosign" tree --allow-http-registry "$image" | grep -c 'artifacts via OCI referrer' | sed 's/^/cosign tree: /'
  "$tools/registries/oras" discover --plain-http "$image" | grep -c predicateType | sed 's/^/oras discover: /'
  "$tools/registries/crane" export "$image" - 2>>"$dir/log" | tar t 2>/dev/null | grep -x '/\?ko-app/app'
  "$bin/venv/bin/python" bundle.py "http://$host/v2/app" "$digest"
  for file in signature provenance; do node verify.cjs "$bin" "$root" $file.json "$who" "$issuer"; done
  refused node verify.cjs "$bin" "$root" signature.json other@example.com "$issuer"
  "$bin/venv/bin/sigstore" --trust-config ../trust-config.json verify identity --offline --bundle provenance.json --cert-identity "$who" --cert-oidc-issuer "$issuer" "$digest" 2>&1 | grep -o '^OK: SHA2_256:.*' | sed 's/^/PyPI sigstore: /'
  own=(--trust-cache --source=. --trusted-root="$root" --certificate-oidc-issuer="$issuer")
  "$ko" verify "${own[@]}" --certificate-identity="$who" "$image" 2>>"$dir/log"
  refused "$ko" verify "${own[@]}" --certificate-identity=other@example.com "$image"
done
# In bad order: who refuses, or is away, is named, and no tag moves.
refuses() { # what is said, the token, and what runs ko
  SIGSTORE_ID_TOKEN=$2 KO_DOCKER_REPO=$host/bad "${@:3}" "$ko" build --bare -t v1 --sbom=none --sign --signing-key=keyless --signing-config=../signing-config.json --yes . >out 2>&1 && { echo "not refused: $1"; exit 1; }
  { grep -F "$1" out && grep -F 'no tag has moved' out; } >>"$dir/log" || { echo "not said: $1"; cat out; exit 1; }
  "$tools/registries/crane" ls "$host/bad" 2>/dev/null | grep -x v1 && { echo "a tag has moved: $1"; exit 1; }
  echo "refused: $(grep -oF "$1" out | head -1)"
}
token() { curl -s "$issuer/token?$1"; }
refuses 'the certificate authority http://127.0.0.1:5566/api/v2/signingCert answers 40' "$(curl -s http://127.0.0.1:8998/token)"
refuses 'the certificate authority http://127.0.0.1:5566/api/v2/signingCert answers 40' "$(token aud=other)"
# The clock of whoever signs is an hour slow: the token's time is over for all others.
refuses 'the certificate authority http://127.0.0.1:5566/api/v2/signingCert answers 40' "$(token ago=1800)" faketime -f -1h
kill "$rekor" && refuses 'no answer from the transparency log http://127.0.0.1:3010/' "$(token '')"
kill "$tsa" && refuses 'no answer from the timestamp authority http://127.0.0.1:3004/' "$(token '')"
if [ -n "$keep" ]; then cp manifest.json config.json signature.json provenance.json "$root" "$keep"; fi
