//! The platforms that images are built for.

use engine::PlatformMatcher;

use crate::config::{Config, List, Located, Origin};
use crate::environment::Process;
use crate::error::{CommandError, Result};

/// `--platform`, else what is configured, else GOOS and GOARCH, else
/// linux/amd64.
pub(crate) fn wanted_platforms(
    process: &Process,
    platform: &[String],
    config: &Config,
) -> Result<List> {
    let named = match platform {
        [] => config.default_platforms.clone(),
        typed => List::of(typed.iter().cloned(), Origin::Flag("--platform")),
    };
    let variables = ["GOOS", "GOARCH", "GOARM"].map(|name| (name, process.text(name)));
    if !named.items.is_empty() {
        if let Some((name, Some(value))) = variables.iter().find(|(_, value)| value.is_some()) {
            return Err(CommandError::new(format!(
                "cannot use --platform or defaultPlatforms in .ko.yaml or env KO_DEFAULTPLATFORMS combined with {name}={value:?}"
            ))
            .hint(Some(format!("unset {name}, or name no platform otherwise"))));
        }
        return Ok(named);
    }
    let (platform, origin) = match variables.map(|(_, value)| value) {
        [Some(os), Some(arch), Some(arm)] if arch == "arm" => {
            (format!("{os}/{arch}/v{arm}"), Origin::Variable("GOOS, GOARCH and GOARM"))
        }
        [Some(os), Some(arch), _] => (format!("{os}/{arch}"), Origin::Variable("GOOS and GOARCH")),
        _ => ("linux/amd64".to_owned(), Origin::Default),
    };
    Ok(List::of([platform], origin))
}

/// Parses the platforms that are wanted.
pub(crate) fn platforms(wanted: &List) -> Result<PlatformMatcher> {
    PlatformMatcher::parse(&wanted.values()).map_err(|error| {
        let message = CommandError::of(&error);
        let alone = |item: &&Located<String>| PlatformMatcher::parse(&[&item.value]).is_err();
        let origin = wanted.items.iter().find(alone).map_or(&wanted.origin, |item| &item.origin);
        let form = "a platform is os/arch or os/arch/variant, as in linux/arm/v7";
        let error = origin.error(message.message()).also(Some(form.to_owned()));
        error.context("could not create default go builder")
    })
}
