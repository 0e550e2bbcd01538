//! Finds the programs that may be named on the command line, from source files
//! alone: for completion, and to guess which one was meant.

use std::path::Path;

use engine::{BadReference, Error, ListingError, ModuleFile, SourceFiles, programs_below};

use crate::nearest::{ALIKE, likeness};

/// How many programs an error names.
const NAMED: usize = 4;

/// The programs at and below a directory, as `./cmd/app`; `dir` is relative to the
/// working directory, as the user has typed it.
pub(crate) fn local(work_dir: &Path, dir: &str) -> Vec<String> {
    let name = |path: &Path| {
        let below = path.strip_prefix(work_dir.join(dir)).ok()?.to_str()?;
        let below = below.replace(std::path::MAIN_SEPARATOR, "/");
        Some(match (dir.trim_end_matches('/'), &*below) {
            (dir, "") => dir.to_owned(),
            (dir, below) => format!("{dir}/{below}"),
        })
    };
    programs_below(&work_dir.join(dir), SourceFiles::All)
        .iter()
        .filter_map(|path| name(path))
        .collect()
}

/// The import paths of the programs at and below a directory.
pub(crate) fn import_paths(dir: &Path) -> Vec<String> {
    let path = |dir: &Path| ModuleFile::nearest(dir)?.import_path(dir);
    programs_below(dir, SourceFiles::All).iter().filter_map(|dir| path(dir)).collect()
}

/// Is it this word that names no program?
pub(crate) fn is_unknown(error: &Error, word: &str) -> bool {
    let Error::Listing(ListingError::Unsupported { import_path, .. }) = error else { return false };
    import_path.as_str() == word
}

/// What was meant by a word that names no program, or that names several. `words` are
/// those that were typed.
pub(crate) fn hint(work_dir: &Path, words: &[String], error: &Error) -> Option<String> {
    let Error::Listing(error) = error else { return None };
    let word = match (error, words) {
        (ListingError::Qualify(_), _) => "",
        // What is local is called otherwise in the error.
        (ListingError::Unsupported { .. }, [word]) => word.trim_start_matches("ko://"),
        (ListingError::Unsupported { import_path, .. }, _) => import_path.as_str(),
        _ => return None,
    };
    let module = ModuleFile::nearest(work_dir).and_then(|module| module.path);
    let is_import_path = module.is_some_and(|module| word.starts_with(&format!("{module}/")));
    let programs = match is_import_path {
        true => import_paths(work_dir),
        false => local(work_dir, "."),
    };
    meant(word, &programs)
}

/// What was meant by references of manifests that name no program: a line for all of
/// which the same can be said, with their names where there are several lines.
pub(crate) fn hints(work_dir: &Path, bad: &[BadReference]) -> Option<String> {
    let (paths, local) = (import_paths(work_dir), local(work_dir, "."));
    let mut hints: Vec<(String, Vec<&str>)> = Vec::new();
    for BadReference { reference, .. } in bad {
        let word = reference.strip_prefix("ko://").unwrap_or(reference);
        let hint = match word {
            "" => {
                let example = paths.first().map_or("example.com/app", String::as_str);
                Some(format!("write the import path of a program, as in ko://{example}"))
            }
            word if word.starts_with('.') => meant(word, &local),
            word => meant(word, &paths),
        };
        let Some(hint) = hint else { continue };
        match hints.iter_mut().find(|(other, _)| *other == hint) {
            Some((_, of)) if of.contains(&&**reference) => {}
            Some((_, of)) => of.push(reference),
            None => hints.push((hint, vec![reference])),
        }
    }
    match &hints[..] {
        [] => None,
        [(hint, _)] => Some(hint.clone()),
        hints => {
            let lines = hints.iter().map(|(hint, of)| format!("for {}: {hint}", of.join(", ")));
            Some(lines.collect::<Vec<_>>().join("\n"))
        }
    }
}

fn meant(word: &str, programs: &[String]) -> Option<String> {
    let bare = |path: &str| path.trim_start_matches("./").trim_end_matches('/').to_owned();
    let wanted = bare(word);
    if programs.iter().any(|program| program == word) {
        // It is one, and something else is wrong with it.
        return None;
    }
    let dir = match (wanted.ends_with(".go"), wanted.rsplit_once('/')) {
        (true, Some((dir, _))) => dir.to_owned(),
        (true, None) => ".".to_owned(),
        (false, _) => wanted.clone(),
    };
    if let Some(same) = programs.iter().find(|program| bare(program) == dir) {
        return Some(format!("did you mean {same}?"));
    }
    let is_below = |program: &&String| {
        bare(program).strip_prefix(&wanted).is_some_and(|rest| rest.starts_with('/'))
    };
    let below: Vec<&String> = programs.iter().filter(is_below).collect();
    if !below.is_empty() {
        return Some(list(&below));
    }
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let rated = programs.iter().map(|program| {
        let name = likeness(&last(&wanted), &last(program));
        (name, name + likeness(&wanted, &bare(program)), program)
    });
    let rated = rated.filter(|(name, ..)| *name >= ALIKE);
    // The first of equals.
    if let Some((.., program)) = rated.min_by(|one, other| other.1.total_cmp(&one.1)) {
        return Some(format!("did you mean {program}?"));
    }
    let all: Vec<&String> = programs.iter().collect();
    (!all.is_empty()).then(|| list(&all))
}

/// Names programs, of which there is one at least.
fn list(programs: &[&String]) -> String {
    let named: Vec<&str> = programs.iter().take(NAMED).map(|program| program.as_str()).collect();
    match (&named[..], programs.len() - named.len()) {
        ([program], _) => format!("the program here is {program}"),
        (_, 0) => format!("the programs here are {}", named.join(", ")),
        (_, more) => format!("the programs here are {} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_that_was_meant_is_named() {
        let programs = [".", "./cmd/controller", "./cmd/webhook"].map(str::to_owned);
        for (word, want) in [
            ("./cmd/controler", "did you mean ./cmd/controller?"),
            ("cmd/webhook", "did you mean ./cmd/webhook?"),
            ("./cmd/webhook/main.go", "did you mean ./cmd/webhook?"),
            ("main.go", "did you mean .?"),
            ("./webhook", "did you mean ./cmd/webhook?"),
            ("./cmd", "the programs here are ./cmd/controller, ./cmd/webhook"),
            ("./nope", "the programs here are ., ./cmd/controller, ./cmd/webhook"),
            ("", "the programs here are ., ./cmd/controller, ./cmd/webhook"),
        ] {
            assert_eq!(meant(word, &programs).as_deref(), Some(want), "{word}");
        }
        assert_eq!(meant("./cmd/webhook", &programs), None);
        let paths = ["e.com/app", "e.com/app/cmd/app"].map(str::to_owned);
        assert_eq!(meant("e.com/app/cmd/ap", &paths).unwrap(), "did you mean e.com/app/cmd/app?");
        assert_eq!(meant("./x", &[]), None);
        assert_eq!(meant("./x", &programs[..1]).as_deref(), Some("the program here is ."));
        let many: Vec<String> = (0..6).map(|number| format!("./cmd/{number}{number}")).collect();
        let said = meant("./nope", &many).unwrap();
        assert_eq!(said, "the programs here are ./cmd/00, ./cmd/11, ./cmd/22, ./cmd/33 and 2 more");
    }
}
