//! kodata that cannot become a layer.

use super::fails;
use crate::fixture::Fixture;
use std::fs;
use std::process::Command;

/// What is said of a link in kodata that must not be there.
fn with_link(link: &str, target: &str) -> String {
    let fixture = Fixture::new();
    let module = fixture.module().file("kodata/dir/file", "");
    let _ = module.link(&format!("kodata/{link}"), target);
    fs::write(fixture.sandbox.root().join("secret"), "").unwrap();
    let words = fails(fixture.build("--bare"));
    assert_eq!(fixture.registry.tags("out"), Vec::<String>::new());
    words
}

#[test]
fn links_that_lead_nowhere() {
    insta::assert_snapshot!(with_link("dangling", "nothing"), @r#"Error: failed to publish images: error building "ko://example.com/app": tarring kodata: kodata symlink "[work]/kodata/dangling" cannot be resolved: No such file or directory (os error 2)"#);
    insta::assert_snapshot!(with_link("itself", "itself"), @r#"Error: failed to publish images: error building "ko://example.com/app": tarring kodata: kodata symlink "[work]/kodata/itself" cannot be resolved: Too many levels of symbolic links (os error 40)"#);
}

#[test]
fn links_that_lead_in_a_circle() {
    insta::assert_snapshot!(with_link("parent", "."), @r#"Error: failed to publish images: error building "ko://example.com/app": tarring kodata: kodata symlink "[work]/kodata/parent" leads back to "[work]/kodata", which contains it"#);
    insta::assert_snapshot!(with_link("dir/up", ".."), @r#"Error: failed to publish images: error building "ko://example.com/app": tarring kodata: kodata symlink "[work]/kodata/dir/up" leads back to "[work]/kodata", which contains it"#);
}

#[test]
fn links_that_lead_out() {
    insta::assert_snapshot!(with_link("up", ".."), @r#"
    Error: failed to publish images: error building "ko://example.com/app": tarring kodata: kodata symlink "[work]/kodata/up" resolves to "[work]" which is outside the allowed root "[work]/kodata"
    hint: set KO_DATA_PATH_ALLOWED_ROOT to a directory that holds what the link leads to
    "#);
    insta::assert_snapshot!(with_link("out", "../../secret"), @r#"
    Error: failed to publish images: error building "ko://example.com/app": tarring kodata: kodata symlink "[work]/kodata/out" resolves to "[sandbox]/secret" which is outside the allowed root "[work]/kodata"
    hint: set KO_DATA_PATH_ALLOWED_ROOT to a directory that holds what the link leads to
    "#);
    insta::assert_snapshot!(with_link("dir/absolute", "/etc/passwd"), @r#"
    Error: failed to publish images: error building "ko://example.com/app": tarring kodata: kodata symlink "[work]/kodata/dir/absolute" resolves to "/etc/passwd" which is outside the allowed root "[work]/kodata"
    hint: set KO_DATA_PATH_ALLOWED_ROOT to a directory that holds what the link leads to
    "#);
}

#[test]
fn a_fifo() {
    let fixture = Fixture::new();
    let _ = fixture.module().file("kodata/a", "");
    let fifo = fixture.sandbox.work().join("kodata/pipe");
    assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
    insta::assert_snapshot!(fails(fixture.build("--bare")), @r#"Error: failed to publish images: error building "ko://example.com/app": tarring kodata: "[work]/kodata/pipe" in kodata is a named pipe, and only files and directories can be in an image"#);
}

#[test]
fn a_socket() {
    let fixture = Fixture::new();
    let _ = fixture.module().file("kodata/a", "");
    let path = fixture.sandbox.work().join("kodata/socket");
    let _socket = std::os::unix::net::UnixListener::bind(path).unwrap();
    insta::assert_snapshot!(fails(fixture.build("--bare")), @r#"Error: failed to publish images: error building "ko://example.com/app": tarring kodata: "[work]/kodata/socket" in kodata is a socket, and only files and directories can be in an image"#);
}

/// Modes do not keep root from reading. The memory of a process is a regular
/// file that nobody can read at its beginning, where nothing is mapped.
#[test]
fn a_file_that_cannot_be_read() {
    let mut fixture = Fixture::new();
    let _ = fixture.module().file("kodata/a", "").link("kodata/unreadable", "/proc/self/mem");
    fixture.sandbox.set("KO_DATA_PATH_ALLOWED_ROOT", "/");
    let words = fails(fixture.build("--bare"));
    let start = "Error: failed to publish images: error building \"ko://example.com/app\": \
                 tarring kodata [work]/kodata: reading /proc/";
    assert!(words.starts_with(start), "{words}");
    assert!(words.contains("/mem: Input/output error"), "{words}");
    assert_eq!(fixture.registry.tags("out"), Vec::<String>::new());
}
