//! Reads which caches are shared with other machines, and whom they are believed from.

use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use engine::cache::SharedKeeper;
use engine::{CacheUrl, PublicKey, SecretKey, SharedFrom, SharingOptions};

use crate::cli::{SharingArgs, elements};
use crate::config::{Config, List, Located, Origin};
use crate::destination;
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::network;
use crate::settings::absolute;

/// What is written, and read.
const TO: &str = "KO_CACHE_TO";

/// Who is believed: a key of minisign, or its file.
const PUBLIC_KEY: &str = "KO_CACHE_PUBLIC_KEY";
/// Signs what is written: the same.
const SECRET_KEY: &str = "KO_CACHE_SECRET_KEY";

/// The file with the public keys that this user trusts, below `$XDG_CONFIG_HOME`, or
/// `~/.config` if that is not set.
const TRUSTED: &str = "ko/cache-keys";

/// The URL that stands for the repository beside the images, and the name of that repository.
const BESIDE: &str = "oci:";
const SIBLING: &str = "ko-cache";

/// How keys of minisign begin, in base64; a path that does is written with `./`.
const KEY: &str = "RW";

/// The flags, over the variables, over the configuration, which has no say in what is
/// written.
pub(crate) fn sharing(
    process: &Process,
    arguments: &SharingArgs,
    config: &List,
) -> Result<SharingOptions> {
    let from = match elements(&arguments.cache_from) {
        typed if !typed.is_empty() => List::of(typed, Origin::Flag("--cache-from")),
        _ => config.clone(),
    };
    let to = match elements(&arguments.cache_to) {
        typed if !typed.is_empty() => List::of(typed, Origin::Flag("--cache-to")),
        _ => written(process),
    };
    let mut options = SharingOptions::default();
    for item in &from.items {
        let by_repository = matches!(item.origin, Origin::File(_));
        options.from.push(SharedFrom { url: url(process, item)?, by_repository });
    }
    options.to = to.items.iter().map(|item| url(process, item)).collect::<Result<_>>()?;
    if options.is_empty() {
        return Ok(options);
    }
    options.machine = network::machine(process);
    options.trusted = match key::<PublicKey>(process, PUBLIC_KEY)? {
        Some(key) => vec![key],
        None => trusted(process)?,
    };
    options.secret = key::<SecretKey>(process, SECRET_KEY)?.map(Arc::new);
    Ok(options)
}

/// The variable's caches that are written.
pub(crate) fn written(process: &Process) -> List {
    List::of(words(process.text(TO)), Origin::Variable(TO))
}

/// Who looks after a shared cache.
pub(crate) fn keeper(
    process: &Process,
    config: &Config,
    url: &CacheUrl,
    work_dir: &Path,
) -> Result<SharedKeeper> {
    let registries = network::registries(process, config, work_dir)?;
    let network = network::of_machine(process, registries, None);
    let keeper = SharedKeeper::new(url, work_dir, &network, network::machine(process));
    keeper.map_err(|error| CommandError::of(&error))
}

fn words(text: Option<String>) -> Vec<String> {
    text.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// The URL of a shared cache.
pub(crate) fn url(process: &Process, item: &Located<String>) -> Result<CacheUrl> {
    let text = match item.value.as_str() {
        BESIDE => {
            let images = destination::repository(process).unwrap_or_default();
            format!("oci://{}/{SIBLING}", images.trim_end_matches('/'))
        }
        text => text.to_owned(),
    };
    text.parse().map_err(|error| {
        let error = item.origin.error(error);
        match item.value.as_str() {
            BESIDE => error.hint(Some(format!(
                "{BESIDE} is the repository {SIBLING} beside the images: KO_DOCKER_REPO must name a registry"
            ))),
            _ => error,
        }
    })
}

/// The keys of this user's own file, a line each, among comments of minisign.
fn trusted(process: &Process) -> Result<Vec<PublicKey>> {
    let home = || process.path("HOME").map(|home| home.join(".config"));
    let Some(dir) = process.path("XDG_CONFIG_HOME").or_else(home) else { return Ok(Vec::new()) };
    let path = dir.join(TRUSTED);
    let failed = |error: &dyn std::error::Error| {
        CommandError::of(error).context(&format!("reading {}", path.display()))
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(&error)),
    };
    let keys = text.lines().map(str::trim).filter(|line| line.starts_with(KEY));
    keys.map(|line| line.parse().map_err(|error: engine::KeyError| failed(&error))).collect()
}

/// The key of a variable, or of the file that it names.
fn key<K: FromStr<Err = engine::KeyError>>(
    process: &Process,
    name: &'static str,
) -> Result<Option<K>> {
    let Some(value) = process.text(name) else { return Ok(None) };
    let text = if value.starts_with(KEY) || value.contains('\n') {
        value
    } else {
        let path = absolute(process, value.as_ref())?;
        fs::read_to_string(&path).map_err(|error| {
            let reading = format!("reading {name} from {}", path.display());
            CommandError::of(&error).context(&reading)
        })?
    };
    let parsed = text.parse().map_err(|error: engine::KeyError| {
        CommandError::new(format!("{name}: {error}"))
            .hint(Some("`minisign -G -W -p ko.pub -s ko.key` makes a pair of keys".to_owned()))
    });
    parsed.map(Some)
}
