//! Has `go` make its indexes of the modules that a command loads packages from. It keeps
//! them in its build cache; without them it reads the imports of every file.

use std::ffi::OsString;

use cancel::Cancel;

use crate::settings::BuildSettings;
use crate::tool::Go;

/// Flags with a value that decide which packages there are.
const DECIDING: [&str; 5] = ["C", "mod", "modfile", "overlay", "tags"];

/// How much of the list of packages is kept, which nobody reads.
const LIMIT: usize = 1 << 10;

impl Go {
    /// Loads the packages of a command, such as `test ./...`, and does nothing with them.
    /// A command that loads none, or that `go` would refuse, makes no difference.
    pub fn index_modules(&self, settings: &BuildSettings, words: &[OsString], cancel: &Cancel) {
        let Some((mut flags, patterns)) = loaded(words) else { return };
        flags.extend(
            ["-e", "-deps", "-find=false", "-compiled=false", "-export=false"].map(str::to_owned),
        );
        let BuildSettings { dir, environment, .. } = settings;
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let _ = self.run_list(dir, environment, flags, &patterns, LIMIT, cancel);
    }
}

/// The flags and patterns by which `go list` loads what a command does; none for a command
/// that does not name packages first of all. The value of a flag that is not known here
/// may be among the patterns: `go list -e` passes over what is no package.
fn loaded(words: &[OsString]) -> Option<(Vec<String>, Vec<String>)> {
    let mut words = words.iter().map_while(|word| word.to_str());
    let tests = match words.next()? {
        "build" | "install" => "-test=false",
        "test" | "vet" => "-test=true",
        _ => return None,
    };
    let (mut flags, mut patterns) = (Vec::new(), Vec::new());
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix('-') else {
            patterns.push(word.to_owned());
            continue;
        };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v)));
        if name == "args" {
            break;
        }
        if DECIDING.contains(&name)
            && let Some(value) = value.or_else(|| words.next())
        {
            flags.push(format!("-{name}={value}"));
        }
    }
    flags.push(tests.to_owned());
    Some((flags, patterns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_loads_what_a_command_does() {
        for (command, expected) in [
            ("build -trimpath -o bin ./cmd/...", "-test=false | bin ./cmd/..."),
            (
                "install -C sub -v --tags a,b -mod=vendor ./x",
                "-C=sub -tags=a,b -mod=vendor -test=false | ./x",
            ),
            ("test -run=None ./... -args -tags=c d", "-test=true | ./..."),
            ("vet", "-test=true | "),
            ("test -tags", "-test=true | "),
        ] {
            let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
            let (flags, patterns) = loaded(&words).unwrap();
            assert_eq!(format!("{} | {}", flags.join(" "), patterns.join(" ")), expected);
        }
        for command in ["", "run ./x y", "mod tidy", "tool cover -html=x"] {
            let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
            assert_eq!(loaded(&words), None, "{command}");
        }
    }
}
