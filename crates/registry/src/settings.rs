//! Holds what is said of single registries: how they are spoken to, which
//! certificates count there, where bases are pulled from instead, and which must
//! not be used at all.

use std::collections::HashMap;
use std::path::PathBuf;

use oci::{Registry, Repository};

use crate::namespace::{Mirror, NamespaceRule, Pulls, host_key, name_of};

/// May a registry be spoken to in plain http?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// No: https alone.
    Never,
    /// Where https does not lead to it.
    Allowed,
    /// In nothing else.
    Only,
}

/// A file that TLS needs, and what it is called where it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFile {
    /// The file.
    pub path: PathBuf,
    /// The setting that names it, for errors.
    pub setting: String,
}

/// A client certificate, with those between it and its authority, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificates, in PEM.
    pub certificate: TlsFile,
    /// The key, in PEM.
    pub key: TlsFile,
}

/// How one registry is spoken to. What is not said is as with any other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrySettings {
    /// Whether plain http is allowed.
    pub http: Option<PlainHttp>,
    /// Accepts any certificate.
    pub skip_verify: Option<bool>,
    /// Authorities that are trusted here, besides the system's.
    pub authorities: Option<TlsFile>,
    /// Who we are in TLS.
    pub identity: Option<IdentityFiles>,
    /// Where bases are pulled from first, in this order.
    pub mirrors: Option<Vec<Mirror>>,
    /// Requests that may wait for their answer at once.
    pub max_requests: Option<usize>,
}

/// What is said of registries. The default says nothing.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    settings: HashMap<String, RegistrySettings>,
    rules: Vec<NamespaceRule>,
    certificate_dirs: Vec<PathBuf>,
}

impl Registries {
    /// Settings of registries; `rules`, as podman has them, count where a setting
    /// is silent. Below each of `certificate_dirs`, in their order, there may be a
    /// directory of certificates for a registry, as docker and podman have them.
    #[must_use]
    pub fn new(
        settings: impl IntoIterator<Item = (Registry, RegistrySettings)>,
        rules: Vec<NamespaceRule>,
        certificate_dirs: Vec<PathBuf>,
    ) -> Self {
        let settings = settings.into_iter();
        let settings = settings.map(|(registry, settings)| (host_key(registry.as_str()), settings));
        Self { settings: settings.collect(), rules, certificate_dirs }
    }

    /// What is said of a host, as it stands in a reference or a URL.
    pub(crate) fn of(&self, host: &str) -> RegistrySettings {
        let key = host_key(host);
        let mut settings = self.settings.get(&key).cloned().unwrap_or_default();
        if self.is_insecure(&key) {
            settings.http.get_or_insert(PlainHttp::Allowed);
            settings.skip_verify.get_or_insert(true);
        }
        settings
    }

    pub(crate) fn certificate_dirs(&self) -> &[PathBuf] {
        &self.certificate_dirs
    }

    /// Is plain http, or any certificate, allowed for all of a host? Not if it is said
    /// only of a part of it: images may be pushed to another part.
    fn is_insecure(&self, key: &str) -> bool {
        let mirrors = || {
            let all = self.rules.iter().flat_map(|rule| &rule.mirrors);
            all.filter(|mirror| host_key(mirror.location.host()) == key)
        };
        if self.rule(key).is_none() && mirrors().next().is_some() {
            return mirrors().all(|mirror| mirror.insecure && mirror.location.is_host());
        }
        let mut parts = self.rules.iter().filter(|rule| rule.prefix.is_part_of(key));
        self.rule(key).is_some_and(|(rule, _)| rule.insecure) && parts.all(|rule| rule.insecure)
    }

    /// The rule for a repository: that of the longest prefix. One without a wildcard
    /// says more.
    fn rule(&self, name: &str) -> Option<(&NamespaceRule, usize)> {
        let matching = self.rules.iter().filter_map(|rule| Some((rule, rule.prefix.end_in(name)?)));
        matching.max_by_key(|(rule, end)| {
            (*end, !rule.prefix.is_wildcard(), rule.prefix.as_str().len())
        })
    }

    /// The file that forbids the use of a repository.
    pub(crate) fn blocked(&self, repository: &Repository) -> Option<&str> {
        if self.rules.is_empty() {
            return None;
        }
        let (rule, _) = self.rule(&name_of(repository))?;
        rule.blocked.then_some(rule.file.as_str())
    }

    /// Where a repository of bases is pulled from, in this order, and what: the last
    /// is the origin, or where that is in truth.
    pub(crate) fn sources(&self, repository: &Repository) -> Vec<(Repository, Pulls)> {
        let name = name_of(repository);
        let own = self.settings.get(&host_key(repository.registry().as_str()));
        let rule = self.rule(&name);
        let (mirrors, end, location) = match (own.and_then(|own| own.mirrors.as_ref()), rule) {
            (Some(mirrors), _) => (mirrors, name.find('/').unwrap_or(name.len()), None),
            (None, Some((rule, end))) => (&rule.mirrors, end, rule.location.as_ref()),
            (None, None) => return vec![(repository.clone(), Pulls::All)],
        };
        let rest = &name[end..];
        let place = |mirror: &Mirror| Some((mirror.location.with(rest)?, mirror.pulls));
        let mut sources: Vec<_> = mirrors.iter().filter_map(place).collect();
        let origin = location.and_then(|location| location.with(rest));
        sources.push((origin.unwrap_or_else(|| repository.clone()), Pulls::All));
        sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(location: &str, pulls: Pulls) -> Mirror {
        Mirror { location: location.parse().unwrap(), pulls, insecure: location.contains("bad") }
    }

    fn rule(prefix: &str, location: Option<&str>, mirrors: &[&str]) -> NamespaceRule {
        NamespaceRule {
            prefix: prefix.parse().unwrap(),
            location: location.map(|text| text.parse().unwrap()),
            mirrors: mirrors.iter().map(|text| mirror(text, Pulls::All)).collect(),
            insecure: prefix.contains("bad"),
            blocked: prefix.contains("blocked"),
            file: "registries.conf".to_owned(),
        }
    }

    fn sources(registries: &Registries, name: &str) -> Vec<String> {
        let sources = registries.sources(&name.parse().unwrap());
        sources.iter().map(|(place, _)| place.full_name()).collect()
    }

    #[test]
    fn the_longest_prefix_says_where_content_is() {
        let rules = vec![
            rule("docker.io", None, &["m.example/hub"]),
            rule("docker.io/library", None, &["m.example/official", "127.0.0.1:5000"]),
            rule("a.example/team", Some("b.example/old"), &[]),
            rule("x.wide.example", None, &["m.example/x"]),
            rule("*.y.wide.example", None, &["m.example/y"]),
            rule("*.wide.example", None, &["m.example/wide"]),
            rule("p.example:5000", None, &["m.example/p"]),
        ];
        let registries = Registries::new([], rules, Vec::new());
        let long = format!("a.example/team/{}", "x".repeat(240));
        for (name, want) in [
            ("user/app", vec!["m.example/hub/user/app", "index.docker.io/user/app"]),
            (
                "ubuntu",
                vec![
                    "m.example/official/ubuntu",
                    "127.0.0.1:5000/ubuntu",
                    "index.docker.io/library/ubuntu",
                ],
            ),
            ("a.example/team/app", vec!["b.example/old/app"]),
            ("a.example/team", vec!["b.example/old"]),
            ("a.example/teams/app", vec!["a.example/teams/app"]),
            ("A.Example/team/app", vec!["b.example/old/app"]),
            ("x.wide.example/app", vec!["m.example/x/app", "x.wide.example/app"]),
            ("x.y.wide.example/app", vec!["m.example/y/app", "x.y.wide.example/app"]),
            ("x.z.wide.example/app", vec!["m.example/wide/app", "x.z.wide.example/app"]),
            ("wide.example/app", vec!["wide.example/app"]),
            ("x.wide.example.org/app", vec!["x.wide.example.org/app"]),
            ("p.example/app", vec!["p.example/app"]),
            ("p.example:5000/app", vec!["m.example/p/app", "p.example:5000/app"]),
            (long.as_str(), vec![&*long.replace("a.example/team", "b.example/old")]),
        ] {
            assert_eq!(sources(&registries, name), want, "{name}");
        }
    }

    #[test]
    fn settings_are_over_rules() {
        let own = |mirrors: &[&str]| RegistrySettings {
            mirrors: Some(mirrors.iter().map(|text| mirror(text, Pulls::All)).collect()),
            ..RegistrySettings::default()
        };
        let settings = [
            ("r.example".parse().unwrap(), own(&["own.example/x"])),
            ("docker.io".parse().unwrap(), own(&[])),
        ];
        let rules = vec![
            rule("r.example/a", Some("b.example"), &["m.example"]),
            rule("docker.io", None, &["m.example"]),
        ];
        let registries = Registries::new(settings, rules, Vec::new());
        assert_eq!(sources(&registries, "r.example/a/b"), ["own.example/x/a/b", "r.example/a/b"]);
        assert_eq!(sources(&registries, "ubuntu"), ["index.docker.io/library/ubuntu"]);
    }

    #[test]
    fn what_is_insecure_is_so_for_a_host() {
        let never = RegistrySettings { http: Some(PlainHttp::Never), ..Default::default() };
        let mut rules = vec![
            rule("bad.example", None, &[]),
            rule("other.example/bad", None, &["badmirror.example:5000", "badhub.example/hub"]),
            rule("*.bad.example", None, &[]),
            rule("good.bad.example", None, &[]),
            rule("half.bad.example", None, &[]),
            rule("half.bad.example/path", None, &[]),
        ];
        rules[3].insecure = false;
        rules[5].insecure = false;
        let settings = [("own.bad.example".parse().unwrap(), never)];
        let registries = Registries::new(settings, rules, Vec::new());
        for (host, want) in [
            ("bad.example", (Some(PlainHttp::Allowed), Some(true))),
            ("BAD.example:443", (Some(PlainHttp::Allowed), Some(true))),
            ("bad.example:5000", (None, None)),
            ("x.bad.example", (Some(PlainHttp::Allowed), Some(true))),
            ("own.bad.example", (Some(PlainHttp::Never), Some(true))),
            ("other.example", (None, None)),
            ("good.bad.example", (None, None)),
            ("half.bad.example", (None, None)),
            ("badmirror.example:5000", (Some(PlainHttp::Allowed), Some(true))),
            ("badhub.example", (None, None)),
            ("good.example", (None, None)),
        ] {
            let RegistrySettings { http, skip_verify, .. } = registries.of(host);
            assert_eq!((http, skip_verify), want, "{host}");
        }
    }

    #[test]
    fn what_is_blocked_is_so_by_prefix() {
        let rules = vec![rule("r.example/blocked", None, &[]), rule("r.example", None, &[])];
        let registries = Registries::new([], rules, Vec::new());
        for (name, want) in [
            ("r.example/blocked", Some("registries.conf")),
            ("r.example/blocked/app", Some("registries.conf")),
            ("r.example/app", None),
            ("ubuntu", None),
        ] {
            assert_eq!(registries.blocked(&name.parse().unwrap()), want, "{name}");
        }
    }
}
