#!/bin/bash
# go.yaml.in/yaml/v3 3.0.4: it reads UTF-16 only with a byte-order mark, and no
# UTF-32.
#
# Behaviour: without a mark, UTF-16 is refused; UTF-32 is refused with and without.
# The error, "control characters are not allowed", does not hint at the encoding:
# the NUL bytes are taken for characters.
#
# Expected: YAML 1.2, section 5.2, requires UTF-8 and UTF-16, and UTF-32 for
# compatibility with JSON, and says how to tell them apart without a mark: the
# first character is ASCII, so the place of its NUL bytes shows the encoding.
#
# Seen (the document is `name: value`; BOM: with a byte-order mark):
#   UTF-8         read
#   UTF-8 BOM     read
#   UTF-16LE      refused
#   UTF-16LE BOM  read
#   UTF-16BE      refused
#   UTF-16BE BOM  read
#   UTF-32LE      refused
#   UTF-32LE BOM  refused
#   UTF-32BE      refused
#   UTF-32BE BOM  refused
#
# Needs go and python3.
set -euo pipefail

tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
export GOENV=off GOFLAGS=-trimpath GOTOOLCHAIN=go1.26.8 GOPATH=$tmp/go CGO_ENABLED=0

mkdir "$tmp/read"
cd "$tmp/read"
printf 'module example.com/read\n\ngo 1.26\n' >go.mod
cat >main.go <<'EOF'
// Reads a YAML document from standard input.
package main

import (
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	var document map[string]string
	switch err := yaml.Unmarshal(text, &document); {
	case err != nil && err.Error() == "yaml: control characters are not allowed":
		fmt.Println("refused")
	case err != nil:
		fmt.Println(err)
	case len(document) == 1 && document["name"] == "value":
		fmt.Println("read")
	default:
		fmt.Printf("misread: %q\n", document)
	}
}
EOF
go get go.yaml.in/yaml/v3@v3.0.4 2>/dev/null || exit 2
go build -o "$tmp/yaml" . || exit 2

encoded() {
    python3 -c '
import sys
text = sys.argv[2] + "name: value\n"
sys.stdout.buffer.write(text.encode(sys.argv[1]))' "$1" "$2"
}
bom=$(printf '\357\273\277')
for encoding in UTF-8 UTF-16LE UTF-16BE UTF-32LE UTF-32BE; do
    printf '%-13s %s\n' "$encoding" "$(encoded $encoding '' | "$tmp/yaml")"
    printf '%-13s %s\n' "$encoding BOM" "$(encoded $encoding "$bom" | "$tmp/yaml")"
done >"$tmp/seen"

cat >"$tmp/expected" <<'EOF'
UTF-8         read
UTF-8 BOM     read
UTF-16LE      refused
UTF-16LE BOM  read
UTF-16BE      refused
UTF-16BE BOM  read
UTF-32LE      refused
UTF-32LE BOM  refused
UTF-32BE      refused
UTF-32BE BOM  refused
EOF
cat "$tmp/seen"
cmp -s "$tmp/seen" "$tmp/expected" || { echo 'This has changed.'; exit 1; }
