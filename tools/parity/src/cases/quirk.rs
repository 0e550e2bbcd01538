//! What surprises in ko, beyond what other cases show. Two things are not
//! run: a negative `-j`, with which ko never ends, and links in kodata that
//! lead back, with which it takes all memory.

use super::modules::{app, stamped, write};
use super::three;
use crate::case::{Case, WEB};
use std::path::Path;
use testkit::base::{Format, Image, Index};
use testkit::module::Module;

pub(super) fn cases() -> Vec<Case> {
    let web = |name, words: &str| Case::build(name, &format!("./cmd/web {words}")).module(stamped);
    vec![
        web("quirk/goos-empty", "--platform=linux/amd64").env("GOOS", "").works(
            "combined with GOOS=\"\"",
            WEB,
            super::EMPTY_IS_UNSET,
        ),
        web("quirk/goarm-with-arm64", "")
            .base(three(Format::Docker))
            .env("GOOS", "linux")
            .env("GOARCH", "arm64")
            .env("GOARM", "7")
            .works("no matching platforms in base image index", WEB, "GOARM is for arm alone"),
        web("quirk/variant-of-an-image", "--platform=linux/arm/v7")
            .base(Image::oci("linux/arm/v7").build())
            .fails("does not match desired platforms [linux/arm/v7]"),
        Case::build("quirk/kodata-is-a-link", "./cmd/web")
            .module(|dir: &Path| {
                app(dir);
                write(dir, "assets/a.txt", "a\n");
                link("../../assets", &dir.join("cmd/web/kodata"));
            })
            .refuses("tarring kodata: ", WEB, "ko takes it for empty; ours names it"),
        Case::build("quirk/only-for-the-target", "./cmd/web --platform=windows/amd64")
            .module(|dir: &Path| {
                Module::new(dir, "example.com/app")
                    .file("cmd/web/main_windows.go", "package main\n\nfunc main() {}\n");
            })
            .base(
                Index::docker()
                    .image(Image::docker("windows/amd64:10.0.17763.1"))
                    .image(Image::docker("linux/amd64"))
                    .build(),
            )
            .works(
                "importpath is not `package main`",
                WEB,
                "packages are looked at as the platform sees them",
            ),
        Case::build("quirk/missing-directory", "./nope").fails("importpath is not `package main`"),
        Case::build("quirk/file-argument", "./cmd/web/main.go")
            .fails("importpath is not `package main`"),
        web("quirk/jobs-zero", "-j 0"),
    ]
}

/// Makes a link.
fn link(target: &str, path: &Path) {
    #[cfg(unix)]
    std::os::unix::fs::symlink(target, path).expect("the directory is ours");
    #[cfg(not(unix))]
    let _ = (target, path);
}
