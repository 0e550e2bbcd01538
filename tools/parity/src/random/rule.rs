//! Differences that are meant, wherever they come up.

use super::draw::{Draw, Element};
use crate::case::Case;
use crate::cases::{CHECKED_FIRST, EMPTY_IS_UNSET, MODULE_FOUND, ONCE, REAL_BASE, REPLACED};
use crate::compare::Finding;

/// With `--bare`, the image of the last main has the tag. That of another has
/// none left to be known by, and its digest is that of our compressed bytes.
const TAG_TAKEN: &str = "the next image has taken the tag, so that the digest cannot be told";

/// Names the reason for a difference, if it is a meant one.
pub(super) fn of(draw: &Draw, case: &Case, finding: &Finding) -> Option<&'static str> {
    let field = finding.field.as_str();
    let ours = finding.ours.as_deref();
    let said = ours.unwrap_or_default();
    let base_digest = "annotations/org.opencontainers.image.base.digest";
    if draw.base.oci_index && field.ends_with(base_digest) {
        return Some(REAL_BASE);
    }
    if field.contains(" replaced[") && said.contains(": a local directory in place of ") {
        return Some(REPLACED);
    }
    if field.starts_with("stderr Using build config ") && ours == Some("x") {
        return Some(ONCE);
    }
    let mains = draw.elements.iter().filter(|element| matches!(element, Element::Main(_)));
    let untagged = ["stdout", "stderr Published ", "unused blobs "];
    if mains.count() > 1
        && draw.elements.contains(&Element::Flag("--bare"))
        && untagged.iter().any(|kind| field.starts_with(kind))
    {
        return Some(TAG_TAKEN);
    }
    // What follows is about cases in which ko fails.
    let stage = *case.fails.first()?;
    if draw.fixture.name == "nested" && stage == "is not supported: " {
        return Some(MODULE_FOUND);
    }
    if draw.elements.contains(&Element::Variable("GOARCH", ""))
        && stage == "error creating builder: "
    {
        return Some(EMPTY_IS_UNSET);
    }
    let left = ["tags ", "file ", "image "].iter().any(|kind| field.starts_with(kind));
    let argument = ["qualifying local import", " is not supported: "];
    let argument = argument.iter().any(|message| said.contains(message));
    if left && ours.is_none() || field == "error error building \"" && argument {
        return Some(CHECKED_FIRST);
    }
    if field.starts_with("error error ") && said.contains(": template: ") {
        return Some("templates are parsed before anything is built");
    }
    if field == "error error building \"" && said.contains(": naming the image ") {
        return Some("names are made before anything is built");
    }
    if field == "error qualifying local import" && said.contains("error loading package from ") {
        return Some("the message names the path that cannot be read");
    }
    None
}
