//! Packages for npm: one a platform with the binary, and one that depends on all of
//! them, of which npm installs the one that fits. Nothing runs at installation.

use super::archive::{Entry, tar_gz};
use super::binary::Needs;
use super::target::Target;
use super::{Contents, NPM, Own, SUMMARY, notices};
use serde_json::{Map, Value, json};
use std::io::Result;

/// The program of the main package: it runs the binary of the platform's package.
const SHIM: &str = include_str!("shim.js");

/// The package of a platform: its name, the name of its archive, and its bytes.
pub(crate) fn platform(
    contents: &Contents,
    target: &Target,
    needs: Needs,
    own: &Own,
) -> Result<(String, String, Vec<u8>)> {
    let name = format!("{NPM}-{}-{}", target.node_platform(), target.node_arch());
    let mut about = about(contents, &name);
    about.insert("os".to_owned(), json!([target.node_platform()]));
    about.insert("cpu".to_owned(), json!([target.node_arch()]));
    if let Needs::Glibc(_) = needs {
        about.insert("libc".to_owned(), json!(["glibc"]));
    }
    // It lies in no archive of an archive, where nothing could run it.
    about.insert("preferUnplugged".to_owned(), json!(true));
    let program = Entry::program(format!("package/bin/{}", target.program()), own.binary.clone());
    let sbom = Entry::file("package/ko.spdx.json", own.sbom.clone());
    let notices = Entry::file(format!("package/{}", notices::FILE), own.notices.clone());
    pack(contents, about, &name, vec![program, sbom, notices])
}

/// The package that users install.
pub(crate) fn main(contents: &Contents, platforms: &[String]) -> Result<(String, String, Vec<u8>)> {
    let mut about = about(contents, NPM);
    about.insert("bin".to_owned(), json!({ "ko": "bin/ko.js" }));
    about.insert("engines".to_owned(), json!({ "node": ">=16" }));
    let exact = |name: &String| (name.clone(), json!(contents.version));
    let platforms: Map<String, Value> = platforms.iter().map(exact).collect();
    about.insert("optionalDependencies".to_owned(), Value::Object(platforms));
    pack(contents, about, NPM, vec![Entry::program("package/bin/ko.js", SHIM)])
}

/// What all packages say of themselves.
fn about(contents: &Contents, name: &str) -> Map<String, Value> {
    let mut about = Map::new();
    about.insert("name".to_owned(), json!(name));
    about.insert("version".to_owned(), json!(contents.version));
    about.insert("description".to_owned(), json!(SUMMARY));
    about.insert("license".to_owned(), json!("Apache-2.0"));
    about
}

/// Packs as `npm pack` does: below `package/`, in an archive of a flat name.
fn pack(
    contents: &Contents,
    about: Map<String, Value>,
    name: &str,
    mut entries: Vec<Entry>,
) -> Result<(String, String, Vec<u8>)> {
    let about = format!("{:#}\n", Value::Object(about));
    entries.push(Entry::file("package/package.json", about));
    entries.push(Entry::file("package/LICENSE", contents.license.clone()));
    entries.push(Entry::file("package/README.md", contents.readme.clone()));
    let flat = name.trim_start_matches('@').replace('/', "-");
    let file = format!("{flat}-{}.tgz", contents.version);
    Ok((name.to_owned(), file, tar_gz(&entries, contents.time)?))
}
