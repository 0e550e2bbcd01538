//! What `-f` names: files, directories, lists of them, and their order.

use super::manifest::{PLAIN_YAML, WEB_YAML, WORKER_YAML, resolve};
use super::modules::app;
use crate::case::Case;
use std::path::Path;

pub(super) fn cases() -> Vec<Case> {
    let tree = |name, words: &str| {
        resolve(name, words)
            .file("config/b.yaml", WEB_YAML)
            .file("config/a.json", "{\"a\": 1}\n")
            .file("config/c.yml", "c: yml\n")
            .file("config/d.YAML", "d: upper\n")
            .file("config/e.txt", "e: [\n")
            .file("config/.hidden.yaml", "hidden: 1\n")
            .file("config/sub/a.yaml", WORKER_YAML)
            .file("config/sub/deep/z.yaml", PLAIN_YAML)
            .file("config/a.yaml/inner.yaml", "inner: 1\n")
    };
    let linked = |name, words: &str, module: fn(&Path)| {
        resolve(name, words).module(module).file("real/a.yaml", PLAIN_YAML)
    };
    vec![
        tree("files/directory", "-f config"),
        tree("files/directory-with-slash", "-f config/"),
        tree("files/directory-with-dot", "-f ./config"),
        tree("files/recursive", "-R -f config"),
        tree("files/recursive-is-for-all", "-f config -R"),
        tree("files/file-of-a-directory", "-f config/sub/a.yaml"),
        tree("files/other-ending", "-f config/c.yml -f config/d.YAML"),
        tree("files/any-ending", "-f config/e.txt")
            .fails("error processing import paths in \"config/e.txt\": "),
        tree("files/list-with-commas", "-f config/b.yaml,config/c.yml"),
        tree("files/twice", "-f config/b.yaml -f config/b.yaml"),
        tree("files/file-and-its-directory", "-f config/b.yaml -f config"),
        tree("files/absolute", "-f {work}/config/b.yaml"),
        tree("files/through-the-parent", "-f config/sub/../b.yaml"),
        tree("files/quoted", "").arg("-f").arg("\"config/b.yaml\""),
        tree("files/long-name", "--filename=config/b.yaml --recursive"),
        tree("files/with-stdin", "-f config/b.yaml -f - -f config/c.yml").stdin("from: stdin\n"),
        tree("files/missing", "-f nowhere.yaml").fails("").says("nowhere.yaml"),
        tree("files/missing-second", "-f config/c.yml -f nowhere.yaml")
            .fails("")
            .says("nowhere.yaml"),
        resolve("files/only-others", "-f docs"),
        resolve("files/empty-name", "--filename="),
        linked("files/link-to-a-file", "-f links", |dir| {
            link(dir, "../real/a.yaml", "links/l.yaml");
        }),
        linked("files/link-named", "-f l.yaml", |dir| link(dir, "real/a.yaml", "l.yaml")),
        linked("files/link-to-a-directory-inside", "-R -f links", |dir| {
            link(dir, "../real", "links/sub");
            super::modules::write(dir, "links/own.yaml", "own: 1\n");
        }),
        linked("files/link-to-a-directory", "-f l", |dir| link(dir, "real", "l"))
            .fails("error processing import paths in \"l\": read l: is a directory"),
        linked("files/link-to-a-directory-with-slash", "-f l/", |dir| link(dir, "real", "l")),
        resolve("files/order", "-R -f m")
            .file("m/10.yaml", "n: ten\n")
            .file("m/2.yaml", "n: two\n")
            .file("m/B.yaml", "n: upper\n")
            .file("m/a.yaml", "n: lower\n")
            .file("m/a/x.yaml", "n: below\n")
            .file("m/a-b.yaml", "n: dash\n"),
        resolve("files/order-of-arguments", "-f z.yaml -f y.yaml -f x.yaml")
            .file("x.yaml", WEB_YAML)
            .file("y.yaml", "y: 1\n")
            .file("z.yaml", WORKER_YAML),
        resolve("files/good-and-bad", "-f a.yaml -f b.yaml")
            .file("a.yaml", PLAIN_YAML)
            .file("b.yaml", "a: ko://example.com/app/lib\n")
            .fails("error processing import paths in \"b.yaml\"")
            .differs(
                "stdout",
                Some(""),
                "nothing is printed before all references are known to be right",
            ),
    ]
}

/// [`app`] with a link.
fn link(dir: &Path, target: &str, name: &str) {
    app(dir);
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().expect("it is below")).expect("the directory is ours");
    #[cfg(unix)]
    std::os::unix::fs::symlink(target, path).expect("the directory is ours");
    #[cfg(not(unix))]
    let _ = (target, path);
}
