//! Asks `go list -export` which objects programs are linked from: the action of each in
//! Go's build cache, and its output. What is not there is compiled for it, so it is
//! asked after the programs were built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cancel::Cancel;

use crate::import_path::ImportPath;
use crate::list::{ListError, clean_pattern};
use crate::settings::BuildSettings;
use crate::tool::Go;

/// The most that the answer may be: ten thousand packages have some 3 MB.
const LIMIT: usize = 64 << 20;

/// A line for each package: what it is called, its build ID, its object; of those that
/// were asked for, how, and what they are made of.
const FORMAT: &str = "{{.ImportPath}}\t{{.BuildID}}\t{{.Export}}\t\
                      {{if not .DepOnly}}{{range .Match}}{{.}} {{end}}\t{{range .Deps}}{{.}} {{end}}{{end}}";

/// The beginning of an action's name, as far as build IDs have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionPrefix([u8; 15]);

impl ActionPrefix {
    fn parse(build_id: &str) -> Option<Self> {
        let (action, _) = build_id.split_once('/')?;
        URL_SAFE_NO_PAD.decode(action).ok()?.try_into().ok().map(Self)
    }

    /// Its bytes, which the name of the action begins with.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 15] {
        &self.0
    }
}

/// The object of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Which action of the cache made it.
    pub action: ActionPrefix,
    /// Where it is.
    pub file: PathBuf,
}

/// The objects that programs are linked from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exports {
    /// All of them, in the order in which they can be compiled.
    pub objects: Vec<Export>,
    /// Those of each program, by their places among all; programs as `go` repeats what
    /// it was asked for.
    programs: BTreeMap<String, BTreeSet<usize>>,
}

impl Go {
    /// The objects of programs that have been built.
    ///
    /// # Errors
    /// As [`ListError`] tells.
    pub fn exports(
        &self,
        settings: &BuildSettings,
        import_paths: &[ImportPath],
        cancel: &Cancel,
    ) -> Result<Exports, ListError> {
        let BuildSettings { dir, environment, .. } = settings;
        // Each is said in full, as GOFLAGS may ask for the opposite.
        let mut flags = vec!["-e=false", "-find=false", "-test=false", "-compiled=false"];
        flags.extend(["-deps", "-export", "-f", FORMAT]);
        let compiling = settings.compiling();
        flags.extend(compiling.iter().map(String::as_str));
        let programs: Vec<&str> = import_paths.iter().map(ImportPath::as_str).collect();
        let answer = self.run_list(dir, environment, flags, &programs, LIMIT, cancel)?;
        Ok(Exports::parse(&String::from_utf8_lossy(&answer)))
    }
}

impl Exports {
    /// The objects of a program, by their places among all.
    #[must_use]
    pub fn of(&self, program: &ImportPath) -> Option<&BTreeSet<usize>> {
        self.programs.get(&clean_pattern(program.as_str()))
    }

    fn parse(text: &str) -> Self {
        let mut exports = Self::default();
        let mut places = BTreeMap::new();
        for line in text.lines() {
            let mut fields = line.split('\t');
            let mut next = || fields.next().unwrap_or_default();
            let (path, build_id, file) = (next(), next(), next());
            let (asked, deps) = (next(), next());
            if let Some(action) = ActionPrefix::parse(build_id).filter(|_| !file.is_empty()) {
                places.insert(path, exports.objects.len());
                exports.objects.push(Export { action, file: PathBuf::from(file) });
            }
            for pattern in asked.split_ascii_whitespace() {
                let all = deps.split_ascii_whitespace().chain([path]);
                let all = all.filter_map(|dep| places.get(dep).copied()).collect();
                exports.programs.insert(pattern.to_owned(), all);
            }
        }
        exports
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_those_of_programs() {
        let (x, y) = ("./cmd/x \tinternal/goarch unsafe ", "a/cmd/y \ta/lib internal/goarch ");
        let text = format!(
            "unsafe\t\t\t\n\
             internal/goarch\tuuPqYB1jWKspu1dA1eSq/IpBnVNT6BtZsmCGG1O6V\t/c/43/43-d\t\n\
             a/lib\t9kkiHImfuHzEURPP9Ry3/PBiR9r_X1dkrC-naTCgG\t/c/5b/5b-d\t\n\
             a/cmd/x\t5VbcEPdOQ9WCFgjDPRTD/9T3SIC6BClL_9nhbLxCg\t/c/c4/c4-d\t{x}\n\
             a/cmd/y\tnonsense\t/c/c5/c5-d\t{y}\n"
        );
        let exports = Exports::parse(&text);
        assert_eq!(exports.objects.len(), 3);
        assert_eq!(exports.objects[1].action.bytes()[..2], [0xf6, 0x49]);
        assert_eq!(exports.objects[1].file, PathBuf::from("/c/5b/5b-d"));
        let of = |path: &str| exports.of(&ImportPath::parse(path).unwrap()).cloned();
        assert_eq!(of("./cmd/x"), Some(BTreeSet::from([0, 2])));
        assert_eq!(of("a/cmd//y"), Some(BTreeSet::from([0, 1])));
        assert_eq!(of("a/cmd/z"), None);
    }
}
