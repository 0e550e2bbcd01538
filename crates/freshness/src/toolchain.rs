//! Records the toolchain of a build as far as its version does not tell: that `go`
//! is what it seems to be, and the files by which it is configured.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use golang::{Environment, Go, GoEnv, find_in_path};
use serde::{Deserialize, Serialize};
use stat::Content;

use crate::checker::{Checker, Trust};
use crate::reason::{Reason, Uncacheable};
use crate::releases::{ReleaseLine, line_of};
use crate::tree::{Refused, Seen, Single, Told};

/// What is recorded of a toolchain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Toolchain {
    /// The `go` that was started, free of symbolic links.
    program: PathBuf,
    /// Its files, and those of the toolchain that it chose, if another.
    files: Vec<Single>,
    /// The version of the toolchain that builds, as `go env GOVERSION` has it.
    version: String,
    /// What `go env -w` wrote, wherever that is.
    settings: Option<Content>,
    /// The name of the toolchain that was chosen instead of the program's own:
    /// a program of this name in PATH would be preferred.
    chosen: Option<String>,
}

impl Toolchain {
    /// Looks at the toolchain of a build. `own` is what `go env` says with
    /// `GOTOOLCHAIN=local`, `actual` what it says without.
    pub(crate) fn capture(
        go: &Go,
        environment: &Environment,
        own: &GoEnv,
        actual: &GoEnv,
        started: i64,
    ) -> Result<Result<Self, Uncacheable>, Refused> {
        let path = |env: &GoEnv, name| PathBuf::from(env.get(name).unwrap_or_default());
        let program = go.file();
        let version = |env: &GoEnv| env.get("GOVERSION").unwrap_or_default().to_owned();
        // The one chooses, the other builds.
        for env in [own, actual] {
            if let Err(never) = line_of(&version(env), go.trusts_unproven()) {
                return Ok(Err(never));
            }
        }
        let root = path(own, "GOROOT");
        let binary = format!("bin/go{}", std::env::consts::EXE_SUFFIX);
        let real = root.join(&binary).canonicalize();
        if real.ok().as_deref() != Some(program) || is_script(program) {
            let actual = root.join(&binary);
            return Ok(Err(Uncacheable::Shim { program: go.program().to_owned(), actual }));
        }
        let mut paths = vec![(program.to_owned(), Told::BuildId)];
        let mut chosen = None;
        let mut add = |env: &GoEnv| {
            let (root, tools) = (path(env, "GOROOT"), path(env, "GOTOOLDIR"));
            paths.push((root.join(&binary), Told::BuildId));
            paths.extend(["VERSION", "go.env"].map(|name| (root.join(name), Told::Content)));
            // Of the parts of a toolchain, those that somebody may have built
            // into it: the rest is trusted by version.
            for tool in ["compile", "asm", "link"] {
                let file = format!("{tool}{}", std::env::consts::EXE_SUFFIX);
                paths.push((tools.join(file), Told::BuildId));
            }
        };
        add(own);
        if path(actual, "GOROOT") != root {
            let name = version(actual);
            let cache = path(actual, "GOMODCACHE").join("golang.org");
            let other = path(actual, "GOROOT");
            if in_path(&name, environment) || !other.starts_with(cache) {
                let actual = other.join(&binary);
                return Ok(Err(Uncacheable::Shim { program: go.program().to_owned(), actual }));
            }
            add(actual);
            chosen = Some(name);
        }
        paths.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        paths.dedup_by(|(one, _), (other, _)| one == other);
        let mut files = Vec::new();
        for (path, told) in paths {
            match path.to_str() {
                Some(name) => files.push(Single::capture(&path, name.to_owned(), told, started)?),
                None => return Ok(Err(Uncacheable::Name { path: path.display().to_string() })),
            }
        }
        let settings = match settings_file(environment) {
            Some(path) => Single::capture(&path, String::new(), Told::Content, started)?.content,
            None => None,
        };
        let version = version(actual);
        Ok(Ok(Self { program: program.to_owned(), files, version, settings, chosen }))
    }

    /// The release line that builds, if it is known or to be taken for one that
    /// is.
    pub(crate) fn line(&self, trusting: bool) -> Result<ReleaseLine, Uncacheable> {
        line_of(&self.version, trusting)
    }

    /// The files that are compared like all others.
    pub(crate) fn files(&self) -> &[Single] {
        &self.files
    }

    /// The same toolchain with other stats.
    pub(crate) fn with_files(&self, files: Vec<Single>) -> Self {
        Self { files, ..self.clone() }
    }

    /// The `go` that was started.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The same toolchain, started by another path, with settings by their content.
    pub(crate) fn with_place(&self, program: PathBuf) -> Self {
        Self { program, settings: self.settings.map(Content::without_place), ..self.clone() }
    }

    /// Whether a path is below a toolchain in the module cache that was chosen.
    pub(crate) fn is_of_chosen(&self, path: &Path) -> bool {
        let Some(chosen) = &self.chosen else { return false };
        let directory = format!("toolchain@v0.0.1-{chosen}.");
        path.ancestors().any(|above| {
            let name = above.file_name().and_then(OsStr::to_str).unwrap_or_default();
            name.starts_with(&directory)
        })
    }

    /// Whether it would be another one now, but for its files.
    pub(crate) fn check(
        &self,
        go: &Go,
        environment: &Environment,
        checker: &Checker,
        looked: i64,
    ) -> Result<Option<Self>, Reason> {
        self.line(go.trusts_unproven()).map_err(Reason::Uncacheable)?;
        if go.file() != self.program {
            let (was, is) = (self.program.clone(), go.file().to_owned());
            return Err(Reason::Go { was, is });
        }
        if let Some(name) = &self.chosen
            && in_path(name, environment)
        {
            return Err(Reason::Added { path: PathBuf::from(name) });
        }
        let Some(path) = settings_file(environment) else {
            return match self.settings {
                None => Ok(None),
                Some(_) => Err(Reason::Variable { name: "GOENV".to_owned() }),
            };
        };
        let recorded = Single { path: String::new(), content: self.settings, told: Told::Content };
        // The name of the file is part of no record: it is where it is.
        match recorded.check_at(&path, &Trust { checker, looked }) {
            Seen::Same => Ok(None),
            Seen::Moved(single) => Ok(Some(Self { settings: single.content, ..self.clone() })),
            Seen::Stale(reason) => Err(reason),
        }
    }
}

/// The file of `go env -w` (its `cfg.EnvFile`, and `os.UserConfigDir`).
pub(crate) fn settings_file(environment: &Environment) -> Option<PathBuf> {
    let variable = |name| environment.get(name).filter(|value: &&OsStr| !value.is_empty());
    if let Some(file) = variable("GOENV") {
        return (file != "off").then(|| PathBuf::from(file));
    }
    let config = if cfg!(windows) {
        PathBuf::from(variable("AppData")?)
    } else if cfg!(target_vendor = "apple") {
        Path::new(variable("HOME")?).join("Library/Application Support")
    } else {
        match variable("XDG_CONFIG_HOME") {
            Some(config) => PathBuf::from(config),
            None => Path::new(variable("HOME")?).join(".config"),
        }
    };
    Some(config.join("go/env"))
}

fn in_path(name: &str, environment: &Environment) -> bool {
    find_in_path(OsStr::new(name), environment).is_some()
}

fn is_script(program: &Path) -> bool {
    let mut head = [0; 2];
    let read = File::open(program).and_then(|mut file| file.read_exact(&mut head));
    read.is_err() || head == *b"#!"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fixture::{self, toolchain};

    #[test]
    fn files_of_a_chosen_toolchain_are_named_by_its_version() {
        for (chosen, path, of_chosen) in [
            (Some("go1.27.3"), "/m/golang.org/toolchain@v0.0.1-go1.27.3.linux-amd64/bin/go", true),
            (Some("go1.27.3"), "/m/golang.org/toolchain@v0.0.1-go1.27.30.linux-amd64/go", false),
            (Some("go1.27.3"), "/m/golang.org/toolchain@v0.0.1-go1.27.2.linux-amd64/go", false),
            (Some("go1.27.3"), "/usr/local/go/bin/go", false),
            (None, "/m/golang.org/toolchain@v0.0.1-go1.27.3.linux-amd64/bin/go", false),
        ] {
            let found = toolchain(chosen).is_of_chosen(Path::new(path));
            assert_eq!(found, of_chosen, "{chosen:?} {path}");
        }
    }

    #[test]
    fn where_settings_of_go_are() {
        for (variables, file) in [
            (&[("GOENV", "/e")][..], Some("/e")),
            (&[("GOENV", "off"), ("HOME", "/h")], None),
            (&[], None),
            #[cfg(target_os = "linux")]
            (&[("GOENV", ""), ("HOME", "/h")], Some("/h/.config/go/env")),
            #[cfg(target_os = "linux")]
            (&[("XDG_CONFIG_HOME", ""), ("HOME", "/h")], Some("/h/.config/go/env")),
            #[cfg(target_os = "linux")]
            (&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")], Some("/x/go/env")),
        ] {
            let found = settings_file(&variables.iter().copied().collect());
            assert_eq!(found.as_deref(), file.map(Path::new), "{variables:?}");
        }
    }

    #[test]
    fn programs_that_are_scripts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("go");
        assert!(is_script(&file), "a missing file counts as a script");
        for (content, script) in
            [("#!/bin/sh\n", true), ("\x7fELF", false), ("#", true), ("#x", false), ("x!", false)]
        {
            fs::write(&file, content).unwrap();
            assert_eq!(is_script(&file), script, "{content:?}");
        }
    }

    /// What a `go` says: a shell takes the first word of `go env` for a file.
    #[cfg(unix)]
    fn says(dir: &Path, root: &Path, version: &str) -> GoEnv {
        let all = serde_json::json!({
            "GOROOT": root, "GOTOOLDIR": root.join("tool"), "GOVERSION": version,
            "GOMODCACHE": dir.join("mod"),
        });
        fs::write(dir.join("env"), format!("echo '{all}'")).unwrap();
        let shell = Go::find(Some(OsStr::new("/bin/sh")), &Environment::new(), dir).unwrap();
        shell.env_of(dir, &Environment::new(), &[], &cancel::Cancel::new()).unwrap()
    }

    /// A toolchain is known if `go` is its own, or has chosen one of the module cache.
    #[cfg(unix)]
    #[test]
    fn toolchains_that_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let (root, other) = (dir.join("go"), dir.join("other"));
        let go = fixture::go(&root);
        fixture::go(&other);
        fs::create_dir(dir.join("path")).unwrap();
        let chosen = dir.join("mod/golang.org/toolchain@v0.0.1-go1.27.4.linux-amd64");
        let environment = || -> Environment { [("PATH", dir.join("path"))].into_iter().collect() };
        let capture = |own: &Path, actual: &Path, version: &str| {
            let (own, actual) = (says(&dir, own, "go1.27.3"), says(&dir, actual, version));
            Toolchain::capture(&go, &environment(), &own, &actual, i64::MAX).unwrap()
        };
        let own = capture(&root, &root, "go1.27.3").unwrap();
        assert_eq!((own.chosen.as_deref(), own.files.len()), (None, 6));
        let another = capture(&root, &chosen, "go1.27.4").unwrap();
        assert_eq!((another.chosen.as_deref(), another.files.len()), (Some("go1.27.4"), 12));
        let shim = |found| matches!(found, Err(Uncacheable::Shim { .. }));
        assert!(shim(capture(&other, &other, "go1.27.3")), "it starts another");
        assert!(shim(capture(&root, &other, "go1.27.4")), "it chose one of elsewhere");
        let unproven = capture(&root, &chosen, "go1.99.0");
        assert!(matches!(unproven, Err(Uncacheable::Unproven { .. })), "{unproven:?}");

        let checker = Checker::new(std::num::NonZero::<usize>::MIN);
        let check = |toolchain: &Toolchain| {
            toolchain.check(&go, &environment(), &checker, 0).map(|now| now.is_none())
        };
        assert_eq!((check(&own), check(&another)), (Ok(true), Ok(true)));
        // One of that name in PATH would be preferred.
        let program = dir.join("path/go1.27.4");
        fs::write(&program, "").unwrap();
        fixture::executable(&program);
        assert!(shim(capture(&root, &chosen, "go1.27.4")), "it is in PATH");
        assert_eq!(check(&own), Ok(true));
        assert_eq!(check(&another), Err(Reason::Added { path: "go1.27.4".into() }));
        // A script may start any.
        fs::write(go.file(), "#!/bin/sh\n").unwrap();
        assert!(shim(capture(&root, &root, "go1.27.3")), "it is a script");
    }

    /// The file of `go env -w` counts by its content, wherever it is.
    #[test]
    fn settings_by_their_content() {
        let dir = tempfile::tempdir().unwrap();
        let go = fixture::go(dir.path());
        let file = |name: &str, content: &str| {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let recorded = file("one", "GOFLAGS=-v\n");
        let content = stat::read(&recorded).unwrap();
        let with =
            |settings| Toolchain { settings, ..toolchain(None).with_place(go.file().to_owned()) };
        let checker = Checker::new(std::num::NonZero::<usize>::MIN);
        let check = |toolchain: &Toolchain, file: &Path| {
            let environment = [("GOENV", file)].into_iter().collect();
            toolchain.check(&go, &environment, &checker, i64::MAX)
        };
        let (none, known) = (with(None), with(content));
        let off = Path::new("off");
        if stat::is_local(dir.path()) {
            assert_eq!(check(&known, &recorded), Ok(None));
        }
        assert_eq!(check(&none, off), Ok(None));
        assert_eq!(check(&none, &dir.path().join("nothing")), Ok(None));
        let same = file("two", "GOFLAGS=-v\n");
        let moved = with(stat::read(&same).unwrap());
        assert_eq!(check(&known, &same), Ok(Some(moved.clone())));
        assert_eq!(known.with_place(PathBuf::new()), moved.with_place(PathBuf::new()));
        let other = file("three", "GOFLAGS=-x\n");
        assert_eq!(check(&known, &other), Err(Reason::Changed { path: other.clone() }));
        assert_eq!(check(&none, &other), Err(Reason::Added { path: other }));
        let gone = dir.path().join("nothing");
        assert_eq!(check(&known, &gone), Err(Reason::Removed { path: gone.clone() }));
        assert_eq!(check(&known, off), Err(Reason::Variable { name: "GOENV".to_owned() }));
    }
}
