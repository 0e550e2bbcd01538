//! The base images that are configured, or typed.

use std::collections::BTreeMap;

use engine::{BaseReference, ImportPath, base_circle, lowercase};

use crate::config::{Config, Located, Origin};
use crate::error::Result;

/// The bases that are configured.
pub(crate) struct Bases {
    pub(crate) default_base: BaseReference,
    pub(crate) base_overrides: BTreeMap<String, BaseReference>,
}

/// Parses `typed`, which is `--base`, and the references of the configuration, which count
/// where it is empty.
pub(crate) fn bases(config: &Config, typed: &str) -> Result<Bases> {
    let base = |key: &str, base: &Located<String>| {
        let text = &base.value;
        text.parse::<BaseReference>().map_err(|error| {
            base.origin
                .error(format!("'{key}': error parsing {text:?} as image reference: {error}"))
        })
    };
    let default_base = base("defaultBaseImage", &config.default_base_image)?;
    // An empty value is no override.
    let overrides = config.base_image_overrides.iter().filter(|(_, text)| !text.value.is_empty());
    let base_overrides: BTreeMap<String, BaseReference> = overrides
        .map(|(path, text)| Ok((path.clone(), base("baseImageOverrides", text)?)))
        .collect::<Result<_>>()?;
    if !typed.is_empty() {
        let typed = Located::new(typed.to_owned(), Origin::Flag("--base"));
        let default_base = base("--base", &typed)?;
        let default = [("--base", &typed, &default_base)];
        check_circles(default.into_iter(), &default_base, &BTreeMap::new())?;
        return Ok(Bases { default_base, base_overrides: BTreeMap::new() });
    }
    let default = ("defaultBaseImage", &config.default_base_image, &default_base);
    let overrides = base_overrides
        .iter()
        .map(|(path, base)| ("baseImageOverrides", &config.base_image_overrides[path], base));
    check_circles(overrides.chain([default]), &default_base, &base_overrides)?;
    Ok(Bases { default_base, base_overrides })
}

/// A program whose image is the base of others must not be built upon those itself. Each
/// base is given with what it is called, and where.
fn check_circles<'a>(
    mut bases: impl Iterator<Item = (&'static str, &'a Located<String>, &'a BaseReference)>,
    default: &BaseReference,
    overrides: &BTreeMap<String, BaseReference>,
) -> Result<()> {
    let of = |path: &ImportPath| overrides.get(&lowercase(path.as_str())).unwrap_or(default);
    let circle = bases.find_map(|(key, text, base)| match base {
        BaseReference::Program(path) => Some((key, text, base_circle(path, of)?)),
        _ => None,
    });
    let Some((key, text, circle)) = circle else { return Ok(()) };
    let circle: Vec<String> = circle.iter().map(|path| format!("ko://{path}")).collect();
    let message = format!("'{key}': base images go in a circle: {}", circle.join(" -> "));
    let hint = "give one of them a base that is in a registry, in baseImageOverrides";
    Err(text.origin.error(message).hint(Some(hint.to_owned())))
}
