//! What package managers read that download archives: a formula of Homebrew, manifests of
//! Scoop and winget, a flake of Nix, and a plug-in for asdf and mise.

use super::archive::{Entry, tar_gz};
use super::target::{Processor, System, Target};
use super::{Contents, SUMMARY};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Result;

/// An archive that is published: its target, its name, and the sum of its bytes.
pub(crate) type Published = (&'static Target, String, String);

/// The files for package managers. `url` is where the archives of this version are.
pub(crate) fn files(
    contents: &Contents,
    url: &str,
    archives: &[Published],
) -> Result<Vec<(String, Vec<u8>)>> {
    let fill = |template: &str| {
        template
            .replace("@VERSION@", contents.version)
            .replace("@SUMMARY@", SUMMARY)
            .replace("@REPOSITORY@", &contents.repository)
    };
    // Of two for one machine, the one that runs on more of them.
    let of = |system: &[System], processor: Processor| {
        archives
            .iter()
            .find(|(target, ..)| system.contains(&target.system) && target.processor == processor)
    };
    let linux: &[System] = &[System::LinuxStatic, System::LinuxGnu];
    let mut files: Vec<(String, String)> = Vec::new();

    let mut downloads = Vec::new();
    for (block, systems) in [("macos", &[System::MacOs][..]), ("linux", linux)] {
        let mut lines = String::new();
        for (cpu, processor) in [("arm", Processor::Aarch64), ("intel", Processor::X86_64)] {
            if let Some((_, name, sum)) = of(systems, processor) {
                let _ = write!(
                    lines,
                    "    on_{cpu} do\n      url \"{url}/{name}\"\n      sha256 \"{sum}\"\n    end\n"
                );
            }
        }
        if !lines.is_empty() {
            downloads.push(format!("  on_{block} do\n{lines}  end"));
        }
    }
    if !downloads.is_empty() {
        let formula = include_str!("managers/ko.rb");
        files.push(("ko.rb".into(), fill(formula).replace("@DOWNLOADS@", &downloads.join("\n\n"))));
    }

    let mut nix = String::new();
    for (name, systems, processor) in [
        ("x86_64-linux", linux, Processor::X86_64),
        ("aarch64-linux", linux, Processor::Aarch64),
        ("x86_64-darwin", &[System::MacOs][..], Processor::X86_64),
        ("aarch64-darwin", &[System::MacOs][..], Processor::Aarch64),
    ] {
        // A binary that looks for a C library finds none on NixOS.
        let found = of(systems, processor).filter(|(target, ..)| target.system != System::LinuxGnu);
        if let Some((_, archive, sum)) = found {
            let _ = writeln!(
                nix,
                "        {name} = {{\n          url = \"{url}/{archive}\";\n          \
                 hash = \"sha256-{}\";\n        }};",
                STANDARD.encode(bytes(sum))
            );
        }
    }
    if !nix.is_empty() {
        let flake = fill(include_str!("managers/flake.nix"));
        let flake = flake.replace("@ARCHIVES@", nix.trim_end());
        files.push(("flake.nix".into(), flake.replace("@FLAKE@", &contents.repository)));
    }

    let mut scoop = serde_json::Map::new();
    let mut update = serde_json::Map::new();
    let mut installers = String::new();
    for (theirs, winget, processor) in
        [("64bit", "x64", Processor::X86_64), ("arm64", "arm64", Processor::Aarch64)]
    {
        let Some((_, name, sum)) = of(&[System::Windows], processor) else { continue };
        let address = format!("{url}/{name}");
        let _ = write!(
            installers,
            "- Architecture: {winget}\n  InstallerUrl: {address}\n  InstallerSha256: {}\n",
            sum.to_uppercase()
        );
        update.insert(
            theirs.to_owned(),
            json!({ "url": address.replace(contents.version, "$version") }),
        );
        scoop.insert(theirs.to_owned(), json!({ "url": address, "hash": sum }));
    }
    if !scoop.is_empty() {
        let manifest = json!({
            "version": contents.version,
            "description": SUMMARY,
            "homepage": contents.repository,
            "license": "Apache-2.0",
            "architecture": scoop,
            "bin": "ko.exe",
            "checkver": { "url": format!("{}/releases/latest", contents.repository), "regex": "v([\\d.]+)" },
            "autoupdate": {
                "architecture": update,
                "hash": { "url": "$baseurl/checksums.txt" },
            },
        });
        files.push(("ko.json".into(), format!("{manifest:#}\n")));
        let installer = fill(include_str!("managers/winget.installer.yaml"));
        let installer = installer.replace("@INSTALLERS@", installers.trim_end());
        files.push(("ko-build.ko.installer.yaml".into(), installer));
        let locale = fill(include_str!("managers/winget.locale.yaml"));
        files.push(("ko-build.ko.locale.en-US.yaml".into(), locale));
        let version = fill(include_str!("managers/winget.version.yaml"));
        files.push(("ko-build.ko.yaml".into(), version));
    }

    let mut files: Vec<(String, Vec<u8>)> =
        files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    let of_version = url.replace(contents.version, "VERSION");
    let script = |name: &str, text: &str| {
        let text = fill(text).replace("@URL_OF_VERSION@", &of_version);
        Entry::program(format!("bin/{name}"), text)
    };
    let plugin = [
        script("list-all", include_str!("managers/asdf/list-all")),
        script("download", include_str!("managers/asdf/download")),
        script("install", include_str!("managers/asdf/install")),
        Entry::file("LICENSE", contents.license.clone()),
    ];
    files.push((format!("ko_{}_asdf.tar.gz", contents.version), tar_gz(&plugin, contents.time)?));
    Ok(files)
}

/// The bytes of a sum that is written in hexadecimal digits.
fn bytes(sum: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        sum.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::target::TARGETS;
    use super::*;

    fn made() -> Vec<(String, String)> {
        let contents = Contents {
            version: "1.2.3",
            time: jiff::Timestamp::UNIX_EPOCH,
            license: String::new(),
            readme: String::new(),
            extras: Vec::new(),
            repository: "https://example.com/ko".to_owned(),
            maintainer: String::new(),
        };
        let one = |triple: &str, name: &str| {
            (Target::named(triple).unwrap(), name.to_owned(), "00ff".to_owned())
        };
        let archives = [
            one("x86_64-unknown-linux-musl", "static.tar.gz"),
            one("x86_64-unknown-linux-gnu", "gnu.tar.gz"),
            one("aarch64-unknown-linux-gnu", "arm-gnu.tar.gz"),
            one("aarch64-apple-darwin", "mac.tar.gz"),
            one("x86_64-pc-windows-msvc", "win.zip"),
        ];
        let files = files(&contents, "https://example.com/v1.2.3", &archives).unwrap();
        files
            .into_iter()
            .map(|(name, data)| (name, String::from_utf8_lossy(&data).into_owned()))
            .collect()
    }

    #[test]
    fn each_manager_has_the_archives_that_run_where_it_does() {
        let files = made();
        let text = |name: &str| files.iter().find(|(known, _)| known == name).unwrap().1.as_str();
        for (name, wanted, not) in [
            ("ko.rb", vec!["static.tar.gz", "arm-gnu.tar.gz", "mac.tar.gz"], "/gnu.tar.gz"),
            ("flake.nix", vec!["static.tar.gz", "mac.tar.gz", "sha256-AP8="], "gnu.tar.gz"),
            ("ko.json", vec!["v1.2.3/win.zip", "v$version/win.zip"], "tar.gz"),
            ("ko-build.ko.installer.yaml", vec!["win.zip", "InstallerSha256: 00FF"], "tar.gz"),
        ] {
            for part in wanted {
                assert!(text(name).contains(part), "{name} lacks {part}");
            }
            assert!(!text(name).contains(not), "{name} has {not}");
        }
        // The plug-in is compressed, and the script below it is tried by `try.sh`.
        let open: Vec<&str> = files
            .iter()
            .filter(|(name, text)| !name.ends_with(".gz") && text.contains('@'))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(open, [""; 0]);
    }

    #[test]
    fn cargo_binstall_looks_for_the_archives_that_are_made() {
        let manifest = include_str!("../../../../crates/ko/Cargo.toml");
        // Of the Windows ones, those that rustup installs.
        for target in TARGETS.iter().filter(|target| !target.triple.contains("windows-gnu")) {
            let end = if target.system == System::Windows { "zip" } else { "tar.gz" };
            let name = format!("ko_{{ version }}_{}.{end}", target.in_archives());
            let lines = format!(
                "[package.metadata.binstall.overrides.{}]\n\
                 pkg-url = \"{{ repo }}/releases/download/v{{ version }}/{name}\"\n",
                target.triple
            );
            assert!(manifest.contains(&lines), "{lines}");
        }
    }
}
