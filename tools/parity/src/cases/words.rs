//! How the command line is read.

use crate::case::{Case, WEB};

pub(super) fn cases() -> Vec<Case> {
    let web = |name, words: &str| Case::build(name, &format!("./cmd/web {words}"));
    let all = |name, words: &str| Case::build(name, words);
    let mut cases = vec![
        web("words/short-joined", "-tv1"),
        web("words/short-equals", "-t=v1"),
        web("words/short-apart", "-t v1"),
        web("words/short-list", "-tv1,v2"),
        web("words/short-combined", "-PBv -t v1"),
        web("words/short-combined-value", "-BPtv1"),
        web("words/short-combined-false", "-PB=false"),
        web("words/jobs-joined", "-j2"),
        web("words/jobs-equals", "-j=2"),
        web("words/jobs-hexadecimal", "-j 0x2"),
        web("words/jobs-underscore", "-j 1_0"),
        web("words/csv-quotes", "").arg("--image-label").arg("\"a=x,y\",b=\"z")
            .fails("parse error on line 1, column 11: bare \" in non-quoted-field"),
        web("words/csv-quoted-field", "").arg("--image-label").arg("\"a=x,y\",b=z"),
        web("words/csv-doubled-quotes", "").arg("--image-label=\"a=\"\"x\"\"\""),
        web("words/csv-spaces", "").arg("--image-label= a=x, b=y"),
        web("words/csv-lines", "").arg("--image-label=a=x\nb=y"),
        web("words/csv-two-occurrences", "--image-label a=1 --image-label b=2,c=3"),
        web("words/false", "--bare=false -P=false"),
        web("words/one-and-zero", "--bare=1 -P=0"),
        web("words/letters", "--bare=t --preserve-import-paths=F"),
        web("words/true-upper-case", "--bare=TRUE"),
        web("words/last-counts", "--bare --bare=false"),
        web("words/equals-in-value", "--image-user=a=b"),
        web("words/empty-value", "--image-user="),
        web("words/empty-word-value", "").arg("--image-user").arg(""),
        web("words/dash-value", "--image-user -1"),
        web("words/verbose-false", "-v=false"),
        all("words/interspersed", "--bare ./cmd/web -t v1"),
        all("words/dashes", "-t v1 -- ./cmd/web"),
        all("words/dashes-between", "./cmd/web -- ./cmd/worker").order(&["web-", "worker-"]),
        all("words/value-is-dashes", "--image-user -- ./cmd/web"),
        all("words/boolean-takes-no-word", "--bare false ./cmd/web").fails("is not supported"),
        web("words/flag-after-dashes", "-- --bare")
            .fails("importpath \"ko://--bare\" is not supported")
            .differs(
                "error importpath \"ko://--bare\" is not supported",
                Some("not said, but: Error: failed to publish images: \"--bare\" is not an import path: an import path does not begin with '-'\nhint: a program is named as in ./cmd/app or example.com/app/cmd/app"),
                "a flag after -- is told as what it is",
            )
            .differs(&format!("tags {WEB}"), None, super::CHECKED_FIRST),
    ];
    let mut global =
        Case::command("words/global-flag-first", "-v=false build ./cmd/web --sbom=none");
    cases.push(global.clone());
    global = Case::command("words/publish-alias", "publish ./cmd/web -B");
    cases.push(global);
    cases.extend(wrong());
    cases
}

fn wrong() -> Vec<Case> {
    let one = |name: &str, words: &str, phrase| Case::command(name, words).fails(phrase);
    vec![
        one("words/unknown-command", "buidl", "Error: unknown command \"buidl\" for \"ko\"\n\nDid you mean this?\n\tbuild\n\nRun 'ko --help' for usage."),
        one("words/unknown-command-far", "xyzzy", "Error: unknown command \"xyzzy\" for \"ko\"\nRun 'ko --help' for usage."),
        one("words/unknown-command-prefix", "log", "Did you mean this?\n\tlogin\n"),
        one("words/version-flag", "--version", "Error: unknown flag: --version"),
        one("words/unknown-flag-value", "build --bogus=1", "Error: unknown flag: --bogus"),
        one("words/unknown-letters", "build -Px", "Error: unknown shorthand flag: 'x' in -x"),
        one("words/unknown-letter-value", "build -x=1", "Error: unknown shorthand flag: 'x' in -x=1"),
        one("words/unknown-letters-value", "build -Pxyz=1", "Error: unknown shorthand flag: 'x' in -xyz=1"),
        one("words/help-value", "build --help=x", "Error: invalid argument \"x\" for \"-h, --help\" flag"),
        one("words/no-value", "build --image-user", "Error: flag needs an argument: --image-user"),
        one("words/no-value-short", "build -t", "Error: flag needs an argument: 't' in -t"),
        one("words/bad-integer", "build -j x", "Error: invalid argument \"x\" for \"-j, --jobs\" flag: strconv.ParseInt: parsing \"x\": invalid syntax"),
        one("words/bad-integer-fraction", "build --jobs=1.5", "invalid argument \"1.5\" for \"-j, --jobs\" flag: strconv.ParseInt: parsing \"1.5\": invalid syntax"),
        one("words/bad-integer-range", "build --jobs=99999999999999999999", "strconv.ParseInt: parsing \"99999999999999999999\": value out of range"),
        one("words/bad-boolean", "build --bare=yes", "Error: invalid argument \"yes\" for \"--bare\" flag: strconv.ParseBool: parsing \"yes\": invalid syntax"),
        one("words/bad-boolean-short", "build -P=no", "Error: invalid argument \"no\" for \"-P, --preserve-import-paths\" flag: strconv.ParseBool: parsing \"no\": invalid syntax"),
        Case::command("words/csv-bare-quote", "build").arg("--ldflags").arg("-extldflags \"-static\"")
            .fails("Error: invalid argument \"-extldflags \\\"-static\\\"\" for \"--ldflags\" flag: parse error on line 1, column 13: bare \" in non-quoted-field"),
        one("words/login-without-server", "login", "Error: accepts 1 arg(s), received 0"),
        one("words/login-two-servers", "login a b", "Error: accepts 1 arg(s), received 2"),
        one("words/no-dashes-flag", "build ---", "Error: bad flag syntax: ---"),
        one("words/equals-flag", "build --=x", "Error: bad flag syntax: --=x"),
        one("words/auth-unknown", "auth nope", "unknown command \"nope\" for \"ko auth\""),
    ]
}
