//! Proves that the comparison can fail: mistakes that an implementation could
//! make, each applied to what ours pushed, printed and sent to kubectl, and
//! each to be reported for the right field.

mod image;
mod kubectl;
mod sbom;

use crate::edit::Broken;

/// A deliberate mistake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Breakage {
    /// What is wrong.
    pub(crate) name: &'static str,
    /// The case that has to notice.
    pub(crate) case: &'static str,
    /// What a field, or a note on it, that is reported has to contain.
    pub(crate) reported: &'static str,
    /// Makes the mistake.
    pub(crate) apply: fn(&mut Broken<'_>),
}

const fn breakage(
    name: &'static str,
    case: &'static str,
    reported: &'static str,
    apply: fn(&mut Broken<'_>),
) -> Breakage {
    Breakage { name, case, reported, apply }
}

/// All mistakes.
pub(crate) fn all() -> impl Iterator<Item = &'static Breakage> {
    image::ALL.iter().chain(sbom::ALL).chain(kubectl::ALL)
}
