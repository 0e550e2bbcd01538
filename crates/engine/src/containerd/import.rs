//! Imports an image into containerd without the blobs that are there.
//!
//! Blobs that `ctr images import` brings are under a lease of their own until
//! the image has its name. Blobs that were left out are under none, and may be
//! collected until the new manifest refers to them; `ctr` cannot lease them. If
//! one is gone by then, the import fails, but only if it has to be unpacked:
//! where its snapshot is still there, containerd would have an image without it.
//! So containerd is asked again afterwards, when nothing of a named image is
//! collected any more. If a blob is missing, the whole image is sent.

use std::collections::HashSet;
use std::io::{self, Write};
use std::process::ChildStdin;

use store::Store;

use super::Node;
use super::error::NodeError;
use crate::archive::member::{self, Member};
use crate::archive::oci;
use crate::blobs::{BlobError, SendError};
use crate::image::Image;

/// The result of importing an image.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    /// How many bytes were sent.
    pub(crate) sent: u64,
    /// How many blobs were left out.
    pub(crate) skipped_layers: usize,
    /// Why the short way did not do, if it was tried.
    pub(crate) fallback_reason: Option<NodeError>,
}

/// The directory of blobs in an archive.
const BLOBS: &str = "blobs/sha256/";

/// Imports an image under `reference`. Blocks.
pub(crate) fn import(
    node: &Node,
    store: &Store,
    image: &Image,
    reference: &str,
) -> Result<Imported, SendError<NodeError>> {
    let there = blobs(node)?;
    let all = || oci::of_one(image, reference);
    let is_there = |member: &Member| {
        member.path.strip_prefix(BLOBS).is_some_and(|digits| there.contains(digits))
    };
    let (left_out, missing): (Vec<Member>, Vec<Member>) = all().into_iter().partition(is_there);
    let skipped_layers = left_out.len();
    let short = attempt(node, store, missing).and_then(|sent| {
        still_there(node, &left_out)?;
        Ok(sent)
    });
    match short {
        Ok(sent) => Ok(Imported { sent, skipped_layers, fallback_reason: None }),
        Err(SendError::Refused(error)) if skipped_layers > 0 => {
            let sent = attempt(node, store, all())?;
            Ok(Imported { sent, skipped_layers: 0, fallback_reason: Some(error) })
        }
        Err(error) => Err(error),
    }
}

/// The blobs that a node has, by the digits of their digests.
fn blobs(node: &Node) -> Result<HashSet<String>, NodeError> {
    let listed = node.run(&["content", "ls", "--quiet"]).map_err(loading(node))?;
    let digits = listed.lines().filter_map(|line| line.trim().strip_prefix("sha256:"));
    Ok(digits.map(str::to_owned).collect())
}

/// Whether the blobs that were left out are where they were.
fn still_there(node: &Node, left_out: &[Member]) -> Result<(), NodeError> {
    if left_out.is_empty() {
        return Ok(());
    }
    let there = blobs(node)?;
    let mut digits = left_out.iter().filter_map(|member| member.path.strip_prefix(BLOBS));
    match digits.find(|&digits| !there.contains(digits)) {
        Some(digits) => Err(loading(node)(NodeError::Collected { blob: digits.to_owned() })),
        None => Ok(()),
    }
}

/// Sends an archive; returns how many bytes it has.
fn attempt(node: &Node, store: &Store, members: Vec<Member>) -> Result<u64, SendError<NodeError>> {
    let failed = |error| BlobError::at("sending to", node.name.as_ref())(error);
    let feed = |input: ChildStdin| {
        let mut out = Counter { out: io::BufWriter::with_capacity(256 * 1024, input), written: 0 };
        member::write(members, store, &mut out, &failed)?;
        out.flush().map_err(failed)?;
        Ok::<u64, BlobError>(out.written)
    };
    let arguments = ["images", "import", "--all-platforms", "-"];
    let (output, sent) = node.feed(&arguments, feed).map_err(loading(node))?;
    if !output.status.success() {
        return Err(loading(node)(NodeError::failed("ctr", &output)).into());
    }
    Ok(sent?)
}

fn loading(node: &Node) -> impl FnOnce(NodeError) -> NodeError + use<> {
    let node = node.name.clone();
    |source| match source {
        NodeError::Cancelled => NodeError::Cancelled,
        source => NodeError::Load { node, source: Box::new(source) },
    }
}

/// Counts what is written.
struct Counter<W> {
    out: W,
    written: u64,
}

impl<W: Write> Write for Counter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
