//! A wheel: what `pip install` and `uvx` take. It holds the binary alone, which lands
//! beside Python's own scripts, so that no Python runs when ko does.

use super::archive::{Entry, zip};
use super::binary::Needs;
use super::target::{Processor, Target};
use super::{Contents, Own, PYTHON, SUMMARY, notices};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The wheel of a target: its name, and its bytes.
pub(crate) fn wheel(
    contents: &Contents,
    target: &Target,
    needs: Needs,
    own: &Own,
) -> std::io::Result<(String, Vec<u8>)> {
    let version = contents.version;
    let platforms = platforms(target, needs);
    let stem = format!("{}-{version}", PYTHON.replace('-', "_"));
    let info = format!("{stem}.dist-info");
    let mut about = "Wheel-Version: 1.0\nGenerator: cargo xtask dist\n".to_owned();
    about.push_str("Root-Is-Purelib: false\n");
    for platform in &platforms {
        about.push_str(&format!("Tag: py3-none-{platform}\n"));
    }
    let metadata = format!(
        "Metadata-Version: 2.4\nName: {PYTHON}\nVersion: {version}\nSummary: {SUMMARY}\n\
         License-Expression: Apache-2.0\nLicense-File: LICENSE\n\
         License-File: {}\nRequires-Python: >=3.7\n\
         Description-Content-Type: text/markdown\n\n{}",
        notices::FILE,
        contents.readme
    );
    let mut entries = vec![
        Entry::program(format!("{stem}.data/scripts/{}", target.program()), own.binary.clone()),
        Entry::file(format!("{info}/METADATA"), metadata),
        Entry::file(format!("{info}/WHEEL"), about),
        Entry::file(format!("{info}/licenses/LICENSE"), contents.license.clone()),
        Entry::file(format!("{info}/licenses/{}", notices::FILE), own.notices.clone()),
        Entry::file(format!("{info}/sboms/ko.spdx.json"), own.sbom.clone()),
    ];
    let record = format!("{info}/RECORD");
    entries.push(Entry::file(&record, lines(&entries, &record)));
    let name = format!("{stem}-py3-none-{}.whl", platforms.join("."));
    Ok((name, zip(&entries, contents.time)?))
}

/// The list of what a wheel holds. It names itself without a sum.
fn lines(entries: &[Entry], record: &str) -> String {
    let mut lines: Vec<String> = entries
        .iter()
        .map(|entry| {
            let sum = URL_SAFE_NO_PAD.encode(Sha256::digest(&entry.data));
            format!("{},sha256={sum},{}\n", entry.name, entry.data.len())
        })
        .collect();
    lines.sort();
    lines.push(format!("{record},,\n"));
    lines.concat()
}

/// The platforms that Python knows, and that can run the binary.
fn platforms(target: &Target, needs: Needs) -> Vec<String> {
    let (linux, mac, windows) = match target.processor {
        Processor::X86_64 => ("x86_64", "x86_64", "win_amd64"),
        Processor::Aarch64 => ("aarch64", "arm64", "win_arm64"),
    };
    match needs {
        // The oldest of both C libraries that a pip of today asks for.
        Needs::Kernel => vec![
            format!("manylinux_2_17_{linux}"),
            format!("manylinux2014_{linux}"),
            format!("musllinux_1_1_{linux}"),
        ],
        Needs::Glibc(release) if release <= 17 => {
            vec![format!("manylinux_2_17_{linux}"), format!("manylinux2014_{linux}")]
        }
        Needs::Glibc(release) => vec![format!("manylinux_2_{release}_{linux}")],
        Needs::MacOs(major, minor) if major <= 10 => vec![format!("macosx_{major}_{minor}_{mac}")],
        // From 11 on, Python asks for `.0` alone.
        Needs::MacOs(major, minor) => {
            vec![format!("macosx_{}_0_{mac}", major + u32::from(minor > 0))]
        }
        Needs::Windows => vec![windows.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_those_that_can_run_the_binary() {
        let cases = [
            (
                "x86_64-unknown-linux-musl",
                Needs::Kernel,
                "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64",
            ),
            ("aarch64-unknown-linux-gnu", Needs::Glibc(34), "manylinux_2_34_aarch64"),
            (
                "x86_64-unknown-linux-gnu",
                Needs::Glibc(14),
                "manylinux_2_17_x86_64.manylinux2014_x86_64",
            ),
            ("x86_64-apple-darwin", Needs::MacOs(10, 12), "macosx_10_12_x86_64"),
            ("aarch64-apple-darwin", Needs::MacOs(11, 0), "macosx_11_0_arm64"),
            ("aarch64-apple-darwin", Needs::MacOs(12, 3), "macosx_13_0_arm64"),
            ("x86_64-pc-windows-msvc", Needs::Windows, "win_amd64"),
            ("aarch64-pc-windows-msvc", Needs::Windows, "win_arm64"),
        ];
        for (triple, needs, expected) in cases {
            let target = Target::named(triple).unwrap();
            assert_eq!(platforms(target, needs).join("."), expected, "{triple}");
        }
    }

    #[test]
    fn a_record_has_the_sum_and_the_size_of_each_file_but_its_own() {
        let entries = [Entry::file("b", ""), Entry::file("a", "text")];
        let expected = "a,sha256=mC2ePrmW9VnmM_TRlN7zdh2Qn1o7ZH0ahR_q1nwyydE,4\n\
                        b,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\
                        RECORD,,\n";
        assert_eq!(lines(&entries, "RECORD"), expected);
    }
}
