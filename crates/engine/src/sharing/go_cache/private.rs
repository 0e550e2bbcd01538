//! Finds out which outputs of Go's build cache other machines may have: objects of
//! packages that name no place of this one. What tests said, indexes of modules and
//! what compilers complained of is never shared.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use golang::{BuildSettings, GoEnv};
use memchr::memmem::Finder;

/// What an object of a package begins with.
const OBJECT: &[u8] = b"!<arch>\n";

/// How much of an output is looked through at once.
const PIECE: usize = 256 << 10;

/// What is asked of `go env`.
pub(super) const NAMES: [&str; 6] =
    ["GOCACHE", "GOCACHEPROG", "GOMOD", "GOMODCACHE", "GOPATH", "GOWORK"];

/// Variables that name places of whoever builds.
const VARIABLES: [&str; 2] = ["HOME", "USERPROFILE"];

/// The places of a machine, which nobody else is to know.
#[derive(Debug)]
pub(super) struct Places(Vec<Finder<'static>>);

impl Places {
    /// How many names a path has at least that says something of who has it: many
    /// objects name `/root` or `/src`.
    pub(super) const NAMES: usize = 2;

    /// Those of a build, and the `other` ones, whose paths have so many `names`.
    pub(super) fn of(settings: &BuildSettings, env: &GoEnv, other: &[&Path], names: usize) -> Self {
        let mut paths = BTreeSet::new();
        let mut add = |path: &Path| {
            if path.is_absolute() && path.components().count() > names {
                paths.insert(path.to_owned());
            }
        };
        add(&settings.dir);
        other.iter().for_each(|path| add(path));
        let checkout = settings.dir.ancestors().find(|dir| dir.join(".git").exists());
        checkout.iter().for_each(|root| add(root));
        for name in NAMES {
            let value = env.get(name).unwrap_or_default();
            match name {
                "GOMOD" | "GOWORK" => Path::new(value).parent().iter().for_each(|dir| add(dir)),
                _ => std::env::split_paths(value).for_each(|path| add(&path)),
            }
        }
        let variables = VARIABLES.iter().filter_map(|name| settings.environment.get(name));
        variables.for_each(|value| add(Path::new(value)));
        // What is below another is found with it.
        let outer = |path: &&std::path::PathBuf| {
            !paths.iter().any(|other| other != *path && path.starts_with(other))
        };
        let finder = |path: &std::path::PathBuf| {
            let mut bytes = path.as_os_str().as_encoded_bytes().to_vec();
            bytes.push(std::path::MAIN_SEPARATOR as u8);
            Finder::new(&bytes).into_owned()
        };
        Self(paths.iter().filter(outer).map(finder).collect())
    }

    /// Whether an output is an object that names none of them.
    pub(super) fn may_leave(&self, mut output: impl Read) -> io::Result<bool> {
        let longest = self.0.iter().map(|place| place.needle().len()).max().unwrap_or_default();
        let mut buffer = vec![0; OBJECT.len() + longest + PIECE];
        let mut len = OBJECT.len();
        output.read_exact(&mut buffer[..len])?;
        if !buffer.starts_with(OBJECT) {
            return Ok(false);
        }
        loop {
            let read = output.read(&mut buffer[len..])?;
            if read == 0 {
                return Ok(true);
            }
            len += read;
            if self.0.iter().any(|place| place.find(&buffer[..len]).is_some()) {
                return Ok(false);
            }
            // What ends here may go on in the next piece.
            let kept = longest.min(len);
            buffer.copy_within(len - kept..len, 0);
            len = kept;
        }
    }
}

/// Whether a file is an object of a package.
pub(super) fn is_object(path: &Path) -> bool {
    let mut begin = [0; OBJECT.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *OBJECT
}

#[cfg(all(test, unix))]
mod tests {
    use golang::{Environment, Target};

    use super::*;

    #[test]
    fn objects_leave_that_name_no_place() {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("src/cmd/x");
        std::fs::create_dir_all(&work).unwrap();
        std::fs::create_dir(dir.path().join("src/.git")).unwrap();
        let environment: Environment =
            [("HOME", "/home/somebody"), ("USERPROFILE", "/src")].into_iter().collect();
        let target = Target { os: "linux".into(), arch: "amd64".into(), variant: String::new() };
        let settings = BuildSettings {
            dir: work,
            target,
            environment,
            flags: Vec::new(),
            ldflags: Vec::new(),
            disable_optimizations: false,
            untrimmed: false,
        };
        let places =
            Places::of(&settings, &GoEnv::default(), &[Path::new("/var/ko")], Places::NAMES);
        let may = |text: &str| places.may_leave(format!("!<arch>\n{text}").as_bytes()).unwrap();
        assert!(may("example.com/app/cmd/x/main.go /home/ /home/somebodyelse/x /src/x"));
        assert!(!may("//line /home/somebody/x.go:1"));
        assert!(!may(&dir.path().join("src/other/x.go").to_string_lossy()));
        assert!(!may("/var/ko/x"));
        for at in PIECE - 40..PIECE + 40 {
            let text = "x".repeat(at);
            assert!(may(&text));
            assert!(!may(&(text.clone() + "/var/ko/")), "{at}");
            assert!(!may(&(text + "/var/ko/more")), "{at}");
        }
        assert!(!places.may_leave(&b"go index v2\n"[..]).unwrap());
        assert!(places.may_leave(&b""[..]).is_err());
    }
}
