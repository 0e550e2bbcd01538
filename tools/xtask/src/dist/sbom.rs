//! What a binary is made of, as SPDX 2.3: the crates that cargo links for its target,
//! with the sums that `Cargo.lock` holds them to.

use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use toml::de::{DeTable, DeValue};
use toolkit::{Error, Result, step};

/// A crate of the binary.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: String,
    /// Those that it uses, by their places in the list.
    pub(crate) uses: Vec<usize>,
}

/// The sums of crates, by name and version.
type Sums = BTreeMap<(String, String), String>;

/// The crates that are linked for a target; the first is ko.
pub(crate) fn linked(triple: &str) -> Result<Vec<Crate>> {
    Ok(crates(&tree(triple)?))
}

/// The SBOM of the binary of a target, which has this sum.
pub(crate) fn sbom(crates: &[Crate], triple: &str, sum: &str, time: Timestamp) -> Result<Vec<u8>> {
    let path = step::workspace().join("Cargo.lock");
    let lock = fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
    let document = document(crates, &sums(&lock), triple, sum, time);
    Ok(format!("{document:#}\n").into_bytes())
}

/// The crates that are linked, as cargo draws them.
fn tree(triple: &str) -> Result<String> {
    let mut cargo = step::cargo();
    cargo.args(["tree", "--quiet", "--locked", "--package", "ko", "--target", triple]);
    // Macros are run by the compiler, and none of them is in the binary.
    cargo.args(["--edges", "normal,no-proc-macro", "--prefix", "depth"]);
    let output = step::output(cargo.args(["--format", "\t{p}\t{l}"]))?;
    if !output.status.success() {
        return Err(Error::Missing(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Reads the tree: a line is a depth, a crate and its license. A crate's lines come
/// once, and ` (*)` stands for them where it comes again.
fn crates(tree: &str) -> Vec<Crate> {
    let (mut crates, mut above): (Vec<Crate>, Vec<usize>) = Default::default();
    for line in tree.lines() {
        let mut parts = line.trim_end_matches(" (*)").split('\t');
        let depth = parts.next().and_then(|depth| depth.parse().ok());
        let (Some(depth), Some(package)) = (depth, parts.next()) else { continue };
        let mut words = package.split(' ');
        let name = words.next().unwrap_or_default();
        let version = words.next().unwrap_or_default().trim_start_matches('v');
        let known = crates.iter().position(|one| one.name == name && one.version == version);
        let place = known.unwrap_or(crates.len());
        if known.is_none() {
            crates.push(Crate {
                name: name.to_owned(),
                version: version.to_owned(),
                // A slash is how crates said it before SPDX had a word.
                license: parts.next().unwrap_or_default().replace('/', " OR "),
                uses: Vec::new(),
            });
        }
        above.truncate(depth);
        if let Some(&user) = above.last()
            && !crates[user].uses.contains(&place)
        {
            crates[user].uses.push(place);
        }
        above.push(place);
    }
    crates
}

/// The sums of a `Cargo.lock`.
fn sums(lock: &str) -> Sums {
    let Ok(table) = DeTable::parse(lock) else { return Sums::new() };
    let packages = table.get_ref().get("package").and_then(|value| value.get_ref().as_array());
    let sum = |package: &DeValue<'_>| {
        let text = |key: &str| {
            let value = package.as_table()?.get(key)?;
            Some(value.get_ref().as_str()?.to_owned())
        };
        Some(((text("name")?, text("version")?), text("checksum")?))
    };
    packages.into_iter().flatten().filter_map(|package| sum(package.get_ref())).collect()
}

fn document(crates: &[Crate], sums: &Sums, triple: &str, sum: &str, time: Timestamp) -> Value {
    let mut packages = Vec::new();
    let mut relations = Vec::new();
    for (place, one) in crates.iter().enumerate() {
        let (name, version) = (&one.name, &one.version);
        let mut package = json!({
            "SPDXID": id(one),
            "name": name,
            "versionInfo": version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": if one.license.is_empty() { "NOASSERTION" } else { &one.license },
            "copyrightText": "NOASSERTION",
        });
        // The first is ko, the binary itself; what else has no sum is of this repository.
        let published = sums.get(&(name.clone(), version.clone()));
        if let Some(value) = (place == 0).then_some(sum).or(published.map(String::as_str)) {
            package["checksums"] = json!([{ "algorithm": "SHA256", "checksumValue": value }]);
        }
        if place == 0 {
            package["primaryPackagePurpose"] = json!("APPLICATION");
            relations.push(relation("SPDXRef-DOCUMENT", "DESCRIBES", &id(one)));
        } else if published.is_some() {
            let url = format!("https://static.crates.io/crates/{name}/{name}-{version}.crate");
            package["downloadLocation"] = json!(url);
            package["externalRefs"] = json!([{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": format!("pkg:cargo/{name}@{}", version.replace('+', "%2B")),
            }]);
        }
        packages.push(package);
        for &used in &one.uses {
            relations.push(relation(&id(one), "DEPENDS_ON", &id(&crates[used])));
        }
    }
    let version = crates.first().map_or("", |ko| &ko.version);
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("ko-{version}-{triple}"),
        "documentNamespace": format!("https://spdx.org/spdxdocs/ko-{version}-{triple}-{sum}"),
        "creationInfo": {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "creators": ["Tool: cargo-xtask-dist"],
        },
        "packages": packages,
        "relationships": relations,
    })
}

fn relation(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}

/// An identifier of SPDX has letters, digits, dots and dashes.
fn id(one: &Crate) -> String {
    format!("SPDXRef-{}-{}", one.name, one.version).replace(['_', '+'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0\tko v0.1.0 (/src/crates/ko)\tApache-2.0\n\
                        1\ta v1.0.0\tMIT/Apache-2.0\n\
                        2\tb_c v2.0.0+x\tMIT\n\
                        1\tb_c v2.0.0+x\tMIT (*)\n";

    const LOCK: &str = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"11\"\n\
                        [[package]]\nname = \"b_c\"\nversion = \"2.0.0+x\"\nchecksum = \"22\"\n\
                        [[package]]\nname = \"ko\"\nversion = \"0.1.0\"\n";

    #[test]
    fn a_crate_is_listed_once_with_all_that_it_uses() {
        let crates = crates(TREE);
        let seen: Vec<(&str, &str, &[usize])> = crates
            .iter()
            .map(|one| (one.name.as_str(), one.license.as_str(), one.uses.as_slice()))
            .collect();
        let expected: [(&str, &str, &[usize]); 3] =
            [("ko", "Apache-2.0", &[1, 2]), ("a", "MIT OR Apache-2.0", &[2]), ("b_c", "MIT", &[])];
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_binary_has_its_sum_and_each_crate_that_of_the_lock() {
        let document = document(&crates(TREE), &sums(LOCK), "target", "00", Timestamp::UNIX_EPOCH);
        let packages = document["packages"].as_array().unwrap();
        let sums: Vec<&Value> =
            packages.iter().map(|one| &one["checksums"][0]["checksumValue"]).collect();
        assert_eq!(sums, ["00", "11", "22"]);
        assert_eq!(packages[2]["SPDXID"], "SPDXRef-b-c-2.0.0-x");
        let purl = &packages[2]["externalRefs"][0]["referenceLocator"];
        assert_eq!(purl, "pkg:cargo/b_c@2.0.0%2Bx");
        assert_eq!(document["creationInfo"]["created"], "1970-01-01T00:00:00Z");
        assert_eq!(document["relationships"].as_array().unwrap().len(), 4);
    }
}
