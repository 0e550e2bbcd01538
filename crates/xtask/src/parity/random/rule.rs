//! Differences that are meant, wherever they come up.

use super::super::case::Case;
use super::super::cases::{CHECKED_FIRST, MODULE_FOUND, ONCE, REAL_BASE};
use super::super::compare::Finding;
use super::draw::Draw;

/// Names the reason for a difference, if it is a meant one.
pub(super) fn of(draw: &Draw, case: &Case, finding: &Finding) -> Option<&'static str> {
    let field = finding.field.as_str();
    let ours = finding.ours.as_deref();
    let base_digest = "annotations/org.opencontainers.image.base.digest";
    if draw.base.oci_index && field.ends_with(base_digest) {
        return Some(REAL_BASE);
    }
    if field.starts_with("stderr Using build config ") && ours == Some("x") {
        return Some(ONCE);
    }
    let fails = !case.fails.is_empty();
    if fails && field.starts_with("tags ") && ours.is_none() {
        return Some(CHECKED_FIRST);
    }
    let outcome = ["exit code", "stdout", "tags ", "error "];
    let outcome = outcome.iter().any(|prefix| field.starts_with(prefix));
    if fails && draw.fixture.name == "nested" && outcome && case.fails == ["is not supported: "] {
        return Some(MODULE_FOUND);
    }
    None
}
