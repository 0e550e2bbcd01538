#!/usr/bin/env bash
# clap_mangen leaves the description of an option out of the man page if the option is
# hidden in the short help only.
#
# clap 4.6.9 with clap_mangen 0.3.3, and an option with `hide_short_help(true)`:
#
#   --help:  has the option, and says what it does
#   man:     has the option, and nothing behind it
#
# One would expect a man page to be like `--help`, for which such options are made:
# `hide_short_help` hides in `-h` alone, and what is to be hidden in `--help` has
# `hide_long_help`. A page may so list a good part of its options without a word.
#
# Needs: bash, cargo.
set -euo pipefail

command -v cargo >/dev/null || { echo "cargo is missing" >&2; exit 2; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

mkdir "$dir/src"
cat >"$dir/Cargo.toml" <<'TOML'
[package]
name = "short-help"
version = "0.1.0"
edition = "2021"

[dependencies]
clap = { version = "=4.6.9", default-features = false, features = ["std", "help"] }
clap_mangen = "=0.3.3"
TOML
cat >"$dir/src/main.rs" <<'RUST'
use clap::{Arg, Command};

fn main() {
    let plain = Arg::new("plain").long("plain").help("Says how plain it is");
    let rare = Arg::new("rare").long("rare").help("Says how rare it is").hide_short_help(true);
    let mut command = Command::new("tool").arg(plain).arg(rare);
    let help = command.render_long_help().to_string();
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    for (name, text) in [("help", &help), ("man", &page)] {
        let option = text.contains("rare");
        println!("{name} {option} {} {}", text.contains("how plain"), text.contains("how rare"));
    }
}
RUST
(cd "$dir" && cargo build --quiet) || exit 2
seen=$("$dir/target/debug/short-help")
echo "page, has the option, plain is described, rare is described:"
echo "$seen"
if [[ $seen == $'help true true true\nman true true false' ]]; then
    exit 0
fi
echo "that has changed" >&2
exit 1
