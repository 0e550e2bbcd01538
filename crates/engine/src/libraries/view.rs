//! Lays the lists of layers over each other, and looks for libraries as a dynamic linker
//! would.

use std::collections::BTreeMap;

use golang::Linkage;

use super::Wanting;
use super::index::{LayerIndex, normal};

/// More links than this one behind the other lead nowhere, as for the kernel.
const MOST_LINKS: usize = 40;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    File,
    Link(String),
}

/// What of an image has to do with shared libraries.
#[derive(Debug, Default)]
pub(super) struct View {
    things: BTreeMap<String, Thing>,
    glibc: Option<u32>,
}

impl View {
    /// Lays a layer over what there is.
    pub(super) fn add(&mut self, layer: &LayerIndex) {
        let LayerIndex { files, links, removed, emptied, glibc } = layer;
        for path in removed {
            self.things.remove(path);
        }
        removed.iter().chain(emptied).for_each(|dir| self.empty(dir));
        let files = files.iter().map(|path| (path.clone(), Thing::File));
        let links = links.iter().map(|(path, target)| (path.clone(), Thing::Link(target.clone())));
        self.things.extend(files.chain(links));
        self.glibc = glibc.or(self.glibc);
    }

    /// Removes all that is below a directory.
    fn empty(&mut self, dir: &str) {
        if dir.is_empty() {
            self.things.clear();
        }
        let below = format!("{dir}/");
        let paths = self.things.range(below.clone()..).map(|(path, _)| path);
        let paths: Vec<String> =
            paths.take_while(|path| path.starts_with(&below)).cloned().collect();
        for path in paths {
            self.things.remove(&path);
        }
    }

    /// Adds a file.
    pub(super) fn add_file(&mut self, path: &str) {
        self.things.insert(normal(path), Thing::File);
    }

    /// What a program lacks; `environment` is that of the image.
    pub(super) fn wanting(&self, linkage: &Linkage, environment: &[String]) -> Option<Wanting> {
        if let Some(interpreter) = linkage.interpreter.as_ref().filter(|path| !self.has(path)) {
            return Some(Wanting::Interpreter(interpreter.clone()));
        }
        let named = environment.iter().find_map(|entry| entry.strip_prefix("LD_LIBRARY_PATH="));
        let named = named.into_iter().flat_map(|dirs| dirs.split(':')).map(str::to_owned);
        let own = linkage
            .search
            .iter()
            .map(|dir| dir.replace("$ORIGIN", "/ko-app").replace("${ORIGIN}", "/ko-app"));
        let dirs: Vec<String> = own.chain(named).collect();
        let is_missing = |library: &&String| {
            let is_there = match library.contains('/') {
                true => self.has(library),
                false => {
                    dirs.iter().any(|dir| self.has(&format!("{dir}/{library}")))
                        || self.has_library(library)
                }
            };
            !is_there
        };
        let missing: Vec<String> = linkage.libraries.iter().filter(is_missing).cloned().collect();
        if !missing.is_empty() {
            return Some(Wanting::Libraries(missing));
        }
        let found = self.glibc.filter(|found| *found < linkage.glibc)?;
        Some(Wanting::Glibc { wanted: linkage.glibc, found })
    }

    /// Whether a library is where dynamic linkers look: which directories those are, each
    /// distribution says in its own way, but all have `lib` in their path.
    fn has_library(&self, name: &str) -> bool {
        self.things.keys().any(|path| {
            let Some((dir, last)) = path.rsplit_once('/') else { return false };
            last == name && dir.split('/').any(|part| part.starts_with("lib")) && self.has(path)
        })
    }

    /// Whether a path leads to a file.
    fn has(&self, path: &str) -> bool {
        let mut path = normal(path);
        for _ in 0..MOST_LINKS {
            let mut ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            let link = ends.find_map(|end| match self.things.get(&path[..end])? {
                Thing::Link(target) => Some((end, target)),
                Thing::File => None,
            });
            let Some((end, target)) = link else {
                return self.things.get(&path) == Some(&Thing::File);
            };
            let dir = path[..end].rsplit_once('/').map_or("", |(dir, _)| dir);
            let above = if target.starts_with('/') { "" } else { dir };
            path = normal(&format!("{above}/{target}{}", &path[end..]));
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(files: &[&str], links: &[(&str, &str)]) -> LayerIndex {
        LayerIndex {
            files: files.iter().map(|path| (*path).to_owned()).collect(),
            links: links.iter().map(|(path, to)| ((*path).to_owned(), (*to).to_owned())).collect(),
            glibc: Some(36),
            ..LayerIndex::default()
        }
    }

    /// As Debian lays its files out.
    fn debian() -> LayerIndex {
        layer(
            &[
                "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
                "usr/lib/x86_64-linux-gnu/libc.so.6",
                "usr/lib/x86_64-linux-gnu/libz.so.1.2.13",
                "usr/share/doc/libfake.so.1",
                "opt/app/libown.so",
            ],
            &[
                ("lib", "usr/lib"),
                ("lib64", "usr/lib64"),
                ("usr/lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
                ("usr/lib/x86_64-linux-gnu/libz.so.1", "libz.so.1.2.13"),
                ("usr/lib/x86_64-linux-gnu/libgone.so.1", "libgone.so.1.0"),
                ("usr/lib/loop.so", "loop.so"),
            ],
        )
    }

    fn wants(interpreter: &str, libraries: &[&str], glibc: u32) -> Linkage {
        Linkage {
            interpreter: Some(interpreter.to_owned()),
            libraries: libraries.iter().map(|name| (*name).to_owned()).collect(),
            search: vec!["$ORIGIN/../opt/app".to_owned()],
            glibc,
        }
    }

    #[test]
    fn libraries_are_found_through_links_and_layers() {
        let mut view = View::default();
        view.add(&debian());
        let interpreter = "/lib64/ld-linux-x86-64.so.2";
        for (libraries, glibc, want) in [
            (&["libc.so.6", "libz.so.1", "libown.so"][..], 36, None),
            (
                &["libgone.so.1", "libfake.so.1", "loop.so", "libc.so.6"],
                0,
                Some("libgone.so.1, libfake.so.1, loop.so"),
            ),
            (&["libc.so.6"], 38, Some("GLIBC_2.38 (there is 2.36)")),
            (&["/opt/app/libown.so", "/none.so"], 0, Some("/none.so")),
        ] {
            let wanting = view.wanting(&wants(interpreter, libraries, glibc), &[]);
            assert_eq!(wanting.map(|it| it.to_string()).as_deref(), want, "{libraries:?}");
        }
        let musl = wants("/lib/ld-musl-x86_64.so.1", &[], 0);
        let wanting = view.wanting(&musl, &[]).unwrap();
        assert_eq!(wanting.to_string(), "the interpreter /lib/ld-musl-x86_64.so.1");
        view.add_file("/lib/ld-musl-x86_64.so.1");
        assert!(View::default().wanting(&musl, &[]).is_some());
        // A variable of the image says where to look.
        let program = wants(interpreter, &["libfake.so.1"], 0);
        let variable = ["LD_LIBRARY_PATH=/x:/usr/share/doc".to_owned()];
        assert_eq!(view.wanting(&program, &variable), None);
        // A layer above may take away what one below has.
        let removing = LayerIndex {
            removed: vec!["usr/lib/x86_64-linux-gnu/libz.so.1.2.13".to_owned()],
            ..LayerIndex::default()
        };
        view.add(&removing);
        let wanting = view.wanting(&wants(interpreter, &["libz.so.1"], 0), &[]);
        assert_eq!(wanting, Some(Wanting::Libraries(vec!["libz.so.1".to_owned()])));
        let emptied = LayerIndex { emptied: vec!["usr".to_owned()], ..LayerIndex::default() };
        view.add(&emptied);
        let wanting = view.wanting(&wants(interpreter, &[], 0), &[]);
        assert_eq!(wanting, Some(Wanting::Interpreter(interpreter.to_owned())));
    }
}
