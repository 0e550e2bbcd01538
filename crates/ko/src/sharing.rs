//! Reads which caches are shared with other machines, and whom they are believed from.

use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use engine::cache::SharedKeeper;
use engine::{CacheUrl, PublicKey, SecretKey, SharedFrom, SharingOptions};

use crate::cli::{SharingArgs, elements};
use crate::config::{Config, List, Located, Origin};
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
        options.from.push(SharedFrom { url: url(item)?, by_repository });
    }
    options.to = to.items.iter().map(url).collect::<Result<_>>()?;
    if options.is_empty() {
        return Ok(options);
    }
    options.machine = network::machine(process);
    options.trusted.extend(key::<PublicKey>(process, PUBLIC_KEY)?);
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
pub(crate) fn url(item: &Located<String>) -> Result<CacheUrl> {
    item.value.parse().map_err(|error| item.origin.error(error))
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
