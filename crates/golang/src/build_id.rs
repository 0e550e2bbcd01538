//! Reads the build ID of a toolchain's program: hashes of all that it was compiled
//! from and of what came of it, which two compilers of one version of Go do not share.
//! It is read from the file (`cmd/internal/buildid`), without a process.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// So much of a file has its build ID, says Go.
const HEAD: usize = 32 << 10;

/// Of the compiler in the GOROOT of a program `bin/go`, links resolved.
pub(crate) fn of_compiler(go: &Path) -> Option<String> {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "loongarch64" => "loong64",
        arch => arch,
    };
    let tools = go.parent()?.parent()?.join("pkg/tool").join(format!("{os}_{arch}"));
    let compiler = tools.join(format!("compile{}", std::env::consts::EXE_SUFFIX));
    in_head(&head_of(&compiler).ok()?)
}

/// The build ID of a program, if it is one that `go` linked and named by its content: the
/// last of its four parts is a hash of the file. A linker may be told to write another.
///
/// # Errors
/// The file cannot be read.
pub fn of_program(file: &Path) -> io::Result<Option<String>> {
    Ok(in_head(&head_of(file)?).filter(|id| names_content(id)))
}

/// What has the ID, read at once: that is done in every run.
fn head_of(file: &Path) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let size = File::open(file)?.read(&mut head)?;
    head.truncate(size);
    Ok(head)
}

fn names_content(id: &str) -> bool {
    let is_hash = |part: &str| {
        let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        part.len() == 20 && part.bytes().all(digit)
    };
    let parts: Vec<&str> = id.split('/').collect();
    parts.len() == 4 && parts.into_iter().all(is_hash)
}

/// In an ELF file it is a note; elsewhere, it is marked at the beginning of the
/// code.
fn in_head(head: &[u8]) -> Option<String> {
    if head.starts_with(b"\x7fELF") {
        return in_note(head);
    }
    let mark = b"\xff Go build ID: \"";
    let start = head.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let rest = &head[start..];
    let end = rest.windows(4).position(|window| window == b"\"\n \xff")?;
    text(&rest[..end])
}

fn in_note(head: &[u8]) -> Option<String> {
    let big = head.get(5) == Some(&2);
    let number = |at: usize| {
        let bytes = head.get(at..at + 4)?.try_into().ok()?;
        Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    // The sizes of name and content, the type, the name, the content.
    (0..head.len().saturating_sub(16)).step_by(4).find_map(|at| {
        let is_note = head[at + 12..].starts_with(b"Go\0\0")
            && number(at) == Some(4)
            && number(at + 8) == Some(4);
        let size = number(at + 4).filter(|_| is_note)?;
        text(head.get(at + 16..)?.get(..usize::try_from(size).ok()?)?)
    })
}

fn text(id: &[u8]) -> Option<String> {
    str::from_utf8(id).ok().filter(|id| !id.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(big: bool) -> Vec<u8> {
        let word = |number: u32| if big { number.to_be_bytes() } else { number.to_le_bytes() };
        let mut file = b"\x7fELF\x02\x01".to_vec();
        file[5] = if big { 2 } else { 1 };
        file.resize(64, 0);
        file.extend([word(4), word(7), word(4)].concat());
        file.extend(b"Go\0\0abc/def\0more");
        file
    }

    #[test]
    fn what_names_content() {
        let part = "o23vgd8o32N23pwfYG-_";
        let [whole, short] = [[part; 4].join("/"), [part; 3].join("/")];
        for (id, want) in [
            (&*whole, true),
            (&short, false),
            (&format!("{short}/redacted"), false),
            (&format!("{short}/{}+", &part[1..]), false),
            (&format!("{whole}/{part}"), false),
            ("redacted", false),
        ] {
            assert_eq!(names_content(id), want, "{id}");
        }
    }

    #[test]
    fn where_it_stands() {
        let mach = b"\xcf\xfa\xed\xfe....\xff Go build ID: \"abc/def\"\n \xff...";
        let cut = &note(false)[..80];
        for (head, want) in [
            (&note(false)[..], Some("abc/def")),
            (&note(true), Some("abc/def")),
            (mach, Some("abc/def")),
            (&mach[..20], None),
            (cut, None),
            (b"#!/bin/sh\n", None),
            (b"", None),
        ] {
            assert_eq!(in_head(head).as_deref(), want, "{head:?}");
        }
    }
}
