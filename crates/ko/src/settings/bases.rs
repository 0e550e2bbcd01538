//! The base images that are configured, or typed.

use std::collections::BTreeMap;

use engine::{BaseReference, ImportPath, base_circle, lowercase};

use crate::config::{Config, Located, Origin};
use crate::error::Result;

/// The bases that are configured.
pub(crate) struct Bases {
    pub(crate) default_base: BaseReference,
    pub(crate) base_overrides: BTreeMap<String, BaseReference>,
    /// What has named each, as it is written there.
    pub(crate) named_by: BTreeMap<String, String>,
}

/// Says what has named a base, and how another is named if nothing has.
fn named_by(key: &str, text: &Located<String>) -> String {
    match &text.origin {
        Origin::Default => {
            "it is the default, and --base or defaultBaseImage in .ko.yaml name another".to_owned()
        }
        Origin::File(place) => format!("{key} names it ({place})"),
        Origin::Flag(name) | Origin::Variable(name) => format!("{name} names it"),
    }
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
        let named_by = BTreeMap::from([(typed.value.clone(), named_by("--base", &typed))]);
        return Ok(Bases { default_base, base_overrides: BTreeMap::new(), named_by });
    }
    let default = ("defaultBaseImage", &config.default_base_image, &default_base);
    let overrides = base_overrides
        .iter()
        .map(|(path, base)| ("baseImageOverrides", &config.base_image_overrides[path], base));
    check_circles(overrides.chain([default]), &default_base, &base_overrides)?;
    let default = &config.default_base_image;
    let named = config.base_image_overrides.values();
    let named = named.map(|base| (base.value.clone(), named_by("baseImageOverrides", base)));
    let default = (default.value.clone(), named_by("defaultBaseImage", default));
    let named_by = named.chain([default]).collect();
    Ok(Bases { default_base, base_overrides, named_by })
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
