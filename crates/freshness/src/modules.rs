//! Finds the modules that `go` takes from disk: main modules, those that `go.work`
//! uses, and directories that a `replace` names. `go.mod` and `go.work` are read
//! for the directories in them alone; a directory too many does no harm.

use std::fs;
use std::path::Path;

use crate::rooted_path::RootedPath;

/// A module that is not in the module cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) dir: RootedPath,
    /// What import paths of its packages begin with; unknown if its `go.mod`
    /// cannot be read.
    pub(crate) path: Option<String>,
    /// Whether it is a main module.
    pub(crate) main: bool,
}

/// What there is to a build besides packages.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    pub(crate) locals: Vec<Local>,
    /// `go.mod`, `go.sum`, `go.work`, `go.work.sum`.
    pub(crate) files: Vec<RootedPath>,
    /// The directory that would hold vendored packages.
    pub(crate) vendor: Option<RootedPath>,
}

impl Modules {
    /// All of a workspace, or else those of a main module. Both are the
    /// directory of the file.
    pub(crate) fn find(work: Option<(&RootedPath, &Path)>, main: &RootedPath) -> Self {
        let mut modules = Self::default();
        match work {
            Some((dir, file)) => {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                modules.files.push(dir.join(&name));
                modules.files.push(dir.join(&format!("{name}.sum")));
                modules.vendor = Some(dir.join("vendor"));
                let words = Directives::read(file);
                for used in &words.uses {
                    modules.add_main(&dir.join(used));
                }
                modules.add_replaced(dir, &words);
            }
            None => {
                modules.vendor = Some(main.join("vendor"));
                modules.add_main(main);
            }
        }
        modules
    }

    fn add_main(&mut self, dir: &RootedPath) {
        let words = Directives::read(&dir.at.join("go.mod"));
        self.files.extend([dir.join("go.mod"), dir.join("go.sum")]);
        let path = words.module.clone();
        self.locals.push(Local { dir: dir.clone(), path, main: true });
        self.add_replaced(dir, &words);
    }

    fn add_replaced(&mut self, dir: &RootedPath, words: &Directives) {
        for (path, to) in &words.replaced {
            let dir = dir.join(to);
            self.files.push(dir.join("go.mod"));
            self.locals.push(Local { dir, path: Some(path.clone()), main: false });
        }
    }
}

/// What of a `go.mod` or `go.work` names directories.
#[derive(Debug, Default, PartialEq, Eq)]
struct Directives {
    module: Option<String>,
    uses: Vec<String>,
    /// Module paths, and the directories that take their place.
    replaced: Vec<(String, String)>,
}

impl Directives {
    fn read(file: &Path) -> Self {
        // Comments may be in any encoding.
        Self::parse(&String::from_utf8_lossy(&fs::read(file).unwrap_or_default()))
    }

    fn parse(content: &str) -> Self {
        let mut found = Self::default();
        let mut block: Option<String> = None;
        for line in content.lines() {
            let mut words = words(line).into_iter();
            let verb = match &block {
                Some(verb) => verb.clone(),
                None => match words.next() {
                    Some(verb) => verb,
                    None => continue,
                },
            };
            let words: Vec<String> = words.collect();
            match words.first().map(String::as_str) {
                Some("(") => {
                    block = Some(verb);
                    continue;
                }
                Some(")") => {
                    block = None;
                    continue;
                }
                None => continue,
                Some(_) => {}
            }
            match verb.as_str() {
                "module" => found.module = words.into_iter().next(),
                "use" => found.uses.extend(words),
                "replace" => {
                    if let Some(arrow) = words.iter().position(|word| word == "=>")
                        && let (Some(path), Some(to)) = (words.first(), words.get(arrow + 1))
                        && is_directory(to)
                    {
                        found.replaced.push((path.clone(), to.clone()));
                    }
                }
                _ => {}
            }
        }
        found
    }
}

/// Whether `go` takes the right side of a `replace` for a directory.
fn is_directory(path: &str) -> bool {
    path.starts_with(['.', '/', '\\']) || path.as_bytes().get(1) == Some(&b':')
}

/// The words of a line (Go Modules Reference, "Lexical elements").
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            _ if rest.starts_with("//") => break,
            '(' | ')' | ',' => rest.split_at(1),
            '"' | '`' => match rest[1..].split_once(first) {
                Some(found) => found,
                None => break,
            },
            _ => {
                let ends = |(at, letter): (usize, char)| {
                    letter.is_whitespace()
                        || matches!(letter, '(' | ')' | ',')
                        || rest[at..].starts_with("//")
                };
                let end = rest.char_indices().find(|&found| ends(found));
                rest.split_at(end.map_or(rest.len(), |(at, _)| at))
            }
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives() {
        let content = "// replace a => ./no\nmodule \"example.com/m\" // why\n\ngo 1.24\n\
            replace example.com/a => ../a\n\
            replace example.com/b v1.2.3 => `./b c` // x\n\
            replace (\n\texample.com/c => example.com/d v1.0.0\n\t\"example.com/e\" => \"/abs\"\n)\n\
            use ./one\nuse (\n\t./two // three\n\t../four\n)\nrequire x v1\n";
        let found = Directives::parse(content);
        assert_eq!(found.module.as_deref(), Some("example.com/m"));
        assert_eq!(found.uses, ["./one", "./two", "../four"]);
        let replaced: Vec<_> =
            found.replaced.iter().map(|(path, to)| (path.as_str(), to.as_str())).collect();
        assert_eq!(
            replaced,
            [("example.com/a", "../a"), ("example.com/b", "./b c"), ("example.com/e", "/abs")]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_file(content: String) {
            let _ = Directives::parse(&content);
        }
    }
}
