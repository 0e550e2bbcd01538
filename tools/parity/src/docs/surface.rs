//! The commands and flags of ko.

use super::Answer::{Better, Different, Same};
use super::{Answer, Row};

/// A flag.
#[derive(Debug)]
pub(super) struct Flag {
    /// Its names, as the help shows them.
    pub(super) names: &'static str,
    /// The commands that have it; all, if there are none.
    pub(super) commands: &'static [&'static str],
    pub(super) answer: Answer,
}

pub(super) const COMMANDS: [Row; 21] = [
    ("ko", Same),
    ("ko apply", Better("waits for kubectl, whatever signal comes; stops building when it fails")),
    ("ko auth", Same),
    ("ko auth get", Better("`DOCKER_AUTH_CONFIG` counts also without a docker configuration")),
    ("ko auth login", Same),
    ("ko auth logout", Same),
    ("ko auth token", Same),
    (
        "ko build",
        Better("lines on stdout in the order of the arguments; all arguments are checked first"),
    ),
    ("ko publish", Same),
    ("ko completion", Better("without a shell it prints the script for bash")),
    ("ko completion bash", Same),
    ("ko completion fish", Same),
    ("ko completion powershell", Same),
    ("ko completion zsh", Same),
    ("ko create", Better("as `ko apply`")),
    ("ko delete", Same),
    ("ko help", Same),
    ("ko login", Better("keeps keys of the file that it does not know")),
    (
        "ko resolve",
        Better(
            "bytes outside references stay; all wrong references are reported before anything is built",
        ),
    ),
    ("ko run", Better("programs are built in the order of the arguments, and run in it")),
    ("ko version", Different("prints our version")),
];

const IMAGES: &[&str] = &["build", "resolve", "apply", "create", "run"];
const MANIFESTS: &[&str] = &["resolve", "apply", "create"];
const LOGIN: &[&str] = &["login", "auth login"];
const TOKEN: &[&str] = &["auth token"];
const SHELLS: &[&str] =
    &["completion bash", "completion fish", "completion powershell", "completion zsh"];

const fn flag(names: &'static str, commands: &'static [&'static str], answer: Answer) -> Flag {
    Flag { names, commands, answer }
}

pub(super) const FLAGS: [Flag; 35] = [
    flag("-h, --help", &[], Same),
    flag(
        "-v, --verbose",
        &[],
        Different(
            "taken everywhere; shows why programs are built, what `--embedded` found, and each request to a registry without its secrets",
        ),
    ),
    flag("--bare", IMAGES, Same),
    flag("-B, --base-import-paths", IMAGES, Same),
    flag(
        "--debug",
        IMAGES,
        Better(
            "Delve is of a pinned version (`--debug-version`) and built once; it works without git",
        ),
    ),
    flag("--disable-optimizations", IMAGES, Same),
    flag("-f, --filename", MANIFESTS, Better("takes `http` and `https` URLs")),
    flag("-H, --header", TOKEN, Same),
    flag("--image-annotation", IMAGES, Same),
    flag("--image-label", IMAGES, Same),
    flag("--image-refs", IMAGES, Better("a file that cannot be written is an error")),
    flag("--image-user", IMAGES, Same),
    flag("--insecure-registry", IMAGES, Same),
    flag("-j, --jobs", IMAGES, Better("a negative number is an error, where ko never ends")),
    flag("--ldflags", IMAGES, Better("syntax errors of templates are found first")),
    flag(
        "-L, --local",
        IMAGES,
        Better(
            "for the engine's platform unless one is named; layers that it has are not sent; Docker's contexts count; with `--tarball` or `--oci-layout-path` an error, where ko ignores those",
        ),
    ),
    flag("-m, --mount", TOKEN, Same),
    flag("--no-descriptions", SHELLS, Same),
    flag(
        "--oci-layout-path",
        IMAGES,
        Better("any path will do, not only what could be a repository's name"),
    ),
    flag("-p, --password", LOGIN, Same),
    flag("--password-stdin", LOGIN, Same),
    flag("--platform", IMAGES, Same),
    flag("-P, --preserve-import-paths", IMAGES, Same),
    flag("--push", IMAGES, Better("names that are only printed are those that would be pushed")),
    flag("--push (of ko auth token)", TOKEN, Same),
    flag("-R, --recursive", MANIFESTS, Same),
    flag(
        "--sbom",
        IMAGES,
        Better("CycloneDX is back; an unknown format is an error; what is said is below"),
    ),
    flag(
        "--sbom-dir",
        IMAGES,
        Better("programs of the same name do not overwrite each other's files"),
    ),
    flag("-l, --selector", MANIFESTS, Same),
    flag("--tag-only", IMAGES, Same),
    flag(
        "-t, --tags",
        IMAGES,
        Better(
            "elements with `{{ }}` are templates; no tag at all is an error, where ko pushes nothing and prints a reference",
        ),
    ),
    flag(
        "--tarball",
        IMAGES,
        Better(
            "several platforms give an OCI archive that engines of one platform can also read; the file is complete or absent; a file that cannot be written is an error",
        ),
    ),
    flag("-u, --username", LOGIN, Same),
    flag("unknown flags", IMAGES, Better("the nearest known one is suggested")),
    flag("flags after --", IMAGES, Same),
];
