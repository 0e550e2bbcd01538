//! The tar is Go's, byte for byte.

use ko_layer::{Entry, Family, HeaderError, LayerSpec};
use proptest::prelude::*;

use crate::go::{self, GoEntry};
use crate::tools::tar_of;

fn assert_same_headers(entries: &[GoEntry]) {
    let theirs = go::headers(entries);
    assert_eq!(theirs.len(), entries.len());
    for (entry, theirs) in entries.iter().zip(theirs) {
        assert_eq!(entry.ours().header().ok(), theirs, "{entry:?}");
    }
}

fn file(name: &str) -> GoEntry {
    GoEntry { name: name.as_bytes().to_vec(), mode: 0o555, ..GoEntry::default() }
}

/// A name of `len` bytes with slashes at these places.
fn name(len: usize, slashes: &[usize]) -> String {
    (0..len).map(|at| if slashes.contains(&at) { '/' } else { 'n' }).collect()
}

#[test]
fn names_are_written_as_go_writes_them() {
    let mut names: Vec<String> =
        ["/var", "ko-app", "/ko-app/x", "", "/", "a/", "a//b/../c", "a/..", "..", "./a", "a b\n=c"]
            .map(str::to_owned)
            .to_vec();
    for len in [99, 100, 101, 102, 154, 155, 156, 157, 254, 255, 256, 257, 258, 600] {
        names.push(name(len, &[]));
        names.push(format!("{}é", name(len - 2, &[len / 2])));
        for slash in [0, 1, 50, 99, 100, 101, 154, 155, 156, 157, 255, len - 1] {
            names.push(name(len, &[slash]));
            names.push(name(len, &[0, slash]));
            names.push(name(len, &[slash, slash + 1, len - 1]));
        }
    }
    names.extend(["ünï/cödé", "日本/語", "é", "é/é", "a/é", "/é/a"].map(str::to_owned));
    let mut entries: Vec<GoEntry> = names.iter().map(|name| file(name)).collect();
    for bytes in [&b"\xff"[..], b"a/\xffb", b"\xc3/\xa9", b"\xed\xa0\x80", b"nul\0", b"\0"] {
        entries.push(GoEntry { name: bytes.to_vec(), ..file("") });
    }
    let dirs: Vec<GoEntry> =
        entries.iter().map(|entry| GoEntry { dir: true, ..entry.clone() }).collect();
    let records: Vec<GoEntry> = entries
        .iter()
        .map(|entry| GoEntry { pax: vec![("K.k".into(), b"v".into())], ..entry.clone() })
        .collect();
    assert_same_headers(&[entries, dirs, records].concat());
}

#[test]
fn numbers_are_written_as_go_writes_them() {
    let mut entries = Vec::new();
    for mtime in [
        0,
        1,
        2000,
        -1,
        -2000,
        (1 << 33) - 1,
        1 << 33,
        (1 << 33) + 1,
        253_402_300_799,
        -62_135_596_800,
        -62_135_596_801,
        i64::MAX,
        i64::MIN,
    ] {
        entries.push(GoEntry { mtime, ..file("/var/x") });
        entries.push(GoEntry { mtime, dir: true, ..file("/var") });
        entries.push(GoEntry { mtime, pax: vec![("K.k".into(), vec![])], ..file("/var/x") });
    }
    for size in [0, 1, 511, 512, (1 << 33) - 1, 1 << 33, 1 << 40, i64::MAX as u64] {
        entries.push(GoEntry { size, ..file("/var/x") });
        entries.push(GoEntry { size, mtime: -5, ..file(&name(200, &[100])) });
    }
    for id in [0, 65532, (1 << 21) - 1, 1 << 21, u32::MAX] {
        entries.push(GoEntry { uid: id, ..file("x") });
        entries.push(GoEntry { gid: id, uid: 1, dir: true, ..file("x") });
    }
    for mode in [0, 0o644, 0o1777, 0o7777, u16::MAX] {
        entries.push(GoEntry { mode, ..file("x") });
    }
    assert_same_headers(&entries);
}

#[test]
fn records_are_written_as_go_writes_them() {
    let capabilities = vec![1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut entries = Vec::new();
    for (key, value) in [
        ("SCHILY.xattr.security.capability", capabilities),
        ("MSWINDOWS.rawsd", b"AQAAgBQAAAAkAAAA".to_vec()),
        ("K", vec![]),
        ("K", vec![b'v'; (1 << 20) - 9]),
        ("K", vec![b'v'; (1 << 20) - 11]),
        ("K", vec![b'v'; (1 << 20) - 12]),
        ("é", b"\xff\0=\n".to_vec()),
        ("", b"v".to_vec()),
        ("a=b", b"v".to_vec()),
        ("a\0b", b"v".to_vec()),
    ] {
        entries.push(GoEntry { pax: vec![(key.into(), value)], ..file("/ko-app/foo") });
    }
    for len in 80..120 {
        entries.push(GoEntry { pax: vec![("K".into(), vec![b'v'; len])], ..file("x") });
        entries.push(GoEntry { pax: vec![("K".into(), vec![b'v'; len * 10])], ..file("x") });
    }
    let several =
        ["z", "a", "path2", "SCHILY.xattr.user.x"].map(|key| (key.to_owned(), key.into()));
    entries.push(GoEntry { pax: several.to_vec(), ..file(&name(120, &[60])) });
    entries.push(GoEntry { pax: several.to_vec(), mtime: -1, ..file("é") });
    assert_same_headers(&entries);

    // Go takes these for its own and drops them; here they are a mistake.
    for key in ["path", "size", "mtime", "GNU.sparse.map"] {
        let refused = Entry::directory("x").pax(key, "1").header();
        assert_eq!(refused, Err(HeaderError::Key { key: key.to_owned() }));
    }
}

#[test]
fn an_archive_is_go_s_to_the_last_byte() {
    let body = |len| crate::tools::bytes(len);
    let entries = [
        GoEntry { dir: true, ..file("ko-app") },
        GoEntry { body: body(1), ..file("/ko-app/one") },
        GoEntry { body: body(511), mtime: 2000, ..file("/ko-app/511") },
        GoEntry { body: body(512), pax: vec![("K".into(), b"v".into())], ..file("/512") },
        GoEntry { body: body(513), ..file("/ko-app/é") },
        GoEntry { ..file("/empty") },
        GoEntry { body: body(700_000), ..file("/large") },
    ];
    let ours = entries.iter().map(|entry| match entry.body.is_empty() && !entry.dir {
        true => Entry::bytes(entry.name.clone(), &b""[..]),
        false => entry.ours(),
    });
    let (_, tar) = tar_of(&LayerSpec::new(ours.collect()));
    assert!(tar == go::archive(&entries));
    assert!(tar_of(&LayerSpec::default()).1 == go::archive(&[]));
}

#[test]
fn programs_are_laid_out_as_ko_does() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let body = crate::tools::bytes(3000);
    std::fs::write(&path, &body).unwrap();
    let directory = |name| GoEntry { dir: true, ..file(name) };
    let program = |name| GoEntry { body: body.clone(), ..file(name) };
    let capabilities = *b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    let plain = LayerSpec::binary(Family::Unix, "foo", &path, None).unwrap();
    let want = [directory("ko-app"), program("/ko-app/foo")];
    assert!(tar_of(&plain).1 == go::archive(&want));

    let capable = LayerSpec::binary(Family::Unix, "foo", &path, Some(capabilities)).unwrap();
    let pax = vec![("SCHILY.xattr.security.capability".into(), capabilities.to_vec())];
    let want = [directory("ko-app"), GoEntry { pax, ..program("/ko-app/foo") }];
    let tar = tar_of(&capable).1;
    assert!(tar == go::archive(&want));
    assert_eq!(&tar[512..][..27], b"/ko-app/PaxHeaders.0/foo\0\0\0");
    assert_eq!(&tar[1024..][..37], b"57 SCHILY.xattr.security.capability=\x01");

    let windows = LayerSpec::binary(Family::Windows, "foo", &path, Some(capabilities)).unwrap();
    let sd = "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA==";
    let pax = vec![("MSWINDOWS.rawsd".into(), sd.into())];
    let want = [
        directory("Hives"),
        directory("Files"),
        directory("Files/ko-app"),
        GoEntry { pax, ..program("Files/ko-app/foo") },
    ];
    assert!(tar_of(&windows).1 == go::archive(&want));
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        // Paths of short and of long parts.
        proptest::collection::vec("[a-z.]{1,12}|[a-z]{60,130}", 1..6)
            .prop_map(|parts| parts.join("/").into_bytes()),
        "/?[a-z./]{0,300}".prop_map(String::into_bytes),
        "\\PC{0,120}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..300),
    ]
}

fn any_entry() -> impl Strategy<Value = GoEntry> {
    let mtime = prop_oneof![Just(0), Just(2000), any::<i64>(), -10_i64..1 << 34];
    let size = prop_oneof![Just(0), 0_u64..100_000, 0_u64..1 << 36];
    let ids = prop_oneof![Just((0, 0)), any::<(u32, u32)>()];
    let value = proptest::collection::vec(any::<u8>(), 0..120);
    let pax = prop_oneof![
        Just(vec![]),
        proptest::collection::vec(("[A-Z]{1,3}\\.[a-z=]{0,4}", value), 0..3)
    ];
    (any_name(), any::<bool>(), size, any::<u16>(), ids, mtime, pax).prop_map(
        |(name, dir, size, mode, (uid, gid), mtime, pax)| {
            let size = if dir { 0 } else { size };
            GoEntry { name, dir, size, mode, uid, gid, mtime, pax, body: vec![] }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_header_is_go_s(entries in proptest::collection::vec(any_entry(), 100..400)) {
        assert_same_headers(&entries);
    }
}
