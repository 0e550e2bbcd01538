#!/usr/bin/env bash
# NO_PROXY is not one format: Go and Rust's HTTP clients read the same value
# otherwise.
#
# golang.org/x/net/http/httpproxy 0.62.0 (the rules of Go's net/http) against
# hyper-util 0.1.21 (`client::proxy::matcher`, which reqwest 0.13 uses):
#
#   NO_PROXY            URL                      Go      hyper-util
#   r.example:5000      https://r.example:5000/  direct  proxy
#   r.example:5000      https://r.example/       proxy   proxy
#   .r.example          https://r.example/       proxy   direct
#   *.r.example         https://a.r.example/     direct  proxy
#   10.1.2.3:5000       https://10.1.2.3:5000/   direct  proxy
#   (empty)             https://127.0.0.1/       direct  proxy
#
# One would expect that a list that works for one works for the other: both say
# that they follow what curl and others do. A port and `*.` count only in Go; a
# leading dot leaves the domain itself out only in Go; and this machine is never
# behind a proxy only in Go.
#
# Needs: bash, go, cargo.
set -euo pipefail

for tool in go cargo; do
    command -v "$tool" >/dev/null || { echo "$tool is missing" >&2; exit 2; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

cat >"$dir/cases" <<'CASES'
r.example:5000 https://r.example:5000/
r.example:5000 https://r.example/
.r.example https://r.example/
*.r.example https://a.r.example/
10.1.2.3:5000 https://10.1.2.3:5000/
- https://127.0.0.1/
CASES

mkdir "$dir/go"
cat >"$dir/go/go.mod" <<'MOD'
module example.com/proxies

go 1.25.0

require golang.org/x/net v0.62.0
MOD
cat >"$dir/go/main.go" <<'GO'
package main

import (
	"fmt"
	"net/url"
	"os"

	"golang.org/x/net/http/httpproxy"
)

func main() {
	config := httpproxy.Config{HTTPSProxy: "http://proxy.example:3128", NoProxy: os.Args[1]}
	target, err := url.Parse(os.Args[2])
	if err != nil {
		panic(err)
	}
	proxy, err := config.ProxyFunc()(target)
	if err != nil {
		panic(err)
	}
	if proxy == nil {
		fmt.Println("direct")
	} else {
		fmt.Println("proxy")
	}
}
GO
(cd "$dir/go" && GOFLAGS=-mod=mod GOENV=off go build -o ../in-go . >"$dir/log" 2>&1) ||
    { cat "$dir/log" >&2; exit 2; }

mkdir -p "$dir/rust/src"
cat >"$dir/rust/Cargo.toml" <<'TOML'
[package]
name = "proxies"
version = "0.0.0"
edition = "2021"

[dependencies]
http = "=1.5.0"
hyper-util = { version = "=0.1.21", default-features = false, features = ["client", "client-legacy", "client-proxy"] }
TOML
cat >"$dir/rust/src/main.rs" <<'RUST'
use hyper_util::client::proxy::matcher::Matcher;

fn main() {
    let mut words = std::env::args().skip(1);
    let (no_proxy, target) = (words.next().unwrap(), words.next().unwrap());
    let matcher = Matcher::builder().https("http://proxy.example:3128").no(no_proxy).build();
    let target: http::Uri = target.parse().unwrap();
    println!("{}", if matcher.intercept(&target).is_some() { "proxy" } else { "direct" });
}
RUST
(cd "$dir/rust" && CARGO_TARGET_DIR="$dir/target" cargo build --quiet >"$dir/log" 2>&1) ||
    { cat "$dir/log" >&2; exit 2; }

seen=$(while read -r no_proxy url; do
    [ "$no_proxy" = - ] && no_proxy=
    echo "${no_proxy:--} $url $("$dir/in-go" "$no_proxy" "$url") $("$dir/target/debug/proxies" "$no_proxy" "$url")"
done <"$dir/cases")
want='r.example:5000 https://r.example:5000/ direct proxy
r.example:5000 https://r.example/ proxy proxy
.r.example https://r.example/ proxy direct
*.r.example https://a.r.example/ direct proxy
10.1.2.3:5000 https://10.1.2.3:5000/ direct proxy
- https://127.0.0.1/ direct proxy'
echo "$seen"
[ "$seen" = "$want" ] || { echo "this is not what was seen before" >&2; exit 1; }
