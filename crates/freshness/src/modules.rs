//! Finds the modules that `go` takes from disk: main modules, those that `go.work`
//! uses, and directories that a `replace` names. `go.mod` and `go.work` are read
//! for the directories in them alone; a directory too many does no harm.

use std::fs;
use std::path::Path;

use golang::unquote;

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
            '"' | '`' => match unquote(rest) {
                Some((value, after)) => {
                    words.push(value);
                    rest = after.trim_start();
                    continue;
                }
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn directives() {
        let content = "// replace a => ./no\nmodule \"example.com/m\" // why\n\ngo 1.24\n\
            replace example.com/a => ../a\n\
            replace example.com/b v1.2.3 => `./b c` // x\n\
            replace (\n\texample.com/c => example.com/d v1.0.0\n\t\"example.com/e\" => \"/abs\"\n)\n\
            replace example.com/f => \"./f \\\"g\\\"\"\n\
            use ./one\nuse (\n\t./two // three\n\t../four\n)\nrequire x v1\n\
            use(\n\t./five//six\n)\n";
        let found = Directives::parse(content);
        assert_eq!(found.module.as_deref(), Some("example.com/m"));
        assert_eq!(found.uses, ["./one", "./two", "../four", "./five"]);
        let replaced: Vec<_> =
            found.replaced.iter().map(|(path, to)| (path.as_str(), to.as_str())).collect();
        assert_eq!(
            replaced,
            [
                ("example.com/a", "../a"),
                ("example.com/b", "./b c"),
                ("example.com/e", "/abs"),
                ("example.com/f", "./f \"g\"")
            ]
        );
    }

    /// A directive that names directories, or one that does not.
    #[derive(Debug, Clone)]
    enum Directive {
        Use(String),
        Replace { path: String, version: bool, to: String },
        Other(&'static str),
    }

    fn directive() -> impl Strategy<Value = Directive> {
        let dir = || "(\\.{1,2}/|/|[C-E]:\\\\)[a-zA-Z0-9 ._\"'`(),\\\\é/-]{1,9}";
        let path = "[a-z]{1,5}\\.[a-z]{2}(/[a-z0-9.~-]{1,5}){0,2}";
        let elsewhere = "[a-z]{2,5}\\.[a-z]{2}/[a-z]{1,4}";
        prop_oneof![
            dir().prop_map(Directive::Use),
            (path, any::<bool>(), prop_oneof![dir(), elsewhere])
                .prop_map(|(path, version, to)| Directive::Replace { path, version, to }),
            proptest::sample::select(vec![
                "go 1.24",
                "require x.y/z v1.0.0",
                "exclude x.y/z v1.0.0",
                "tool x.y/z",
                "",
                "// use ./x",
                "retract (\n\t[v1.0.0, v1.1.0]\n\tuse ./x\n)",
            ])
            .prop_map(Directive::Other),
        ]
    }

    /// A word as it is, where it may stand so, or as `go mod edit` quotes it.
    fn word(text: &str, style: u8) -> String {
        let must = text.contains([' ', '"', '\'', '`', '(', ')', ',']) || text.contains("//");
        match style % 3 {
            0 if !must => text.to_owned(),
            1 if !text.contains('`') => format!("`{text}`"),
            // The escapes of JSON are Go's too.
            _ => serde_json::Value::from(text).to_string(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Each directory comes back, however its directive is written.
        #[test]
        fn directories_are_found(
            module in "[a-z]{1,5}\\.[a-z]{2}(/[a-z]{1,5})?",
            directives in proptest::collection::vec((directive(), any::<u8>(), any::<bool>()), 0..6),
            end in "( // [a-z =>(\"]{0,9}| //\\PC{0,5})?\r?\n",
        ) {
            let mut want = Directives { module: Some(module.clone()), ..Directives::default() };
            let mut content = format!("module {module}{end}");
            for (directive, style, block) in &directives {
                let (verb, line) = match directive {
                    Directive::Other(line) => {
                        content += &format!("{line}{end}");
                        continue;
                    }
                    Directive::Use(dir) => {
                        want.uses.push(dir.clone());
                        ("use", word(dir, *style))
                    }
                    Directive::Replace { path, version, to } => {
                        let to_version = if is_directory(to) {
                            want.replaced.push((path.clone(), to.clone()));
                            ""
                        } else {
                            " v1.2.3"
                        };
                        let version = if *version { " v1.0.0" } else { "" };
                        let to = word(to, *style);
                        ("replace", format!("{}{version} => {to}{to_version}", word(path, style / 3)))
                    }
                };
                content += &match block {
                    true => format!("{verb} ({end}{end}\t{line}{end}){end}"),
                    false => format!("{verb} {line}{end}"),
                };
            }
            prop_assert_eq!(Directives::parse(&content), want, "{}", content);
        }

        #[test]
        fn never_panics_on_any_text(content: String) {
            let _ = Directives::parse(&content);
        }
    }
}
