//! Stores and removes credentials as `docker login` and `docker logout` do: in
//! Docker's configuration file, or with the helper that it names. Everything
//! else in the file stays as it is. The registry is not asked whether it takes
//! them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fsutil::Access;
use oci::Registry;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess};
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value};

use super::config::{File, Question, Scope, key_of, malformed};
use super::helper::{Helper, HelperOutput};
use super::json::{self, Members};
use super::variables::Variables;
use super::{KeychainError, Secret};

/// The keys of an entry that hold credentials.
const CREDENTIALS: [&str; 6] =
    ["auth", "username", "password", "identitytoken", "registrytoken", "serveraddress"];

/// Where a credential has gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// Into the file, where everybody who may read it can read the password.
    InFile,
    /// To a helper.
    ByHelper,
}

/// Docker's configuration, to write to. Several processes may do so at once.
#[derive(Debug, Clone)]
pub struct CredentialStore {
    file: PathBuf,
    environment: Variables,
    helper_output: Option<HelperOutput>,
    helper_limit: Duration,
}

impl CredentialStore {
    /// The configuration in `dir`: `DOCKER_CONFIG`, or `.docker` in the user's
    /// home. Helpers are started with this environment, and have 30 seconds.
    pub fn new(dir: &Path, environment: Variables) -> Self {
        let (file, helper_limit) = (dir.join("config.json"), Duration::from_secs(30));
        Self { file, environment, helper_output: None, helper_limit }
    }

    /// Gives what helpers write to standard error to somebody.
    #[must_use]
    pub fn helper_output(mut self, output: Option<HelperOutput>) -> Self {
        self.helper_output = output;
        self
    }

    /// Changes how long a helper may take.
    #[must_use]
    pub fn helper_limit(mut self, limit: Duration) -> Self {
        self.helper_limit = limit;
        self
    }

    /// The configuration file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Keeps a user and a password for a registry, in place of what was there.
    ///
    /// # Errors
    /// The file or the helper fails, or the name cannot be stored; then the
    /// file is as before.
    pub async fn store(
        &self,
        registry: &Registry,
        user: &str,
        password: &Secret,
    ) -> Result<Kept, KeychainError> {
        if user.contains(':') {
            return Err(KeychainError::User { user: user.to_owned() });
        }
        let kept =
            self.with_helper(registry, async |helper, key| helper.store(key, user, password).await);
        let kept = kept.await?;
        let mut entry = Map::new();
        if kept == Kept::InFile {
            let pair = STANDARD.encode([user.as_bytes(), b":", password.bytes()].concat());
            entry.insert("auth".to_owned(), pair.into());
        }
        self.change(|auths| {
            // The entry stays even if a helper has the credential: other
            // programs look for it.
            let old = auths.entry(key_of(registry)).or_insert_with(|| Map::new().into());
            match old.as_object_mut() {
                Some(old) => {
                    old.retain(|name, _| {
                        !CREDENTIALS.iter().any(|credential| name.eq_ignore_ascii_case(credential))
                    });
                    old.extend(entry);
                }
                None => *old = entry.into(),
            }
            true
        })?;
        Ok(kept)
    }

    /// Forgets who we are in a registry. If nobody knew, that is well too.
    ///
    /// # Errors
    /// The file or the helper fails; then the file is as before.
    pub async fn erase(&self, registry: &Registry) -> Result<(), KeychainError> {
        self.with_helper(registry, async |helper, key| helper.erase(key).await).await?;
        self.change(|auths| {
            let before = auths.len();
            auths.retain(|name, _| !Scope::of(name).is(registry, ""));
            auths.len() < before
        })
    }

    /// Has the helper of a registry do something, if the file names one.
    async fn with_helper(
        &self,
        registry: &Registry,
        act: impl AsyncFnOnce(&Helper<'_>, &str) -> Result<(), KeychainError>,
    ) -> Result<Kept, KeychainError> {
        let place = self.file.display().to_string();
        let text = self.read(&self.file)?.unwrap_or_default();
        let file = File::parse(&text, &place)?;
        let Some(Question { helper, key }) = file.helper(registry) else {
            return Ok(Kept::InFile);
        };
        let from = (&self.environment, self.helper_output.as_ref());
        let helper = Helper::find(helper, from, self.helper_limit, &place)?;
        act(&helper, &key).await?;
        Ok(Kept::ByHelper)
    }

    /// Changes `auths`. `change` says whether there is anything to write.
    fn change(
        &self,
        change: impl FnOnce(&mut Map<String, Value>) -> bool,
    ) -> Result<(), KeychainError> {
        let place = self.file.display().to_string();
        let unwritable =
            |source| KeychainError::Write { path: self.file.clone(), source: Arc::new(source) };
        let target = fsutil::resolve(&self.file).map_err(unwritable)?;
        let dir = target.parent().unwrap_or(Path::new(""));
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        system::create_dir(dir).map_err(unwritable)?;
        let _lock = system::lock(dir);

        let mut root = match self.read(&target)? {
            Some(text) => serde_json::from_slice::<Option<Root>>(&text)
                .map_err(|error| malformed(&place, &error))?
                .unwrap_or_default(),
            None => Root::default(),
        };
        if !change(&mut root.auths) {
            return Ok(());
        }
        let root = root.members();
        fsutil::write(&target, Access::Private, &pretty(&root)).map_err(unwritable)
    }

    /// The file's text; nothing if it is not there, or empty.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, KeychainError> {
        let unreadable =
            |source| KeychainError::Read { path: self.file.clone(), source: Arc::new(source) };
        match fs::metadata(path) {
            Ok(found) if found.is_file() => {}
            // Opening a pipe would wait, and replacing a device would break
            // more than us.
            Ok(_) => return Err(unreadable(io::Error::other("it is not a regular file"))),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        }
        let text = fs::read(path).map_err(unreadable)?;
        Ok((!text.trim_ascii().is_empty()).then_some(text))
    }
}

/// A file's members, in their order. There may be several `auths`, in any case:
/// their entries count together.
#[derive(Default)]
struct Root {
    others: Map<String, Value>,
    auths: Map<String, Value>,
    /// Where among the others the first `auths` stands.
    at: Option<usize>,
}

impl Root {
    fn members(mut self) -> Map<String, Value> {
        self.others.shift_insert(self.at.unwrap_or(0), "auths".to_owned(), self.auths.into());
        self.others
    }
}

impl Members for Root {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        if !name.eq_ignore_ascii_case("auths") {
            self.others.insert(name.to_owned(), map.next_value()?);
            return Ok(());
        }
        self.at.get_or_insert(self.others.len());
        match map.next_value::<Option<Map<String, Value>>>()? {
            Some(more) => self.auths.extend(more),
            None => self.auths.clear(),
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Root {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::members(deserializer)
    }
}

/// As Docker writes it.
fn pretty(root: &Map<String, Value>) -> Vec<u8> {
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    root.serialize(&mut serializer).expect("JSON can be written to memory");
    text
}

/// What depends on the operating system.
#[cfg(unix)]
mod system {
    use std::fs::{DirBuilder, File};
    use std::io;
    use std::os::unix::fs::DirBuilderExt;
    use std::path::Path;

    /// A directory for the user alone.
    pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)
    }

    /// Waits for others who change files here. Where nothing can be locked,
    /// as on some network file systems, nobody waits.
    pub(super) fn lock(dir: &Path) -> Option<File> {
        File::open(dir).ok().filter(|dir| dir.lock().is_ok())
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)
    }

    pub(super) fn lock(dir: &Path) -> Option<File> {
        let file = File::create(dir.join(".ko-lock")).ok();
        file.filter(|file| file.lock().is_ok())
    }
}
