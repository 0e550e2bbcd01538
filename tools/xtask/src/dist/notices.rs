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
pub(crate) type Places = BTreeMap<(String, String), Place>;

/// Where a crate is.
#[derive(Debug)]
pub(crate) struct Place {
    directory: PathBuf,
    /// The address of the sources, which crates that are developed together share.
    repository: Option<String>,
}

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
    places: &Places,
    triple: &str,
    crates: &[Crate],
    license: &str,
) -> Result<String> {
    let mut texts = Texts::default();
    for one in crates {
        let Some(place) = place(places, one) else { continue };
        let of = format!("{} {} ({})", one.name, one.version, one.license);
        let is_apache = one.license.contains("Apache-2.0");
        let mut files = files(place, one)?;
        if files.is_empty() && !is_apache {
            files = those_of_a_sibling(places, place, one, crates)?;
        }
        if files.is_empty() {
            if !is_apache {
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

/// The files of a crate of the same repository with the same license: some repositories keep
/// theirs in one crate.
fn those_of_a_sibling(
    places: &Places,
    place: &Place,
    of: &Crate,
    crates: &[Crate],
) -> Result<Vec<PathBuf>> {
    for one in crates.iter().filter(|one| one.license == of.license) {
        let sibling = self::place(places, one);
        let shared =
            |other: &&Place| other.repository.is_some() && other.repository == place.repository;
        if let Some(sibling) = sibling.filter(shared) {
            let files = files(sibling, one)?;
            if !files.is_empty() {
                return Ok(files);
            }
        }
    }
    Ok(Vec::new())
}

fn place<'a>(places: &'a Places, one: &Crate) -> Option<&'a Place> {
    places.get(&(one.name.clone(), one.version.clone()))
}

/// What a crate brings, in order.
fn files(place: &Place, one: &Crate) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(&place.directory, one.name.ends_with("-sys"), &mut files)?;
    files.sort();
    Ok(files)
}

/// The places of the crates that come from elsewhere.
pub(crate) fn places() -> Result<Places> {
    let mut cargo = step::cargo();
    let output = step::output(cargo.args(["metadata", "--locked", "--format-version", "1"]))?;
    let failed = || Error::Missing(String::from_utf8_lossy(&output.stderr).into_owned());
    let about: Value = serde_json::from_slice(&output.stdout).map_err(|_| failed())?;
    let packages = about["packages"].as_array().ok_or_else(failed)?;
    let foreign = packages.iter().filter(|package| package["source"].is_string());
    let place = |package: &Value| {
        let text = |key: &str| package[key].as_str().map(str::to_owned);
        let directory = PathBuf::from(text("manifest_path")?).parent()?.to_owned();
        let place = Place { directory, repository: text("repository") };
        Some(((text("name")?, text("version")?), place))
    };
    Ok(foreign.filter_map(place).collect())
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

    /// A crate that is linked, as if it had this license.
    fn one(places: &Places, name: &str, license: &str) -> Crate {
        let (name, version) = places.keys().find(|(known, _)| known == name).unwrap().clone();
        Crate { name, version, license: license.to_owned(), uses: Vec::new() }
    }

    #[test]
    fn the_libraries_in_c_are_among_them_on_their_own_terms() {
        let places = places().unwrap();
        let crates = ["aws-lc-sys", "zstd-sys"].map(|name| one(&places, name, "X"));
        let notices = notices(&places, "x86_64-unknown-linux-musl", &crates, "APACHE").unwrap();
        for part in ["The OpenSSL Project", "Meta Platforms", "Rich Felker", "\n\nAPACHE\n"] {
            assert!(notices.contains(part), "{part} is missing");
        }
        assert!(!notices.contains("GNU GENERAL PUBLIC LICENSE"), "zstd's other terms");
    }

    #[test]
    fn a_crate_without_a_license_has_that_of_its_repository() {
        let places = places().unwrap();
        let made = |names: &[&str]| {
            let crates: Vec<Crate> = names.iter().map(|name| one(&places, name, "MIT")).collect();
            notices(&places, "x86_64-unknown-linux-gnu", &crates, "APACHE")
        };
        let (bare, whole) = (made(&["tonic-prost"]), made(&["tonic-prost", "tonic"]).unwrap());
        let error = bare.unwrap_err().to_string();
        assert!(error.ends_with("(MIT) brings no license"), "{error}");
        let [tonic, prost] = ["tonic", "tonic-prost"].map(|name| {
            let Crate { name, version, .. } = one(&places, name, "MIT");
            format!("{name} {version} (MIT)\n")
        });
        assert!(whole.contains(&format!("{tonic}{prost}")), "{whole}");
    }
}
