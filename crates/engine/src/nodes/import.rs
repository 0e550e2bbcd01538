//! Importing an image: blobs that containerd has are left out. If it then
//! finds that one is missing, it says so, and all of them are sent.

use std::collections::HashSet;
use std::io::{self, Write};

use store::Store;

use super::error::NodeError;
use super::{Node, told};
use crate::image::{Artifact, Image};
use crate::publish::PublishError;
use crate::publish::archive::docker::MANIFEST;
use crate::publish::archive::member::{self, Member};
use crate::publish::archive::oci;
use crate::publish::files::at;

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    /// How many bytes were sent.
    pub(crate) sent: u64,
    /// How many blobs were left out.
    pub(crate) without: usize,
    /// Why the short way did not do, if it was tried.
    pub(crate) detour: Option<NodeError>,
}

/// The directory of blobs in an archive.
const BLOBS: &str = "blobs/sha256/";

/// Imports an image under `reference`. Blocks.
pub(crate) fn import(
    node: &Node,
    store: &Store,
    image: &Image,
    reference: &str,
) -> Result<Imported, PublishError> {
    let there = node.run(&["content", "ls", "--quiet"]).map_err(loading(node))?;
    let there: HashSet<&str> =
        there.lines().filter_map(|line| line.trim().strip_prefix("sha256:")).collect();
    let all = || {
        let named = (Artifact::Image(Box::new(image.clone())), vec![reference.to_owned()]);
        let mut members = oci::members(&[named], "");
        members.retain(|member| member.path != MANIFEST);
        members
    };
    let (mut missing, before) = (all(), all().len());
    missing.retain(|member| member.path.strip_prefix(BLOBS).is_none_or(|hex| !there.contains(hex)));
    let without = before - missing.len();
    match attempt(node, store, missing) {
        Ok(sent) => Ok(Imported { sent, without, detour: None }),
        Err(PublishError::Node(error)) if without > 0 => {
            let sent = attempt(node, store, all())?;
            Ok(Imported { sent, without: 0, detour: Some(error) })
        }
        Err(error) => Err(error),
    }
}

/// Sends an archive; returns how many bytes it has.
fn attempt(node: &Node, store: &Store, members: Vec<Member>) -> Result<u64, PublishError> {
    let mut child =
        node.start(&["images", "import", "--all-platforms", "-"]).map_err(loading(node))?;
    let input = child.stdin.take().expect("it is piped");
    let mut out = Counter { out: io::BufWriter::with_capacity(256 * 1024, input), written: 0 };
    let failed = |error| at("sending to", node.name.as_ref())(error);
    let written =
        member::write(members, store, &mut out, &failed).and_then(|()| out.flush().map_err(failed));
    let sent = out.written;
    drop(out);
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        let (program, told) = ("ctr".to_owned(), told(&output));
        let error = NodeError::Failed { program, status: output.status.to_string(), told };
        return Err(loading(node)(error).into());
    }
    written.map(|()| sent)
}

fn loading(node: &Node) -> impl FnOnce(NodeError) -> NodeError + use<> {
    let node = node.name.clone();
    |source| NodeError::Load { node, source: Box::new(source) }
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
