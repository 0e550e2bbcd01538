//! Remembers what compilers have said that is on the screen already, so that the error which
//! ends the run does not say it again, and marks all of it for GitHub Actions.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What was told in this run, or in this round of `--watch`.
static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Notes what a compiler said, which is shown now.
pub(crate) fn told(reason: &str) {
    TOLD.lock().unwrap_or_else(PoisonError::into_inner).push(reason.to_owned());
}

/// What was told since the last time.
pub(crate) fn take() -> Vec<String> {
    std::mem::take(&mut *TOLD.lock().unwrap_or_else(PoisonError::into_inner))
}

/// An error's message without what was told.
pub(crate) fn brief<'a>(message: &'a str, told: &[String]) -> Cow<'a, str> {
    let Some(reason) = told.iter().find(|reason| message.ends_with(*reason)) else {
        return Cow::Borrowed(message);
    };
    let first = reason.lines().next().unwrap_or_default();
    let first = first.split_once(": # ").map_or(first, |(status, _)| status);
    let before = &message[..message.len() - reason.len()];
    let others = match told.len() {
        1 => String::new(),
        all => format!("; {all} builds failed"),
    };
    Cow::Owned(format!("{before}{first} (see above{others})"))
}

/// What was told, and the error's message if that says something else.
pub(crate) fn all(message: &str, told: &[String]) -> String {
    let is_told = told.iter().any(|reason| message.ends_with(reason));
    let last = (!is_told).then_some(message);
    told.iter().map(String::as_str).chain(last).collect::<Vec<_>>().join("\n")
}

/// Workflow commands of GitHub Actions: one for each place in the code that an error
/// names, or one for all of it. `dir` is where the run takes place in the repository.
pub(crate) fn annotations(message: &str, dir: &Path) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let place = |line: &str| {
        let (file, rest) = line.trim().split_once(".go:")?;
        let mut parts = rest.splitn(3, ':');
        let (row, column, what) = (parts.next()?, parts.next()?, parts.next()?);
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(row) || !is_number(column) || file.contains(' ') {
            return None;
        }
        let file = within(dir, &format!("{file}.go"));
        let (file, what) = (file.display(), escape(what.trim()));
        Some(format!("::error file={file},line={row},col={column}::{what}\n"))
    };
    let places: String = message.lines().filter_map(place).collect();
    if places.is_empty() { format!("::error title=ko::{}\n", escape(message)) } else { places }
}

/// A file, as it is called from the root of the repository.
fn within(dir: &Path, file: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for component in dir.join(file).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if path.file_name().is_some() => _ = path.pop(),
            component => path.push(component),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_the_code_are_marked() {
        let message =
            "building: # e.com/a\n./cmd/a/main.go:3:12: undefined: x\ncmd/b.go:7:1: 50% off";
        assert_eq!(
            annotations(message, Path::new("")),
            "::error file=cmd/a/main.go,line=3,col=12::undefined: x\n\
             ::error file=cmd/b.go,line=7,col=1::50%25 off\n"
        );
        assert_eq!(annotations("no\nway", Path::new("")), "::error title=ko::no%0Away\n");
    }

    #[test]
    fn places_are_named_from_the_root_of_the_repository() {
        for (dir, file, want) in [
            ("services/web", "./main.go", "services/web/main.go"),
            ("services/web", "../lib/lib.go", "services/lib/lib.go"),
            ("", "../out.go", "../out.go"),
            ("services", "/go/pkg/x.go", "/go/pkg/x.go"),
        ] {
            assert_eq!(within(Path::new(dir), file), Path::new(want), "{dir} {file}");
        }
    }

    #[test]
    fn what_was_told_is_not_said_again() {
        let reason = "go build: exit status 1: # e.com/a\na.go:1:1: no".to_owned();
        let message = format!("failed to publish images: linux/amd64: build: {reason}");
        let brief = |told: &[&String]| {
            let told: Vec<String> = told.iter().map(|&reason| reason.clone()).collect();
            super::brief(&message, &told).into_owned()
        };
        assert_eq!(brief(&[]), message);
        assert_eq!(brief(&[&"another".to_owned()]), message);
        let want = "failed to publish images: linux/amd64: build: go build: exit status 1";
        assert_eq!(brief(&[&reason]), format!("{want} (see above)"));
        assert_eq!(
            brief(&[&"another".to_owned(), &reason]),
            format!("{want} (see above; 2 builds failed)")
        );
    }
}
