//! The notices that must go with a binary: the licenses of the crates in it, as they come
//! with the crates, each text once.

use super::sbom::Crate;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use toolkit::{Error, Result, step};

/// The name of the file in packages.
pub(crate) const FILE: &str = "THIRD-PARTY-NOTICES.txt";

/// How the name of a file begins that says something about a license.
const NAMES: [&str; 6] = ["COPYING", "COPYRIGHT", "LICENCE", "LICENSE", "NOTICE", "UNLICENSE"];

/// What musl, which is in binaries that need no C library, asks to be shown.
const MUSL: &str = "Copyright © 2005-2020 Rich Felker, et al.

Permission is hereby granted, free of charge, to any person obtaining
a copy of this software and associated documentation files (the
\"Software\"), to deal in the Software without restriction, including
without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to
permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be
included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND,
EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT.
IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT,
TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
";

/// Where crates are, by name and version.
pub(crate) type Directories = BTreeMap<(String, String), PathBuf>;

/// A text, and what it is the license of.
#[derive(Debug, Default)]
struct Texts(BTreeMap<String, (String, BTreeSet<String>)>);

impl Texts {
    /// Texts that differ in white space alone are one.
    fn add(&mut self, text: &str, of: String) {
        let key = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let entry = self.0.entry(key).or_default();
        if entry.0.is_empty() {
            entry.0 = text.replace("\r\n", "\n").trim_matches('\n').to_owned();
        }
        entry.1.insert(of);
    }

    /// All of them, those of the most crates first.
    fn written(&self, head: &str) -> String {
        let mut texts: Vec<&(String, BTreeSet<String>)> = self.0.values().collect();
        texts.sort_by_key(|(text, of)| (std::cmp::Reverse(of.len()), of.first(), text));
        let rule = "=".repeat(78);
        let mut written = format!("{head}\n");
        for (text, of) in texts {
            let of: Vec<&str> = of.iter().map(String::as_str).collect();
            written.push_str(&format!("\n{rule}\n{}\n{rule}\n\n{text}\n", of.join("\n")));
        }
        written
    }
}

/// The notices of a binary of these crates. `license` is the text of Apache-2.0: some
/// crates name it, and do not bring it.
pub(crate) fn notices(
    directories: &Directories,
    triple: &str,
    crates: &[Crate],
    license: &str,
) -> Result<String> {
    let mut texts = Texts::default();
    for one in crates {
        let Some(directory) = directories.get(&(one.name.clone(), one.version.clone())) else {
            continue;
        };
        let of = format!("{} {} ({})", one.name, one.version, one.license);
        let mut files = Vec::new();
        collect(directory, one.name.ends_with("-sys"), &mut files)?;
        files.sort();
        if files.is_empty() {
            if !one.license.contains("Apache-2.0") {
                return Err(Error::Missing(format!("{of} brings no license")));
            }
            texts.add(license, of.clone());
        }
        for path in files {
            let text = fs::read(&path).map_err(super::at(&path))?;
            texts.add(&String::from_utf8_lossy(&text), of.clone());
        }
    }
    let std = "the Rust standard library, © The Rust Project Contributors (MIT OR Apache-2.0)";
    texts.add(license, std.to_owned());
    if triple.ends_with("-musl") {
        texts.add(MUSL, "musl (MIT)".to_owned());
    }
    Ok(texts.written(&format!("What is in the binary of ko for {triple}, and is not ko's own.")))
}

/// The directories of the crates that come from elsewhere.
pub(crate) fn directories() -> Result<Directories> {
    let mut cargo = step::cargo();
    let output = step::output(cargo.args(["metadata", "--locked", "--format-version", "1"]))?;
    let failed = || Error::Missing(String::from_utf8_lossy(&output.stderr).into_owned());
    let about: Value = serde_json::from_slice(&output.stdout).map_err(|_| failed())?;
    let packages = about["packages"].as_array().ok_or_else(failed)?;
    let foreign = packages.iter().filter(|package| package["source"].is_string());
    let directory = |package: &Value| {
        let text = |key: &str| package[key].as_str().map(str::to_owned);
        let manifest = PathBuf::from(text("manifest_path")?);
        Some(((text("name")?, text("version")?), manifest.parent()?.to_owned()))
    };
    Ok(foreign.filter_map(directory).collect())
}

/// The files of a crate that say something about its license. Crates with C have those of
/// the library below; of others, `src` is looked at, as the rest is not in the binary.
fn collect(directory: &Path, all: bool, files: &mut Vec<PathBuf>) -> Result<()> {
    let mut here = Vec::new();
    for entry in fs::read_dir(directory).map_err(super::at(directory))? {
        let path = entry.map_err(super::at(directory))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_dir() {
            if all || name == "SRC" || directory.ends_with("src") {
                collect(&path, all, files)?;
            }
        } else if NAMES.iter().any(|start| name.starts_with(start)) && !name.ends_with(".RS") {
            here.push((name, path));
        }
    }
    // Beside a LICENSE, this one has the terms that were not chosen (zstd), or points at it.
    if here.iter().any(|(name, _)| name.starts_with("LICEN")) {
        here.retain(|(name, _)| !name.starts_with("COPYING"));
    }
    files.extend(here.into_iter().map(|(_, path)| path));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_there_once_with_all_crates_that_have_it() {
        let mut texts = Texts::default();
        texts.add("MIT\r\nof A\n", "a".to_owned());
        texts.add("\nApache\n", "c".to_owned());
        texts.add("  Apache", "b".to_owned());
        let rule = "=".repeat(78);
        let expected =
            format!("head\n\n{rule}\nb\nc\n{rule}\n\nApache\n\n{rule}\na\n{rule}\n\nMIT\nof A\n");
        assert_eq!(texts.written("head"), expected);
    }

    #[test]
    fn the_libraries_in_c_are_among_them_on_their_own_terms() {
        let directories = directories().unwrap();
        let one = |name: &str| {
            let (name, version) = directories.keys().find(|(known, _)| known == name).unwrap();
            let (name, version) = (name.clone(), version.clone());
            Crate { name, version, license: "X".to_owned(), uses: Vec::new() }
        };
        let crates = [one("aws-lc-sys"), one("zstd-sys")];
        let notices =
            notices(&directories, "x86_64-unknown-linux-musl", &crates, "APACHE").unwrap();
        for part in ["The OpenSSL Project", "Meta Platforms", "Rich Felker", "\n\nAPACHE\n"] {
            assert!(notices.contains(part), "{part} is missing");
        }
        assert!(!notices.contains("GNU GENERAL PUBLIC LICENSE"), "zstd's other terms");
    }
}
