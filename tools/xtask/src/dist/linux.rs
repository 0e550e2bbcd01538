//! Packages of Linux distributions: nfpm makes a `.deb`, an `.rpm` and an `.apk` of one
//! description, and depends on nothing but one time.

use super::archive::{Entry, gz};
use super::binary::Needs;
use super::target::{Processor, System, Target};
use super::{Contents, Own, SUMMARY, at, notices};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use toolkit::{Error, Result, step};

/// The formats: their names for nfpm, and where zsh looks for completions.
const FORMATS: [(&str, &str); 3] = [
    ("deb", "/usr/share/zsh/vendor-completions/_ko"),
    ("rpm", "/usr/share/zsh/site-functions/_ko"),
    ("apk", "/usr/share/zsh/site-functions/_ko"),
];

/// What Debian wants to read about the license in place of its text, which it has.
const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: ko

Files: *
Copyright: 2026 The authors of ko
License: Apache-2.0
Comment: What is in the binary of others is in THIRD-PARTY-NOTICES.txt.

License: Apache-2.0
 On Debian systems, the text is in /usr/share/common-licenses/Apache-2.0.
";

/// What package managers show below the summary.
const DESCRIPTION: &str = "ko compiles Go programs, puts them into layers on a base image, \
and pushes the\nimages to a registry or writes them to a file. It needs no Docker.";

/// A file of a package: where it lies, and what it is.
type Installed = (String, Entry);

/// The packages of a binary for Linux, with their names.
pub(crate) fn packages(
    contents: &Contents,
    target: &Target,
    needs: Needs,
    own: &Own,
) -> Result<Vec<(String, Vec<u8>)>> {
    let mut packages = Vec::new();
    for (format, zsh) in FORMATS {
        // Alpine has another C library.
        if format == "apk" && target.system != System::LinuxStatic {
            continue;
        }
        let files = installed(contents, target, own, format, zsh)?;
        packages.push(package(contents, target, needs, format, &files)?);
    }
    Ok(packages)
}

/// Where the files of an archive lie in a package.
fn installed(
    contents: &Contents,
    target: &Target,
    own: &Own,
    format: &str,
    zsh: &str,
) -> Result<Vec<Installed>> {
    let mut files = vec![(
        "/usr/share/doc/ko/ko.spdx.json".to_owned(),
        Entry::file("ko.spdx.json", own.sbom.clone()),
    )];
    let licenses = if format == "deb" { "/usr/share/doc/ko" } else { "/usr/share/licenses/ko" };
    for entry in super::entries(contents, target, own) {
        let place = match entry.name.as_str() {
            "ko" => "/usr/bin/ko".to_owned(),
            "completions/_ko" => zsh.to_owned(),
            "completions/ko.bash" => "/usr/share/bash-completion/completions/ko".to_owned(),
            "completions/ko.fish" => "/usr/share/fish/vendor_completions.d/ko.fish".to_owned(),
            "LICENSE" if format == "deb" => {
                files.push((format!("{licenses}/copyright"), Entry::file("copyright", COPYRIGHT)));
                let changes = gz(changelog(contents).as_bytes()).map_err(super::packing)?;
                let changes = Entry::file("changelog.gz", changes);
                files.push((format!("{licenses}/changelog.gz"), changes));
                continue;
            }
            "LICENSE" | notices::FILE => format!("{licenses}/{}", entry.name),
            name => match name.strip_prefix("man/") {
                Some(page) => {
                    let page = format!("/usr/share/man/man1/{page}.gz");
                    let data = gz(&entry.data).map_err(super::packing)?;
                    files.push((page, Entry::file(name, data)));
                    continue;
                }
                None => continue,
            },
        };
        files.push((place, entry));
    }
    Ok(files)
}

/// Debian's list of changes, which has the release that the package is of.
fn changelog(contents: &Contents) -> String {
    let (version, maintainer) = (contents.version, &contents.maintainer);
    let date = contents.time.strftime("%a, %d %b %Y %H:%M:%S +0000");
    format!(
        "ko ({version}) stable; urgency=medium\n\n  * Release {version}.\n\n \
         -- {maintainer}  {date}\n"
    )
}

fn package(
    contents: &Contents,
    target: &Target,
    needs: Needs,
    format: &str,
    files: &[Installed],
) -> Result<(String, Vec<u8>)> {
    let temporary = tempfile::tempdir().map_err(super::packing)?;
    let dir = temporary.path();
    for (number, (_, entry)) in files.iter().enumerate() {
        let path = dir.join(number.to_string());
        fs::write(&path, &entry.data).map_err(at(&path))?;
    }
    let description = description(contents, target, needs, format, files);
    let config = dir.join("nfpm.json");
    fs::write(&config, description.to_string()).map_err(at(&config))?;
    let made = dir.join("made");
    let mut nfpm = Command::new(crate::setup::nfpm()?);
    nfpm.args(["package", "--packager", format, "--config", "nfpm.json", "--target"]);
    nfpm.arg(&made).current_dir(dir);
    // A file without a time of its own has this one.
    nfpm.env("SOURCE_DATE_EPOCH", contents.time.as_second().to_string());
    let output = step::output(&mut nfpm)?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        return Err(Error::Missing(format!("nfpm: {}", String::from_utf8_lossy(&said))));
    }
    let data = fs::read(&made).map_err(at(&made))?;
    Ok((name(contents.version, target.processor, format), data))
}

/// The name that each distribution gives its packages.
fn name(version: &str, processor: Processor, format: &str) -> String {
    let (debian, others) = match processor {
        Processor::X86_64 => ("amd64", "x86_64"),
        Processor::Aarch64 => ("arm64", "aarch64"),
    };
    match format {
        "deb" => format!("ko_{version}_{debian}.deb"),
        "rpm" => format!("ko-{version}-1.{others}.rpm"),
        // Alpine has the processor in the name of the directory alone.
        _ => format!("ko-{version}-r0.{others}.apk"),
    }
}

/// The description of a package, as nfpm reads it: JSON is YAML.
fn description(
    contents: &Contents,
    target: &Target,
    needs: Needs,
    format: &str,
    files: &[Installed],
) -> Value {
    let time = contents.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let file = |(number, (place, entry)): (usize, &Installed)| {
        let mode = if entry.executable { 0o755 } else { 0o644 };
        let info = json!({ "mode": mode, "owner": "root", "group": "root", "mtime": time });
        json!({ "src": number.to_string(), "dst": place, "file_info": info })
    };
    let library = match (needs, format) {
        (Needs::Glibc(release), "deb") => {
            vec![format!("libc6 (>= 2.{release})"), "libgcc-s1".into()]
        }
        (Needs::Glibc(release), _) => {
            vec![format!("libc.so.6(GLIBC_2.{release})(64bit)"), "libgcc_s.so.1()(64bit)".into()]
        }
        _ => Vec::new(),
    };
    let processor = match target.processor {
        Processor::X86_64 => "amd64",
        Processor::Aarch64 => "arm64",
    };
    // Programs that ko runs: users may have Go from elsewhere.
    let suggests = match format {
        "deb" => json!(["golang-go", "git"]),
        "rpm" => json!(["golang", "git-core"]),
        _ => json!([]),
    };
    json!({
        "name": "ko",
        "arch": processor,
        "platform": "linux",
        "version": contents.version,
        "version_schema": "none",
        "release": if format == "apk" { "r0" } else if format == "rpm" { "1" } else { "" },
        "section": "devel",
        "priority": "optional",
        "maintainer": contents.maintainer,
        // Debian has the summary in the first line of it.
        "description":
            if format == "deb" { format!("{SUMMARY}\n{DESCRIPTION}") } else { DESCRIPTION.into() },
        "homepage": contents.repository,
        "license": "Apache-2.0",
        "mtime": time,
        "depends": library,
        "suggests": suggests,
        "contents": files.iter().enumerate().map(file).collect::<Vec<_>>(),
        "rpm": { "buildhost": "localhost", "summary": SUMMARY, "compression": "xz" },
        "deb": { "compression": "xz" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_each_distribution() {
        let name = |format| name("1.2.3", Processor::Aarch64, format);
        assert_eq!(name("deb"), "ko_1.2.3_arm64.deb");
        assert_eq!(name("rpm"), "ko-1.2.3-1.aarch64.rpm");
        assert_eq!(name("apk"), "ko-1.2.3-r0.aarch64.apk");
    }
}
