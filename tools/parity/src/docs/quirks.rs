//! What surprises in ko, and whether it is so here.

/// What became of a quirk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It is the same here.
    Kept,
    /// It is not so here, but: ...
    Mended(&'static str),
}

use Fate::{Kept, Mended};

/// How a table says it.
pub(super) fn text(fate: Fate) -> String {
    match fate {
        Kept => "kept".to_owned(),
        Mended(how) => format!("mended: {how}"),
    }
}

/// The quirks, in the order of their numbers.
pub(super) const QUIRKS: [(&str, Fate); 58] = [
    ("lines on stdout come in any order", Mended("in the order of the arguments")),
    ("nothing is printed if a later argument fails", Kept),
    (
        "an index on an OCI base names the digest of a base that exists nowhere",
        Mended("the base's real digest"),
    ),
    ("times are in the local zone", Mended("in UTC")),
    ("the time of an image is its base's", Kept),
    (
        "a program that no build names goes to the directory of any build",
        Mended("to the module that has it"),
    ),
    (
        "names are lower-cased when something is pushed, and not when nothing is",
        Mended("in both cases"),
    ),
    ("without a push the tag `latest` is printed, with one it is not", Kept),
    ("an archive or list that cannot be written is no error", Mended("it is one")),
    ("a layout's path has to look like a repository", Mended("any path will do")),
    ("no tag means that nothing is pushed, and a reference is printed", Mended("an error")),
    ("a negative `-j` never ends", Mended("an error")),
    ("`-j` does not change how many blobs are sent at a time", Kept),
    (
        "a relative `KOCACHE` breaks builds in another directory",
        Mended("it is relative to where ko runs"),
    ),
    (
        "`GOOS` alone changes the binary and not the platform",
        Mended("the binary is the platform's; other variables of the process still count"),
    ),
    ("an empty `GOOS` cannot go with platforms", Mended("empty is not set")),
    ("`GOARM` makes a platform of arm64 that nothing matches", Mended("it is for arm alone")),
    ("the variant of a base that is one image is not read", Kept),
    (
        "platforms that the base lacks are passed over if it has another, without a word",
        Mended("with a warning"),
    ),
    ("`kodata` that is a link is empty", Mended("it is followed, or told if it leads out")),
    ("links in kodata that lead back take all memory", Mended("an error")),
    (
        "a program that the host's system excludes cannot be built",
        Mended("packages are looked at as the platform sees them"),
    ),
    ("packages are listed by another go than `KO_GO_PATH`", Mended("by the same")),
    (
        "git and `go env` run for each build, and git's state is reported",
        Mended("only when a template asks"),
    ),
    ("`-trimpath` always", Kept),
    ("a comma splits `--ldflags`", Kept),
    ("any word but `none` is an SBOM", Mended("an unknown format is an error")),
    ("`ko run` wants the path first, and swallows unknown flags", Kept),
    ("`ko delete` passes everything on, and fails with 1", Kept),
    ("`ko apply` sends empty documents first", Kept),
    ("`-f` takes no URL, whatever its help says", Mended("it does")),
    ("`-f` of a directory passes over `.yml`", Kept),
    ("YAML is folded and indented anew", Mended("every byte outside of references stays")),
    ("keys are replaced like values", Kept),
    ("JSON documents without `---` between them are refused", Kept),
    ("any destination that begins with `ko.local` is the daemon", Kept),
    ("`-L` keeps the destination in the name", Kept),
    ("`PATH` is joined by a colon, for Windows too", Kept),
    ("`PATH` and `KO_DATA_PATH` are added to whatever the base has", Kept),
    ("names in layers begin with a slash, or not", Kept),
    ("fields of a base that are not known are dropped", Kept),
    ("descriptors of an index carry `artifactType`, in Docker's too", Kept),
    (
        "SBOMs do not know `replace`, and have bad identifiers",
        Mended("they do, and have good ones"),
    ),
    (
        "an SBOM is pushed before its image, under a tag",
        Mended("the tag moves when all images of the run are there, just before theirs"),
    ),
    ("a docker configuration at home makes one of `DOCKER_CONFIG` empty", Kept),
    (
        "a credential helper is asked for the repository first",
        Mended("for the registry, once; for a repository only if `credHelpers` names it"),
    ),
    ("`qualifying local import` names no path", Mended("the path is named")),
    ("a package that is missing is `not package main`", Mended("go's own words follow")),
    ("`.ko.json` comes before `.ko.yaml`", Kept),
    ("overrides match import paths in lower case", Kept),
    (
        "a base that cannot be fetched is fetched again, with a strange notice",
        Mended("requests are retried where that can help"),
    ),
    (
        "Delve is cloned at its newest, again and again",
        Mended("a module at a pinned version, built once and kept"),
    ),
    ("an image that is in a layout is listed again", Kept),
    ("`ko completion` prints help", Mended("prints the script for bash")),
    ("`ko login` drops keys of the docker configuration", Mended("they are kept")),
    (
        "the history of a base of the daemon is upside down, and its authors are the image's",
        Mended("as the base has it"),
    ),
    (
        "of several keys of one registry that have paths, one is used, at random",
        Mended("a path is a namespace: it counts below it, and the longest first"),
    ),
    (
        "a registry on a private address cannot have its token server on another port",
        Mended("it can, and on another address of the same kind"),
    ),
];
