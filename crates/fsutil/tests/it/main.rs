//! What is written where, by what stands there.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::thread;

use ko_fsutil::{Access, Output, check, write, write_new};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Everything in a directory: nothing temporary may stay.
fn names(dir: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_file_is_whole_or_not_there() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("new");
    let mut output = Output::create(&path, Access::Public).unwrap();
    output.write_all(b"half").unwrap();
    drop(output);
    assert_eq!(names(&dir), Vec::<String>::new());
    check(&path).unwrap();
    assert_eq!(names(&dir), Vec::<String>::new());
    write(&path, Access::Private, b"a").unwrap();
    assert_eq!((read(&path).as_str(), fs::metadata(&path).unwrap().mode() & 0o777), ("a", 0o600));
    assert!(!write_new(&path, Access::Public, b"b").unwrap());
    assert_eq!(read(&path), "a");
}

#[test]
fn a_file_is_replaced_and_keeps_mode_and_owner() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "a longer text").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(12), Some(34)).unwrap();
    }
    let before = fs::metadata(&path).unwrap();
    let mut output = Output::create(&path, Access::Public).unwrap();
    output.write_all(b"new").unwrap();
    assert_eq!(read(&path), "a longer text");
    output.commit().unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(read(&path), "new");
    assert_ne!(before.ino(), after.ino());
    let rights = |found: &fs::Metadata| (found.mode(), found.uid(), found.gid());
    assert_eq!(rights(&before), rights(&after));
    assert_eq!(names(&dir), ["file"]);
}

#[test]
fn a_file_that_cannot_be_replaced_is_written_itself() {
    let dir = TempDir::new().unwrap();
    let (path, moved) = (dir.path().join("file"), dir.path().join("moved"));
    fs::write(&path, "a longer text").unwrap();
    let mut output = Output::create(&path, Access::Public).unwrap();
    output.write_all(b"new").unwrap();
    // As on a mount, no rename to that name succeeds any more.
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    output.commit().unwrap();
    assert_eq!(read(&moved), "new");
    assert_eq!(names(&dir), ["file", "moved"]);
}

#[test]
fn all_names_of_a_file_are_written() {
    let dir = TempDir::new().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    fs::write(&one, "old and long").unwrap();
    fs::hard_link(&one, &other).unwrap();
    write(&one, Access::Public, b"new").unwrap();
    assert_eq!(read(&other), "new");
}

#[test]
fn links_are_written_through() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    let (link, target) = (dir.path().join("link"), dir.path().join("sub/target"));
    symlink("sub/second", &link).unwrap();
    symlink("target", dir.path().join("sub/second")).unwrap();
    for text in ["made", "replaced"] {
        check(&link).unwrap();
        write(&link, Access::Public, text.as_bytes()).unwrap();
        assert!(link.is_symlink());
        assert_eq!(read(&target), text);
    }
    let circle = dir.path().join("circle");
    symlink("circle", &circle).unwrap();
    assert!(check(&circle).is_err() && write(&circle, Access::Public, b"").is_err());
}

#[test]
fn a_pipe_is_written_to() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::from(0o600), 0).unwrap();
    let reader = {
        let path = path.clone();
        thread::spawn(move || read(&path))
    };
    // The reader has not seen an end after this.
    check(&path).unwrap();
    write(&path, Access::Public, b"text").unwrap();
    assert_eq!(reader.join().unwrap(), "text");
    assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
}

#[test]
fn a_device_is_written_to() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("null");
    let null = rustix::fs::makedev(1, 3);
    if mknodat(CWD, &path, FileType::CharacterDevice, Mode::from(0o600), null).is_err() {
        // Only root makes devices.
        return;
    }
    check(&path).unwrap();
    write(&path, Access::Public, b"text").unwrap();
    assert!(fs::metadata(&path).unwrap().file_type().is_char_device());
}

#[test]
fn an_open_file_is_written_at_its_end() {
    use std::os::fd::AsRawFd as _;
    let dir = TempDir::new().unwrap();
    let mut file = fs::File::create(dir.path().join("file")).unwrap();
    file.write_all(b"before ").unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let numbered = |number: i32| format!("/dev/fd/{number}");
    let link = dir.path().join("link");
    symlink(numbered(file.as_raw_fd()), &link).unwrap();
    check(&link).unwrap();
    write(&link, Access::Public, b"after").unwrap();
    assert_eq!(read(&dir.path().join("file")), "before after");
    write(numbered(writer.as_raw_fd()).as_ref(), Access::Public, b"text").unwrap();
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "text");
    assert!(check("/dev/fd/987654".as_ref()).is_err());
}

#[test]
fn what_cannot_be_written_is_known_before() {
    let dir = TempDir::new().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    for name in [".", "none/new", "file/new", "new/", "socket"] {
        let path = dir.path().join(name);
        assert!(check(&path).is_err(), "{name}");
        assert!(write(&path, Access::Public, b"").is_err(), "{name}");
    }
    assert_eq!(names(&dir), ["file", "socket"]);
}
