#!/bin/bash
# github.com/aws/aws-sdk-go-v2/config 1.32.10: AWS_ENDPOINT_URL does not count for the
# STS call that exchanges a web identity token.
#
# Behaviour: the SDK's reference says that AWS_ENDPOINT_URL is the endpoint of all
# services, and AWS_ENDPOINT_URL_STS that of STS alone. But where the configuration
# itself calls STS, to exchange AWS_WEB_IDENTITY_TOKEN_FILE
# for keys, it goes to sts.REGION.amazonaws.com if only AWS_ENDPOINT_URL is set. So a
# private or emulated cloud gets all calls but the first.
#
# Expected: the call goes to AWS_ENDPOINT_URL.
#
# Seen (a server on loopback gives keys, and is the endpoint):
#   AWS_ENDPOINT_URL      sts.us-east-1.amazonaws.com was asked
#   AWS_ENDPOINT_URL_STS  keys of the server on loopback
#
# Needs go and python3. Where the network answers for Amazon, the first call is one
# without effect: the token is none.
set -euo pipefail

for tool in go python3; do
    command -v "$tool" >/dev/null || { echo "$tool is missing"; exit 2; }
done
tmp=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
cd "$tmp"

cat >go.mod <<'MOD'
module example.com/endpoint

go 1.24

require github.com/aws/aws-sdk-go-v2/config v1.32.10
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		panic(err)
	}
	keys, err := settings.Credentials.Retrieve(ctx)
	switch {
	case err == nil && keys.AccessKeyID == "LOOPBACK":
		fmt.Println("keys of the server on loopback")
	case err != nil && (strings.Contains(err.Error(), "https://sts.us-east-1.amazonaws.com/") ||
		strings.Contains(err.Error(), "InvalidIdentityToken")):
		fmt.Println("sts.us-east-1.amazonaws.com was asked")
	default:
		fmt.Println(keys.AccessKeyID, err)
	}
}
GO
export GOENV=off GOFLAGS=-mod=mod GOPATH=$tmp/go
{ go mod tidy && go build -o endpoint .; } >log 2>&1 || { cat log; exit 2; }

cat >server.py <<'PY'
import http.server

BODY = b"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>LOOPBACK</AccessKeyId>
<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


class Sts(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Sts)
print(server.server_port, flush=True)
server.serve_forever()
PY
mkfifo port
python3 server.py >port &
server=$!
read -r port <port
echo token >token

ask() {
    env -i PATH="$PATH" HOME="$tmp" AWS_REGION=us-east-1 AWS_MAX_ATTEMPTS=1 \
        AWS_ROLE_ARN=arn:aws:iam::123456789012:role/r AWS_WEB_IDENTITY_TOKEN_FILE="$tmp/token" \
        "$1=http://127.0.0.1:$port" ./endpoint
}
seen=$(printf '%-21s %s\n' AWS_ENDPOINT_URL "$(ask AWS_ENDPOINT_URL)" \
    AWS_ENDPOINT_URL_STS "$(ask AWS_ENDPOINT_URL_STS)")
want='AWS_ENDPOINT_URL      sts.us-east-1.amazonaws.com was asked
AWS_ENDPOINT_URL_STS  keys of the server on loopback'
echo "$seen"
[ "$seen" = "$want" ] || { echo "this is not what was seen before"; exit 1; }
