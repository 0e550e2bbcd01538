//! Compares two layers file by file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;

use oci::{Descriptor, DiffId, Hasher};
use store::Store;
use tar::EntryType;

use super::VerifyError;
use super::difference::Difference;
use super::programs;
use super::specimen::{inflated, read};

/// The most files of a layer that are compared.
const FILES: usize = 1 << 20;

/// The most that is held of their names and attributes, in bytes.
const HELD: usize = 128 << 20;

/// A file of a layer: what there is of it beside its content, and the hash of that.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    header: Vec<(&'static str, String)>,
    content: String,
}

/// Where a layer is, and what is in it.
type Layer<'a> = (&'a Descriptor, DiffId);

/// The first difference of two layers in the store, the image's and the source's.
pub(super) fn compare(
    store: &Store,
    image: Layer<'_>,
    (source_store, source): (&Store, Layer<'_>),
) -> Result<Difference, VerifyError> {
    let (of_image, order) = entries(store, image)?;
    let (of_source, source_order) = entries(source_store, source)?;
    for path in source_order.iter().chain(&order) {
        let place = || format!("/{}", path.trim_start_matches('/'));
        let (entry, other) = match (of_image.get(path), of_source.get(path)) {
            (Some(entry), Some(other)) => (entry, other),
            (None, _) => return Ok(Difference::of("it is not in the image").within(place())),
            (_, None) => return Ok(Difference::of("it is only in the image").within(place())),
        };
        for ((name, value), (_, want)) in entry.header.iter().zip(&other.header) {
            if value != want && *name != "size" {
                return Ok(Difference::between(format!("its {name}"), value, want).within(place()));
            }
        }
        if entry.content != other.content {
            let dir = store.temp_dir().map_err(VerifyError::store)?;
            let files = ["image", "source"].map(|name| dir.path().join(name));
            extract(store, image.0, path, &files[0])?;
            extract(source_store, source.0, path, &files[1])?;
            let found = programs::files(&files[0], &files[1]);
            let found = found.map_err(|source| wrong(image.0, source))?;
            let found = found.unwrap_or_else(|| Difference::of("its content"));
            return Ok(found.within(place()));
        }
    }
    if order != source_order {
        return Ok(Difference::of("its files are in another order"));
    }
    Ok(Difference::of("its archive is written in another way"))
}

fn wrong(layer: &Descriptor, source: io::Error) -> VerifyError {
    VerifyError::Layer { digest: layer.digest, source: std::sync::Arc::new(source) }
}

/// The files of a layer by their paths, and the paths in their order.
fn entries(
    store: &Store,
    (layer, diff_id): Layer<'_>,
) -> Result<(BTreeMap<String, Entry>, Vec<String>), VerifyError> {
    let (mut entries, mut order) = (BTreeMap::new(), Vec::new());
    let mut held = 0;
    read(store, layer, diff_id, |entry| {
        if order.len() == FILES {
            return Err(io::Error::other(format!("it has more than {FILES} files")));
        }
        // No ko writes one, and its holes may be longer than any disk.
        if entry.header().entry_type() == EntryType::GNUSparse {
            return Err(io::Error::other("it has a sparse file"));
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let link = entry.link_name_bytes();
        let link = link.map(|link| String::from_utf8_lossy(&link).into_owned());
        let header = entry.header();
        let header = vec![
            ("type", format!("{:?}", header.entry_type())),
            ("mode", format!("{:o}", header.mode()?)),
            ("owner", format!("{}:{}", header.uid()?, header.gid()?)),
            ("time", header.mtime()?.to_string()),
            ("size", header.size()?.to_string()),
            ("target", link.unwrap_or_default()),
            ("attributes", attributes(entry)?),
        ];
        held += header.iter().fold(2 * path.len(), |sum, (_, value)| sum + value.len());
        if held > HELD {
            return Err(io::Error::other("its names and attributes are too long"));
        }
        let mut hasher = Hasher::new();
        let mut buffer = [0; 64 << 10];
        loop {
            match entry.read(&mut buffer)? {
                0 => break,
                read => hasher.update(&buffer[..read]),
            }
        }
        let content = hasher.digest().to_string();
        // Of two files of one path, the last one counts, but both are seen.
        let path = match entries.contains_key(&path) {
            true => format!("{path} (again)"),
            false => path,
        };
        entries.insert(path.clone(), Entry { header, content });
        order.push(path);
        Ok(())
    })?;
    Ok((entries, order))
}

/// The extended attributes of a file, and what else stands in its extended header.
fn attributes(entry: &mut tar::Entry<'_, impl Read>) -> io::Result<String> {
    let mut text = Vec::new();
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        let value = extension.value_bytes().iter().map(|byte| format!("{byte:02x}"));
        text.push(format!("{}={}", extension.key().unwrap_or_default(), value.collect::<String>()));
    }
    Ok(text.join(","))
}

/// Writes a file of a layer to disk.
fn extract(store: &Store, layer: &Descriptor, path: &str, to: &Path) -> Result<(), VerifyError> {
    let mut plain = inflated(store, layer)?;
    let mut extracted = || {
        let mut archive = tar::Archive::new(&mut plain);
        let mut file = File::create(to)?;
        for entry in archive.entries()? {
            let mut entry = entry?;
            if entry.path_bytes() == path.as_bytes() {
                io::copy(&mut entry, &mut file)?;
                break;
            }
        }
        file.flush()
    };
    extracted().map_err(|source| wrong(layer, source))
}
