//! One layer: a directory with one file in it.

use crate::random::Random;
use crate::sha256;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use std::io::Write;

/// A layer and what is said about it elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) gzip: Vec<u8>,
    pub(crate) diff_id: String,
}

impl Layer {
    /// Makes the `number`th layer of the image `name`, with a file of `size`
    /// bytes that belongs to this layer of this image alone.
    pub(crate) fn new(name: &str, number: usize, size: usize) -> Layer {
        let content = Random::named(&format!("{name} {number}")).text(size);
        Layer::with(number, &content)
    }

    /// The same with a file that deflate cannot shorten.
    pub(crate) fn noise(name: &str, number: usize, size: usize) -> Layer {
        Layer::with(number, &Random::named(&format!("{name} {number}")).noise(size))
    }

    fn with(number: usize, content: &[u8]) -> Layer {
        let mut tar = tar::Builder::new(Vec::new());
        let mut entry = |path: &str, kind, mode, content: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_size(content.len() as u64);
            header.set_mtime(0);
            tar.append_data(&mut header, path, content)
                .expect("short names and a vector always take an entry");
        };
        entry("base/", tar::EntryType::Directory, 0o755, b"");
        let path = format!("base/layer-{number}");
        entry(&path, tar::EntryType::Regular, 0o644, content);
        let tar = tar.into_inner().expect("a vector takes everything");
        let mut gzip: GzEncoder<Vec<u8>> =
            GzBuilder::new().mtime(0).write(Vec::new(), Compression::fast());
        gzip.write_all(&tar).expect("a vector takes everything");
        Layer { gzip: gzip.finish().expect("a vector takes everything"), diff_id: sha256(&tar) }
    }
}
