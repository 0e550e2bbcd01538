//! Decides whether a record on a network file system is believed: not before the
//! same content was there before and after a build.

use std::path::Path;

use crate::checker::Checker;
use crate::record::{Inputs, Record};

/// Where another machine's clock makes the times of files, they do not prove
/// that nothing changed during the build. That the content is the same as
/// before it does.
pub(crate) fn confirm(
    inputs: &mut Inputs,
    root: &Path,
    checker: &Checker,
    before: Option<&Record>,
) {
    let dirs = inputs
        .dirs
        .iter()
        .filter_map(|dir| dir.device().map(|device| (device, root.join(&dir.path))));
    let files = inputs.files.iter().chain(inputs.toolchain.files()).filter_map(|file| {
        file.content.map(|content| (content.stat.device, root.join(&file.path)))
    });
    let foreign = dirs.chain(files).find(|(device, path)| !checker.is_local(*device, path));
    let Some((_, path)) = foreign else {
        return;
    };
    let same = before.and_then(|before| before.inputs.as_ref().ok()).is_some_and(|before| {
        before.dirs.len() == inputs.dirs.len()
            && before.files.len() == inputs.files.len()
            && before
                .dirs
                .iter()
                .zip(&inputs.dirs)
                .all(|(a, b)| a.path == b.path && a.has_content_of(b))
            && before
                .files
                .iter()
                .zip(&inputs.files)
                .all(|(a, b)| a.path == b.path && a.has_content_of(b))
    });
    if !same {
        inputs.unconfirmed = Some(path);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fixture::read;
    use crate::record::FORMAT;

    #[test]
    fn a_record_with_another_machines_times_needs_the_same_one_before() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for name in ["a", "b"] {
            fs::create_dir(root.join(name)).unwrap();
            fs::write(root.join(name).join("x.go"), "package x\n").unwrap();
        }
        fs::write(root.join("go.mod"), "module x\n").unwrap();
        let now = read(root).0;
        fs::write(root.join("a/x.go"), "package y\n").unwrap();
        fs::write(root.join("go.mod"), "module y\n").unwrap();
        let other = read(root).0;
        let foreign = stat::follow(root).unwrap().unwrap().1.device;

        type Change<'a> = &'a dyn Fn(&mut Inputs);
        let rows: [(&str, Change<'_>, bool); 9] = [
            ("the same", &|_| (), true),
            ("looked at later", &|was| was.looked += 1, true),
            ("content of a directory", &|was| was.dirs[0] = other.dirs[0].clone(), false),
            ("name of a directory", &|was| was.dirs[1].path = "c".to_owned(), false),
            ("a directory less", &|was| _ = was.dirs.pop(), false),
            ("content of a file", &|was| was.files[0] = other.files[0].clone(), false),
            ("name of a file", &|was| was.files[1].path = "c".to_owned(), false),
            ("a file that is there now", &|was| was.files[0].content = None, false),
            ("a file less", &|was| _ = was.files.pop(), false),
        ];
        let confirmed = |checker: &Checker, before: Option<Inputs>| {
            let layer = "sha256:0".to_owned();
            let before = before.map(|was| Record { format: FORMAT, layer, inputs: Ok(was) });
            let mut inputs = now.clone();
            confirm(&mut inputs, root, checker, before.as_ref());
            inputs.unconfirmed.is_none()
        };
        let checker = Checker::distrusting(foreign);
        for (name, change, want) in rows {
            let mut before = now.clone();
            change(&mut before);
            assert_eq!(confirmed(&checker, Some(before)), want, "{name}");
        }
        assert!(!confirmed(&checker, None), "nothing is known");
        let mut directories = Inputs { files: Vec::new(), ..now.clone() };
        confirm(&mut directories, root, &checker, None);
        assert_eq!(directories.unconfirmed, Some(root.join("a")));
        // Another device is that of another file system.
        let checker = Checker::distrusting(foreign + 1);
        checker.is_local(foreign, root);
        assert_eq!(confirmed(&checker, None), stat::is_local(root), "trusted");
    }
}
