//! Finds the configuration file in force and reads its text. Only a regular file
//! of a sane size is ever opened, so that nothing here can block.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::source::Source;
use crate::error::{CommandError, Result};

/// The names in the working directory, in ko's order of precedence.
const NAMES: [&str; 4] = [".ko.json", ".ko.toml", ".ko.yaml", ".ko.yml"];

/// A configuration of a thousand builds has 200 KiB; more than this is not
/// read.
const LIMIT: u64 = 1 << 20;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// YAML, and JSON as a part of it.
    Yaml,
    Toml,
}

/// The file in force.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// As the user would write it.
    path: PathBuf,
    pub(crate) format: Format,
}

/// What is locked, beside the file.
pub(crate) const LOCK: &str = "ko.lock";

/// Where the file may be, and what is locked, for those who wait for them to change.
pub(crate) fn candidates(named: Option<&Path>, work_dir: &Path) -> Vec<PathBuf> {
    match named {
        None => NAMES.iter().chain([&LOCK]).map(|name| work_dir.join(name)).collect(),
        Some(path) => {
            let path = work_dir.join(path);
            let beside = path.with_file_name(LOCK);
            vec![path.join(".ko.yaml"), path.join(LOCK), beside, path]
        }
    }
}

/// Finds the file: `named` (the value of `KO_CONFIG_PATH`) is the file or its
/// directory; without it, the working directory may have one.
pub(crate) fn find(named: Option<&Path>, work_dir: &Path) -> Result<Option<Found>> {
    let path = match named {
        None => {
            let not_a_dir = |name: &&str| {
                work_dir.join(name).metadata().is_ok_and(|metadata| !metadata.is_dir())
            };
            match NAMES.into_iter().find(not_a_dir) {
                Some(name) => PathBuf::from(name),
                None => return Ok(None),
            }
        }
        Some(path) if stat(path, work_dir)?.is_dir() => path.join(".ko.yaml"),
        Some(path) => path.to_owned(),
    };
    if !stat(&path, work_dir)?.is_file() {
        let message = format!("config file {} is not a regular file", path.display());
        return Err(CommandError::new(message));
    }
    // `.yaml` alone is a name with an extension, as Go sees it.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension).unwrap_or_default();
    let format = match extension {
        "json" | "yaml" | "yml" => Format::Yaml,
        "toml" => Format::Toml,
        _ => {
            let message =
                format!("error reading config file: Unsupported Config Type {extension:?}");
            let hint = "the name must end in .yaml, .yml, .json or .toml";
            return Err(CommandError::new(message).hint(Some(hint.to_owned())));
        }
    };
    Ok(Some(Found { path, format }))
}

fn stat(path: &Path, work_dir: &Path) -> Result<std::fs::Metadata> {
    work_dir.join(path).metadata().map_err(|error| {
        let path = path.display();
        CommandError::new(format!("error looking for config file: stat {path}: {}", reason(&error)))
            .hint(Some(
                "set KO_CONFIG_PATH to a file or directory that is there, or unset it".to_owned(),
            ))
    })
}

/// Reads a file that was found.
pub(crate) fn read(found: &Found, work_dir: &Path) -> Result<Source> {
    let name = found.path.display().to_string();
    let mut bytes = Vec::new();
    std::fs::File::open(work_dir.join(&found.path))
        .and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            let reason = reason(&error);
            CommandError::new(format!("error reading config file: open {name}: {reason}"))
        })?;
    if bytes.len() as u64 > LIMIT {
        return Err(CommandError::new(format!(
            "error reading config file: {name} is larger than a configuration may be ({} MiB)",
            LIMIT >> 20
        )));
    }
    let bytes = match found.format {
        // ko's reader takes UTF-16 here as in manifests; TOML is UTF-8.
        Format::Yaml => engine::to_utf8(&name, bytes).map_err(|error| {
            CommandError::of(&error).context("error reading config file: While parsing config")
        })?,
        Format::Toml => bytes,
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let lines = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count();
        CommandError::new(format!(
            "error reading config file: While parsing config: {name}:{} is not UTF-8",
            lines + 1
        ))
    })?;
    Ok(Source::new(name, text))
}

/// What Go says for the errors that scripts look for.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::NotADirectory => "not a directory".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_in_force_is_found_as_ko_finds_it() {
        let dir = tempfile::tempdir().unwrap();
        let found = |named: Option<&str>| {
            find(named.map(Path::new), dir.path())
                .map(|found| found.map(|found| found.path.display().to_string()))
                .map_err(|error| error.message().to_owned())
        };
        let some = |path: &str| Ok(Some(path.to_owned()));
        let fails = |message: &str| Err(message.to_owned());
        assert_eq!(found(None), Ok(None));
        // The later has precedence over the earlier; a directory is no file.
        for name in [".ko.yml", ".ko.yaml", ".ko.toml", ".ko.json"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            let before = found(None);
            std::fs::remove_dir(dir.path().join(name)).unwrap();
            assert_eq!(found(None), before);
            std::fs::write(dir.path().join(name), "").unwrap();
            assert_eq!(found(None), some(name));
        }
        std::fs::create_dir_all(dir.path().join("a/.ko.yaml")).unwrap();
        std::fs::create_dir(dir.path().join("b")).unwrap();
        std::fs::write(dir.path().join("b/.ko.yaml"), "").unwrap();
        std::fs::write(dir.path().join("b/.ko.json"), "").unwrap();
        std::fs::create_dir(dir.path().join("c")).unwrap();
        for name in ["my.yml", ".yaml", "x.YAML", "x.txt", "x"] {
            std::fs::write(dir.path().join("c").join(name), "").unwrap();
        }
        let looking = "error looking for config file: stat";
        for (named, want) in [
            ("b", some("b/.ko.yaml")),
            ("./b/", some("./b/.ko.yaml")),
            ("b/.ko.json", some("b/.ko.json")),
            ("c/my.yml", some("c/my.yml")),
            ("c/.yaml", some("c/.yaml")),
            ("a", fails("config file a/.ko.yaml is not a regular file")),
            ("c", fails(&format!("{looking} c/.ko.yaml: no such file or directory"))),
            ("d", fails(&format!("{looking} d: no such file or directory"))),
            ("c/x/y", fails(&format!("{looking} c/x/y: not a directory"))),
            ("c/x", fails("error reading config file: Unsupported Config Type \"\"")),
            ("c/x.txt", fails("error reading config file: Unsupported Config Type \"txt\"")),
            ("c/x.YAML", fails("error reading config file: Unsupported Config Type \"YAML\"")),
        ] {
            assert_eq!(found(Some(named)), want, "{named}");
        }
    }

    #[test]
    fn what_cannot_be_a_configuration_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = |content: &[u8]| {
            std::fs::write(dir.path().join(".ko.yaml"), content).unwrap();
            let found = find(None, dir.path()).unwrap().unwrap();
            read(&found, dir.path()).unwrap_err().message().to_owned()
        };
        assert_eq!(
            error(b"a: b\nc: \xff"),
            "error reading config file: While parsing config: .ko.yaml:2 is not UTF-8"
        );
        assert_eq!(
            error(&vec![b' '; (1 << 20) + 1]),
            "error reading config file: .ko.yaml is larger than a configuration may be (1 MiB)"
        );
    }
}
