//! Finds credentials in the files of `docker login` and `podman login`: which
//! keys may stand for a registry or repository, and what their entries mean.
//! Registries are looked up as Docker does, namespaces as podman does; the table
//! in `docs/reference/credentials.md` compares them.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use oci::Registry;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess};

use super::json::{Members, add, members, read, set};
use super::{Credential, KeychainError, Secret};

/// How Docker Hub is called in configurations.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// The hosts of Docker Hub, the one of references first.
const DOCKER_HUB_HOSTS: [&str; 3] = ["index.docker.io", "docker.io", "registry-1.docker.io"];

/// Base64 as Go reads it: bits that fall off the end may be set.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// One entry of `auths`.
#[derive(Default)]
struct Entry {
    auth: Secret,
    username: String,
    password: Secret,
    identitytoken: Secret,
    registrytoken: Secret,
}

/// The keys of a configuration file that matter here.
#[derive(Default)]
pub(super) struct File {
    auths: BTreeMap<String, Option<Entry>>,
    cred_helpers: BTreeMap<String, Option<String>>,
    creds_store: String,
}

/// A helper, and what it is asked about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question<'a> {
    pub(super) helper: &'a str,
    pub(super) key: String,
}

impl Question<'_> {
    fn is_one(&self) -> bool {
        !self.helper.is_empty()
    }
}

impl File {
    /// Reads a text. Like Docker's reader it stops at the end of the first
    /// value, and takes an empty text, and `null`, for an empty file.
    pub(super) fn parse(text: &[u8], place: &str) -> Result<Self, KeychainError> {
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        read(text).map(Option::unwrap_or_default).map_err(|error| malformed(place, &error))
    }

    /// Reads a file, which need not be there.
    pub(super) fn read(path: &Path) -> Result<Self, KeychainError> {
        match std::fs::read(path) {
            Ok(text) => Self::parse(&text, &path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => {
                Err(KeychainError::Read { path: path.to_owned(), source: source.into() })
            }
        }
    }

    /// The helper that keeps the credential of a registry.
    pub(super) fn helper(&self, registry: &Registry) -> Option<Question<'_>> {
        let general = || Question { helper: &self.creds_store, key: key_of(registry).to_owned() };
        Some(self.named(registry, "").unwrap_or_else(general)).filter(Question::is_one)
    }

    /// The helper that the file names for this very repository. The general
    /// one is not asked about repositories: there may be a hundred of them,
    /// and nothing that stores a login stores it for one.
    pub(super) fn helper_of_repository(
        &self,
        registry: &Registry,
        path: &str,
    ) -> Option<Question<'_>> {
        self.named(registry, path).filter(Question::is_one)
    }

    /// What `credHelpers` says; an empty name there means the file itself.
    fn named(&self, registry: &Registry, path: &str) -> Option<Question<'_>> {
        spellings(registry, path).find_map(|key| {
            let helper = self.cred_helpers.get(&key)?.as_deref().unwrap_or_default();
            Some(Question { helper, key })
        })
    }

    /// Do entries about a registry or a path of it count? Not where a helper
    /// keeps what is known of the registry; but for ko, and so here, one that
    /// is for this registry alone is asked after the repository's own entry.
    pub(super) fn keeps(&self, registry: &Registry, path: &str, is_repository: bool) -> bool {
        let here = |path| self.named(registry, path).is_some_and(|named| !named.is_one());
        self.helper(registry).is_none()
            || is_repository && (self.creds_store.is_empty() || here(path))
    }

    /// Who the entries of `auths` say that we are in a registry, or below a
    /// path of it. Of several the one in the usual spelling counts, and then
    /// the first that says anything.
    pub(super) fn entry(
        &self,
        registry: &Registry,
        path: &str,
        place: &str,
    ) -> Result<Credential, KeychainError> {
        let usual = spellings(registry, path).next();
        let usual = usual.and_then(|key| self.auths.get_key_value(&key));
        let others = self.auths.iter().filter(|(key, _)| Scope::of(key).is(registry, path));
        for (key, entry) in usual.into_iter().chain(others) {
            let Some(entry) = entry else { continue };
            match entry.credential() {
                Some(Credential::Anonymous) => {}
                Some(found) => return Ok(found),
                None => {
                    let (place, key) = (place.to_owned(), key.clone());
                    return Err(KeychainError::Entry { place, key });
                }
            }
        }
        Ok(Credential::Anonymous)
    }
}

impl Entry {
    /// What the entry means; nothing if its `auth` is malformed.
    fn credential(&self) -> Option<Credential> {
        let (mut user, mut password) = (self.username.clone(), self.password.clone());
        if !self.auth.is_empty() {
            // Go's decoder passes over line ends, which `base64` makes.
            let mut text = self.auth.bytes().to_vec();
            text.retain(|byte| !matches!(byte, b'\r' | b'\n'));
            let pair = BASE64.decode(text).ok()?;
            let at = pair.iter().position(|&byte| byte == b':').filter(|&at| at > 0)?;
            user = String::from_utf8(pair[..at].to_vec()).ok()?;
            password = Secret::from_bytes(trim_nuls(&pair[at + 1..]));
        }
        Some(if !self.registrytoken.is_empty() {
            Credential::RegistryToken(self.registrytoken.clone())
        } else if !self.identitytoken.is_empty() {
            Credential::IdentityToken(self.identitytoken.clone())
        } else if !user.is_empty() {
            Credential::Basic { user, password }
        } else {
            Credential::Anonymous
        })
    }
}

fn trim_nuls(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\0") {
        bytes = rest;
    }
    while let Some(rest) = bytes.strip_suffix(b"\0") {
        bytes = rest;
    }
    bytes
}

/// What a key of `auths` stands for: a registry, or what is below a path of
/// it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scope<'a> {
    host: &'a str,
    path: &'a str,
}

impl<'a> Scope<'a> {
    pub(super) fn of(key: &'a str) -> Self {
        let (rest, is_url) = match key.split_once("://") {
            Some((_, rest)) => (rest.split(['?', '#']).next().unwrap_or_default(), true),
            None => (key, false),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // `/v1/` and `/v2/` are the roots of the protocols, not namespaces.
        let is_root = is_url || key.ends_with("/v1/") || key.ends_with("/v2/");
        let host = authority.rsplit('@').next().unwrap_or_default();
        let host = if DOCKER_HUB_HOSTS.contains(&host) { DOCKER_HUB_HOSTS[0] } else { host };
        Self { host, path: if is_root { "" } else { path.trim_matches('/') } }
    }

    pub(super) fn is(&self, registry: &Registry, path: &str) -> bool {
        self.host == registry.as_str() && self.path == path
    }
}

/// The key under which a registry is stored, and helpers are asked about it.
pub(super) fn key_of(registry: &Registry) -> &str {
    if registry.is_docker_hub() { DOCKER_HUB_KEY } else { registry.as_str() }
}

/// The keys under which a registry, or a repository in it, is looked up, the
/// usual one first.
fn spellings(registry: &Registry, path: &str) -> impl Iterator<Item = String> {
    let hub = registry.is_docker_hub();
    let url = (hub && path.is_empty()).then(|| DOCKER_HUB_KEY.to_owned());
    let hosts = if hub { &DOCKER_HUB_HOSTS[..2] } else { &[] };
    let own = (!hub).then_some(registry.as_str());
    let hosts = own.into_iter().chain(hosts.iter().copied());
    let names = hosts.map(move |host| match path {
        "" => host.to_owned(),
        path => format!("{host}/{path}"),
    });
    url.into_iter().chain(names)
}

/// A text that is not the JSON that it should be. The parser's own message is
/// not shown, as it quotes what it has stumbled over.
pub(super) fn malformed(place: &str, error: &serde_json::Error) -> KeychainError {
    KeychainError::Malformed {
        place: place.to_owned(),
        problem: format!("line {}, column {}", error.line(), error.column().max(1)),
    }
}

impl Members for File {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name.to_ascii_lowercase().as_str() {
            "auths" => add(&mut self.auths, map),
            "credhelpers" => add(&mut self.cred_helpers, map),
            "credsstore" => set(&mut self.creds_store, map),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

impl Members for Entry {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name.to_ascii_lowercase().as_str() {
            "auth" => set(&mut self.auth, map),
            "username" => set(&mut self.username, map),
            "password" => set(&mut self.password, map),
            "identitytoken" => set(&mut self.identitytoken, map),
            "registrytoken" => set(&mut self.registrytoken, map),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        members(deserializer)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        members(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keys_stand_for() {
        for (key, host, path) in [
            ("r.io", "r.io", ""),
            ("r.io/", "r.io", ""),
            ("r.io/team", "r.io", "team"),
            ("r.io:5000/team/app/", "r.io:5000", "team/app"),
            ("[::1]:5000/team", "[::1]:5000", "team"),
            // A URL is one of the registry, whatever its path.
            ("https://r.io", "r.io", ""),
            ("http://r.io:5000/team", "r.io:5000", ""),
            ("https://me@r.io/v2", "r.io", ""),
            ("oci://r.io?x/y", "r.io", ""),
            ("https://[::1]:5000/v1/", "[::1]:5000", ""),
            // So is what older tools wrote without the scheme.
            ("r.io/v1/", "r.io", ""),
            ("r.io/api/v2/", "r.io", ""),
            ("r.io/v2", "r.io", "v2"),
            // Docker Hub has several names.
            ("https://index.docker.io/v1/", "index.docker.io", ""),
            ("index.docker.io/v1/", "index.docker.io", ""),
            ("docker.io", "index.docker.io", ""),
            ("https://registry-1.docker.io/v2/", "index.docker.io", ""),
            ("docker.io/user", "index.docker.io", "user"),
            ("", "", ""),
            ("https://", "", ""),
        ] {
            assert_eq!(Scope::of(key), Scope { host, path }, "{key}");
        }
    }

    fn parse(text: &str) -> Result<File, KeychainError> {
        File::parse(text.as_bytes(), "f")
    }

    fn user(file: &File, registry: &str, path: &str) -> String {
        match file.entry(&registry.parse().unwrap(), path, "f") {
            Ok(Credential::Basic { user, password }) => format!("{user}:{}", password.expose()),
            Ok(Credential::Anonymous) => "nobody".to_owned(),
            Ok(other) => format!("{other:?}"),
            Err(_) => "malformed".to_owned(),
        }
    }

    /// The shapes of docs/reference/credentials.md, "Files".
    #[test]
    fn files_are_read_as_docker_reads_them() {
        for (text, want) in [
            (r#"{"auths":{"r.io":{"auth":"dTpw"}}}"#, "u:p"),
            // Names count in any case, of several the last, and `null` is nothing.
            (r#"{"Auths":{"r.io":{"AUTH":"dTpw"}}}"#, "u:p"),
            (r#"{"auths":{"r.io":{"auth":"dTpw"}},"Auths":{"x.io":{}}}"#, "u:p"),
            (r#"{"auths":{"r.io":{"auth":"dTpw"}},"auths":{"r.io":{}}}"#, "nobody"),
            (r#"{"auths":{"r.io":{"auth":"dTpw"}},"auths":null}"#, "nobody"),
            (r#"{"auths":{"r.io":{"auth":"eDp5","auth":"dTpw","Auth":null}}}"#, "u:p"),
            (r#"{"auths":{"r.io":{"auth":"dTpw"},"x.io":null}}"#, "u:p"),
            (r#"{"auths":{"r.io":{"auth":"dTpw","username":null}},"credHelpers":null}"#, "u:p"),
            (r#"{"auths":{"r.io":null},"credsStore":null,"credHelpers":{"r.io":null}}"#, "nobody"),
            ("null", "nobody"),
            ("", "nobody"),
            (" \n", "nobody"),
            // What follows the first value is not looked at.
            (r#"{"auths":{"r.io":{"auth":"dTpw"}}} {"auths":{}} x"#, "u:p"),
            (r#"{"auths":{"r.io":{"auth":"dTpw"},}}"#, "refused"),
            (r#"{"auths":{"r.io":{"auth":"dTpw"}}"#, "refused"),
            ("\u{feff}{}", "refused"),
            ("{'auths':{}}", "refused"),
            ("{\"auths\":{} // here\n}", "refused"),
            (r#"{"auths":[]}"#, "refused"),
            (r#"{"auths":{"r.io":"dTpw"}}"#, "refused"),
            (r#"{"auths":{"r.io":{"auth":1}}}"#, "refused"),
            (r#"{"credHelpers":{"r.io":1}}"#, "refused"),
            ("[]", "refused"),
        ] {
            let found = parse(text).map_or("refused".to_owned(), |file| user(&file, "r.io", ""));
            assert_eq!(found, want, "{text}");
        }
    }

    /// The shapes of docs/reference/credentials.md, "Entries".
    #[test]
    fn what_auth_holds() {
        for (auth, want) in [
            ("dTpw", "u:p"),
            ("dTpw\\n", "u:p"),
            ("dT\\npw", "u:p"),
            ("d\\r\\nTpw\\r\\n", "u:p"),
            ("dTpwYQ=\\n=", "u:pa"),
            ("dTo6cDo=", "u::p:"),
            ("dTo=", "u:"),
            ("dTpwAAA=", "u:p"),
            ("dToAAHAA", "u:p"),
            // Bits that fall off the end.
            ("dTpwYR==", "u:pa"),
            ("", "nobody"),
            ("dTpwYQ", "malformed"),
            ("dTpwYQ==x", "malformed"),
            (" dTpw", "malformed"),
            ("dTpw_w==", "malformed"),
            ("u:p", "malformed"),
            ("dXA=", "malformed"),
            ("OnA=", "malformed"),
        ] {
            let text = format!(r#"{{"auths":{{"r.io":{{"auth":"{auth}"}}}}}}"#);
            assert_eq!(user(&parse(&text).unwrap(), "r.io", ""), want, "{auth}");
        }
        // A password need not be text.
        let file = parse(r#"{"auths":{"r.io":{"auth":"dTpw/w=="}}}"#).unwrap();
        let found = file.entry(&"r.io".parse().unwrap(), "", "f").unwrap();
        let Credential::Basic { password, .. } = found else { panic!("{found:?}") };
        assert_eq!(password.bytes(), b"p\xff");
    }

    #[test]
    fn the_usual_spelling_counts_before_others() {
        let file = parse(
            r#"{"auths":{"http://r.io":{"auth":"YTpw"},"r.io":{"auth":"dTpw"},
            "docker.io":{"auth":"YTpw"},"https://index.docker.io/v1/":{"auth":"dTpw"},
            "https://s.io":{"auth":"dTpw"},"s.io":{}}}"#,
        );
        let file = file.unwrap();
        for registry in ["r.io", "docker.io", "s.io"] {
            assert_eq!(user(&file, registry, ""), "u:p");
        }
    }

    proptest::proptest! {
        /// What `docker login` writes is found, under any spelling of the key
        /// and the names, and whatever else the file holds.
        #[test]
        fn logins_are_found_under_any_spelling(
            name in "[^:\0]{1,9}",
            password in "([^\0]([^\0]{0,9}[^\0])?)?",
            host in "[a-z]{1,5}\\.[a-z]{2}(:[1-9][0-9]{0,3})?",
            style in 0..5_u8,
            split: bool,
            upper: bool,
            others in proptest::collection::btree_map("[a-z]{6}\\.[a-z]{2}", "[a-zA-Z]{0,9}", 0..3),
        ) {
            let key = match style {
                0 => host.clone(),
                1 => format!("https://{host}"),
                2 => format!("http://{host}/v2/"),
                3 => format!("{host}/v1/"),
                _ => format!("https://someone@{host}/any/path"),
            };
            let entry = if split {
                serde_json::json!({"username": name, "password": password})
            } else {
                let auth = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
                serde_json::json!({"auth": auth})
            };
            let mut auths: serde_json::Map<_, _> =
                others.into_iter().map(|(key, auth)| (key, serde_json::json!({"auth": auth}))).collect();
            auths.insert(key, entry);
            let mut text = serde_json::json!({"auths": auths, "HttpHeaders": {"a": "b"}}).to_string();
            if upper {
                text = text.replacen("\"auths\"", "\"AUTHS\"", 1);
            }
            let file = parse(&text).unwrap();
            proptest::prop_assert_eq!(user(&file, &host, ""), format!("{name}:{password}"), "{}", text);
            // It is that of no other registry, and of no path.
            proptest::prop_assert_eq!(user(&file, &format!("x.{host}"), ""), "nobody");
            proptest::prop_assert_eq!(user(&file, &host, "a/b"), "nobody");
        }

        /// Nothing of a secret is in an error, wherever the file ends.
        #[test]
        fn a_file_that_is_cut_off_is_refused_in_silence(
            password in "[a-zA-Z0-9]{12}", at: proptest::sample::Index, more in "[ -~]{0,9}",
        ) {
            let whole = format!(
                r#"{{"auths":{{"r.io":{{"auth":"{password}","identitytoken":"{password}"}}}},"credsStore":"{password}"}}"#
            );
            proptest::prop_assert!(parse(&whole).is_ok());
            let cut = &whole[..1 + at.index(whole.len() - 1)];
            let text = format!("{cut}{more}");
            proptest::prop_assert!(parse(cut).is_err(), "{}", cut);
            // The parser quotes what stands in the place of something else.
            let elsewhere = [r#"{"auths":"SECRET"}"#, r#"{"auths":{"r.io":"SECRET"}}"#, r#""SECRET""#]
                .map(|shape| shape.replace("SECRET", &password));
            proptest::prop_assert!(elsewhere.iter().all(|text| parse(text).is_err()));
            for text in elsewhere.into_iter().chain([text]) {
                let told = parse(&text).err().map(|error| format!("{error} {error:?}")).unwrap_or_default();
                let leak = password.as_bytes().windows(4).any(|part| {
                    told.contains(std::str::from_utf8(part).unwrap())
                });
                proptest::prop_assert!(!leak, "{}", told);
            }
        }

        #[test]
        fn a_malformed_entry_is_refused_in_silence(text in "[ -~]{0,60}") {
            let password = "hunter2";
            let auth = format!("{password}{text}");
            let json = serde_json::json!({"auths": {"r.io": {"auth": auth}}});
            let file = File::parse(json.to_string().as_bytes(), "f").unwrap();
            if let Err(error) = file.entry(&"r.io".parse().unwrap(), "", "f") {
                let text = format!("{error} {error:?}");
                proptest::prop_assert!(!text.contains(password), "{}", text);
            }
            let broken = format!("{{\"auths\": {{\"r.io\": {{\"auth\": {password}{text}");
            let error = File::parse(broken.as_bytes(), "f").err().unwrap();
            let text = format!("{error} {error:?}");
            proptest::prop_assert!(!text.contains(password), "{}", text);
        }
    }
}
