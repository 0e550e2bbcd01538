//! Compares two programs: what they say of themselves, then their sections.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use golang::{BuildInfo, BuiltModule, Section, sections};

use super::difference::Difference;

/// The first difference of what programs say of themselves: of the image's, and of the
/// source's.
pub(super) fn infos(image: &BuildInfo, source: &BuildInfo) -> Option<Difference> {
    let between = |what: &str, image: &str, source: &str| {
        (image != source).then(|| Difference::between(what, image, source))
    };
    let setting = |info: &BuildInfo, name: &str| {
        let found = info.settings.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let named =
        |what: &str, name: &str| between(what, &setting(image, name), &setting(source, name));
    if let Some(difference) = between("the release of Go", &image.go_version, &source.go_version) {
        return Some(difference);
    }
    if let Some(difference) = between("the program", &image.path, &source.path) {
        return Some(difference);
    }
    if let Some(difference) = named("the commit", "vcs.revision") {
        return Some(difference);
    }
    if setting(image, "vcs.modified") != setting(source, "vcs.modified") {
        let changed = |info: &BuildInfo| match setting(info, "vcs.modified").as_str() {
            "true" => "changes that are not committed",
            _ => "no such changes",
        };
        return Some(Difference::between("the checkout", changed(image), changed(source)));
    }
    if let Some(difference) = modules(&image.deps, &source.deps) {
        return Some(difference);
    }
    let keys = source.settings.iter().chain(&image.settings).map(|(name, _)| name);
    for name in keys {
        let kind = if name.starts_with('-') { "flag" } else { "setting" };
        if let Some(difference) = named(&format!("the {kind} {name}"), name) {
            return Some(difference);
        }
    }
    let main = |info: &BuildInfo| info.main.as_ref().map(text).unwrap_or_default();
    between("the main module", &main(image), &main(source))
}

/// The first module that is another.
fn modules(image: &[BuiltModule], source: &[BuiltModule]) -> Option<Difference> {
    let find = |all: &[BuiltModule], path: &str| {
        let found = all.iter().find(|module| module.path == path);
        found.map(text).unwrap_or_default()
    };
    let paths = source.iter().chain(image).map(|module| module.path.as_str());
    paths.into_iter().find_map(|path| {
        let (image, source) = (find(image, path), find(source, path));
        let differ = image != source;
        differ.then(|| Difference::between(format!("the module {path}"), image, source))
    })
}

/// A module with all that tells it apart.
fn text(module: &BuiltModule) -> String {
    let BuiltModule { version, sum, replace, .. } = module;
    let by = replace.as_deref().map(|by| format!("replaced by {} {}", by.path, text(by)));
    let parts = [version.clone(), sum.clone(), by.unwrap_or_default()];
    let said: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    said.join(" ").trim_end().to_owned()
}

/// The first difference of two files, by sections where they are executables.
pub(super) fn files(image: &Path, source: &Path) -> io::Result<Option<Difference>> {
    if let (Ok(image), Ok(source)) = (BuildInfo::read(image), BuildInfo::read(source))
        && let Some(difference) = infos(&image, &source)
    {
        return Ok(Some(difference));
    }
    let (mut image, mut source) = (File::open(image)?, File::open(source)?);
    let (of_image, of_source) = (sections(&image), sections(&source));
    for section in &of_source {
        let Some(other) = of_image.iter().find(|other| other.name == section.name) else {
            return Ok(Some(Difference::of(format!(
                "the image's program has no section {}",
                section.name
            ))));
        };
        if let Some(at) = first_other(&mut image, other, &mut source, section)? {
            let what = format!("the section {} differs from byte {at} on", section.name);
            return Ok(Some(Difference::of(what)));
        }
    }
    let (size, other) = (image.metadata()?.len(), source.metadata()?.len());
    let whole = |size| Section { name: String::new(), offset: 0, size };
    let at = first_other(&mut image, &whole(size), &mut source, &whole(other))?;
    Ok(at.map(|at| Difference::of(format!("its content differs from byte {at} on"))))
}

/// The first byte in which two parts of files differ.
fn first_other(
    image: &mut File,
    one: &Section,
    source: &mut File,
    other: &Section,
) -> io::Result<Option<u64>> {
    let read = |file: &mut File, part: &Section, at: u64, buffer: &mut Vec<u8>| {
        buffer.clear();
        file.seek(SeekFrom::Start(part.offset + at))?;
        file.take((part.size - at).min(1 << 20)).read_to_end(buffer)
    };
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < one.size.min(other.size) {
        read(image, one, at, &mut left)?;
        read(source, other, at, &mut right)?;
        let same = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
        if same == 0 || same < left.len().min(right.len()) {
            return Ok(Some(at + same as u64));
        }
        at += same as u64;
    }
    Ok((one.size != other.size).then_some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: &str, version: &str) -> BuiltModule {
        BuiltModule { path: path.to_owned(), version: version.to_owned(), ..BuiltModule::default() }
    }

    fn info() -> BuildInfo {
        let setting = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        BuildInfo {
            go_version: "go1.26.8".to_owned(),
            path: "example.com/app".to_owned(),
            main: Some(module("example.com/app", "(devel)")),
            deps: vec![module("example.com/lib", "v1.0.0")],
            settings: [("-tags", "a"), ("vcs.revision", "abc"), ("vcs.modified", "false")]
                .map(setting)
                .to_vec(),
        }
    }

    #[test]
    fn what_explains_most_is_said_first() {
        assert_eq!(infos(&info(), &info()), None);
        let set = |info: &mut BuildInfo, name: &str, value: &str| {
            info.settings.retain(|(key, _)| key != name);
            info.settings.push((name.to_owned(), value.to_owned()));
        };
        let mut other = info();
        let mut expect = |change: &mut dyn FnMut(&mut BuildInfo), want: &str| {
            change(&mut other);
            let said = infos(&other, &info()).unwrap().to_string();
            assert_eq!(said, want);
        };
        expect(
            &mut |it| it.main = Some(module("example.com/app", "v1.0.1")),
            "the main module: the image has v1.0.1, the source gives (devel)",
        );
        expect(
            &mut |it| set(it, "GOAMD64", "v3"),
            "the setting GOAMD64: the image has v3, the source gives none",
        );
        expect(
            &mut |it| set(it, "-tags", "b"),
            "the flag -tags: the image has b, the source gives a",
        );
        expect(
            &mut |it| it.deps.push(module("example.com/new", "v1.0.0")),
            "the module example.com/new: the image has v1.0.0, the source gives none",
        );
        expect(
            &mut |it| it.deps[0].version = "v1.0.1".to_owned(),
            "the module example.com/lib: the image has v1.0.1, the source gives v1.0.0",
        );
        expect(
            &mut |it| set(it, "vcs.modified", "true"),
            "the checkout: the image has changes that are not committed, the source gives no such changes",
        );
        expect(
            &mut |it| set(it, "vcs.revision", "def"),
            "the commit: the image has def, the source gives abc",
        );
        expect(
            &mut |it| it.path = "example.com/b".to_owned(),
            "the program: the image has example.com/b, the source gives example.com/app",
        );
        expect(
            &mut |it| it.go_version = "go1.25.1".to_owned(),
            "the release of Go: the image has go1.25.1, the source gives go1.26.8",
        );
    }

    #[test]
    fn other_files_differ_from_some_byte_on() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let said = |one: &[u8], other: &[u8]| {
            let (one, other) = (write("one", one), write("other", other));
            files(&one, &other).unwrap().map(|difference| difference.to_string())
        };
        assert_eq!(said(b"abc", b"abc"), None);
        let want = |at| Some(format!("its content differs from byte {at} on"));
        assert_eq!(said(b"abc", b"abx"), want(2));
        assert_eq!(said(b"abc", b"ab"), want(2));
        assert_eq!(said(b"", b"ab"), want(0));
    }
}
