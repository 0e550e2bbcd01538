//! Images for Windows: the layout of their layers, attributes, links, and
//! which version of the system is taken.

use super::modules::{app, write};
use super::{assets, stamped};
use crate::case::Case;
use std::path::Path;
use testkit::base::{Fixture, Image, Index};

/// What both say of a link.
const SKIPPED: &str = "skipping symlink in kodata for windows: ";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = layers();
    cases.extend(kodata());
    cases.extend(versions());
    cases
}

fn on(name: &str, words: &str, base: Fixture) -> Case {
    Case::build(name, &format!("./cmd/web {words}")).base(base)
}

/// An index with a linux image, on which ko looks at packages, and one for
/// windows.
fn both(windows: Image) -> Fixture {
    Index::docker().image(Image::docker("linux/amd64")).image(windows).build()
}

fn image() -> Image {
    Image::docker("windows/amd64:10.0.17763.1234")
}

/// What is in an image beside kodata.
fn layers() -> Vec<Case> {
    let one = |name, words: &str, image: Image| {
        on(name, &format!("--platform=windows/amd64 {words}"), both(image))
    };
    vec![
        one("windows/image", "", image()),
        one("windows/path", "", image().env("PATH=C:\\Windows;C:\\Windows\\System32")),
        one("windows/path-in-another-case", "", image().env("Path=C:\\Windows")),
        one("windows/features", "", image().field("os.features", vec!["win32k"])),
        one("windows/foreign-layer", "", image().foreign_layer("https://e.com/l").layers(3, 10)),
        one("windows/user-and-labels", "--image-user=app --image-label=a=b", image()),
        one("windows/command", "", image().config("Cmd", vec!["c:\\windows\\system32\\cmd.exe"])),
        one("windows/workdir", "", image().workdir("C:\\app")),
        one("windows/disable-optimizations", "--disable-optimizations", image()),
        one("windows/epochs", "", image())
            .env("SOURCE_DATE_EPOCH", "1000")
            .env("KO_DATA_DATE_EPOCH", "2000"),
        one("windows/tagged-build", "", image())
            .module(stamped)
            .file(".ko.yaml", "builds:\n- main: ./cmd/web\n  flags: [-tags, feature]\n  ldflags: [-s, -H=windowsgui]\n"),
        one("windows/sbom-dir", "--sbom-dir=sboms", image()),
        one("windows/layout", "--push=false --oci-layout-path=layout", image()),
        Case::build("windows/one-image", "./cmd/web --platform=windows/amd64")
            .base(Image::docker("windows/amd64:10.0.17763.1234").build()),
        Case::build("windows/oci", "./cmd/web --platform=windows/amd64")
            .base(Image::oci("windows/amd64:10.0.17763.1234").env("PATH=C:\\").build()),
        Case::build("windows/module-root", ". --platform=windows/amd64")
            .module(super::hello)
            .base(both(image())),
    ]
}

/// How assets are called.
fn kodata() -> Vec<Case> {
    let of = |name, module: fn(&Path)| {
        on(name, "--platform=windows/amd64", both(image())).module(module)
    };
    vec![
        of("windows/kodata", |dir| {
            app(dir);
            write(dir, "cmd/web/kodata/index.html", "<p>\n");
            write(dir, "cmd/web/kodata/nested/deep/file.txt", "deep\n");
        }),
        of("windows/kodata-empty-directories", |dir| {
            app(dir);
            std::fs::create_dir_all(dir.join("cmd/web/kodata/empty/below")).expect("it is ours");
        }),
        of("windows/kodata-names", |dir| {
            app(dir);
            for len in [80, 82, 83, 84, 150, 250] {
                write(dir, &format!("cmd/web/kodata/{}", "n".repeat(len)), "long\n");
            }
            for name in ["é", "日本", "a b", "A", "a", "x.exe"] {
                write(dir, &format!("cmd/web/kodata/{name}"), name);
            }
        }),
        of("windows/kodata-link-to-a-file", |dir| {
            app(dir);
            write(dir, "cmd/web/kodata/real.txt", "real\n");
            link("real.txt", &dir.join("cmd/web/kodata/link.txt"));
        })
        .says(SKIPPED)
        .says("link.txt"),
        of("windows/kodata-link-to-a-directory", |dir| {
            app(dir);
            write(dir, "cmd/web/kodata/real/file.txt", "real\n");
            link("real", &dir.join("cmd/web/kodata/link"));
            link("../real/file.txt", &dir.join("cmd/web/kodata/real/again"));
        })
        .says(SKIPPED),
        of("windows/kodata-link-to-nothing", |dir| {
            app(dir);
            write(dir, "cmd/web/kodata/real.txt", "real\n");
            link("nothing", &dir.join("cmd/web/kodata/link.txt"));
        })
        .says(SKIPPED),
        of("windows/kodata-link-to-the-outside", |dir| {
            app(dir);
            write(dir, "cmd/web/kodata/real.txt", "real\n");
            link("/etc/hostname", &dir.join("cmd/web/kodata/link.txt"));
        })
        .says(SKIPPED),
        of("windows/kodata-epoch", |dir| {
            app(dir);
            write(dir, "cmd/web/kodata/a/b.txt", "b\n");
        })
        .env("KO_DATA_DATE_EPOCH", "1700000000"),
        of("windows/kodata-with-everything", assets),
        on("windows/kodata-beside-linux", "--platform=all --bare", both(image())).module(|dir| {
            app(dir);
            write(dir, "cmd/web/kodata/real/file.txt", "real\n");
            link("real", &dir.join("cmd/web/kodata/link"));
        }),
    ]
}

/// Which version is taken.
fn versions() -> Vec<Case> {
    let several = |name, platform: &str| {
        let image = |platform: &str| Image::docker(platform).seed(platform);
        on(
            name,
            &format!("--bare --platform={platform}"),
            Index::docker()
                .image(image("linux/amd64"))
                .image(image("windows/amd64:10.0.17763.1234"))
                .image(image("windows/amd64:10.0.17763.99"))
                .image(image("windows/amd64:10.0.20348.1"))
                .image(image("windows/arm64:10.0.20348.1"))
                .build(),
        )
    };
    vec![
        several("windows/version-none", "windows/amd64"),
        several("windows/version-os-alone", "windows"),
        several("windows/version-of-three-parts", "windows/amd64:10.0.17763"),
        several("windows/version-of-four-parts", "windows/amd64:10.0.17763.1234"),
        several("windows/version-of-two", "windows/amd64:10.0.20348,linux/amd64"),
        several("windows/version-twice", "windows/amd64:10.0.17763,windows/amd64:10.0.20348.1"),
        several("windows/version-and-arm", "windows/arm64"),
        several("windows/version-of-two-parts", "windows/amd64:10.0")
            .fails("no matching platforms in base image index"),
        several("windows/version-unknown", "windows/amd64:10.0.19041")
            .fails("no matching platforms in base image index"),
        several("windows/version-of-part-of-a-number", "windows/amd64:10.0.177")
            .fails("no matching platforms in base image index"),
    ]
}

/// Makes a link.
fn link(target: &str, path: &Path) {
    #[cfg(unix)]
    std::os::unix::fs::symlink(target, path).expect("the directory is ours");
    #[cfg(not(unix))]
    let _ = (target, path);
}
