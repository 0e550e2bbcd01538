//! Static assets: what is in `kodata`, and how it is called in the layer.

use super::{app, assets, three};
use crate::case::Case;
use std::fs;
use std::path::Path;
use testkit::base::{Format, Image, Index};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::build("kodata/none", "./cmd/web"),
        Case::build("kodata/special", "./cmd/web").module(assets),
        Case::build("kodata/epoch", "./cmd/web")
            .module(assets)
            .env("KO_DATA_DATE_EPOCH", "1700000000"),
        Case::build("kodata/epoch-without-files", "./cmd/web").env("KO_DATA_DATE_EPOCH", "2000"),
        Case::build("kodata/both-epochs", "./cmd/web")
            .module(assets)
            .env("KO_DATA_DATE_EPOCH", "2000")
            .env("SOURCE_DATE_EPOCH", "3000"),
        Case::build("kodata/names", "./cmd/web").module(names),
        Case::build("kodata/order", "./cmd/web").module(order),
        Case::build("kodata/modes", "./cmd/web").module(modes),
        Case::build("kodata/links-in-links", "./cmd/web").module(links),
        Case::build("kodata/empty", "./cmd/web").module(|dir| {
            app(dir);
            fs::create_dir(dir.join("cmd/web/kodata")).expect("the directory is ours");
        }),
        Case::build("kodata/is-a-file", "./cmd/web").module(|dir| {
            app(dir);
            write(dir, "cmd/web/kodata", "not a directory\n");
        }),
        Case::build("kodata/of-a-module-root", ".").module(|dir| {
            super::hello(dir);
            write(dir, "kodata/index.html", "<p>hello</p>\n");
        }),
        Case::build("kodata/megabytes", "./cmd/web").module(|dir| {
            app(dir);
            testkit::module::kodata(&dir.join("cmd/web"), 5, 12);
        }),
        Case::build("kodata/two-mains", "./cmd/web ./cmd/worker").module(|dir| {
            assets(dir);
            write(dir, "cmd/worker/kodata/worker.txt", "worker\n");
        }),
        Case::build("kodata/platforms", "./cmd/web --platform=all")
            .module(assets)
            .base(three(Format::Docker)),
        Case::build("kodata/windows", "./cmd/web --platform=windows").module(links).base(
            Index::docker()
                .image(Image::docker("linux/amd64"))
                .image(Image::docker("windows/amd64:10.0.17763.1234").layers(2, 50))
                .build(),
        ),
    ]
}

fn write(dir: &Path, path: &str, content: &str) {
    let path = dir.join(path);
    let parent = path.parent().expect("the path has a directory");
    fs::create_dir_all(parent).expect("the directory is ours");
    fs::write(path, content).expect("the directory is ours");
}

/// Names at the limits of a header, and with characters that something could
/// take for its own.
fn names(dir: &Path) {
    app(dir);
    let kodata = "cmd/web/kodata";
    // `/var/run/ko/` are 12 of the 100 bytes of a name.
    for len in [87, 88, 89, 155, 255] {
        write(dir, &format!("{kodata}/{}", "n".repeat(len)), "long\n");
    }
    let deep = "d".repeat(60);
    for count in 1..=5 {
        write(dir, &format!("{kodata}/{}/file", vec![deep.as_str(); count].join("/")), "deep\n");
    }
    for name in
        ["a b", "a\\b", "a\"b", "a<b>&c", "a=b", "percent%20", "-dash", "é", "日本", "tab\t"]
    {
        write(dir, &format!("{kodata}/{name}"), name);
    }
}

/// Names that sort differently as paths and as names.
fn order(dir: &Path) {
    app(dir);
    for path in ["a/b", "a.txt", "a-/c", "a0", "B", "b/B", "b/a", "_", "Z/z", "é", "z"] {
        write(dir, &format!("cmd/web/kodata/{path}"), path);
    }
}

/// Modes and times that are not to be seen in the layer.
fn modes(dir: &Path) {
    app(dir);
    for (name, mode) in [("script.sh", 0o755), ("secret", 0o600), ("all", 0o777)] {
        let path = format!("cmd/web/kodata/{name}");
        write(dir, &path, name);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(dir.join(path), mode).expect("the file is ours");
        }
        #[cfg(not(unix))]
        let _ = mode;
    }
}

/// Links to files, directories and links, which all stay inside.
fn links(dir: &Path) {
    app(dir);
    write(dir, "cmd/web/kodata/real/one.txt", "one\n");
    write(dir, "cmd/web/kodata/real/sub/two.txt", "two\n");
    for (link, target) in [
        ("file", "real/one.txt"),
        ("dir", "real"),
        ("again", "dir"),
        ("through", "again/sub/two.txt"),
        ("real/up", "../file"),
    ] {
        let path = dir.join("cmd/web/kodata").join(link);
        #[cfg(unix)]
        std::os::unix::fs::symlink(target, path).expect("the directory is ours");
        #[cfg(not(unix))]
        let _ = (target, path);
    }
}
