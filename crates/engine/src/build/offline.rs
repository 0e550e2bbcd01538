//! Keeps `go` from the network, whatever it is told by variables, `go env -w` and
//! configured builds.
//!
//! `GOPROXY=off` is not used for that: with it, `go` stamps another version of the
//! main module where the module cache has one for its commit, and offline is to
//! make the same bytes. A proxy that is a directory without anything in it refuses
//! modules as well, and names them.

use std::ffi::OsStr;

use golang::Environment;

use super::BuildOptions;

/// A directory that is not there.
const NOWHERE: &str = "file:///nothing-is-fetched-offline";

/// Sets what decides where modules, toolchains and their sums come from.
pub(crate) fn forbid_network(environment: &mut Environment, options: &mut BuildOptions) {
    let get = |name: &str| environment.get(name).map(OsStr::to_string_lossy);
    let proxy = proxy(&get("GOPROXY").unwrap_or_default());
    let sums = sums(&get("GOSUMDB").unwrap_or_default());
    // Of modules that are private, `go` would ask their hosts.
    let variables = [("GOPROXY", proxy), ("GONOPROXY", "none".to_owned()), ("GOSUMDB", sums)];
    let builds = options.builds.iter_mut().map(|build| &mut build.flags);
    // An empty list stands for the defaults.
    let lists = builds.map(|flags| &mut flags.env).filter(|env| !env.is_empty());
    for env in lists.chain([&mut options.defaults.env]) {
        let name = |entry: &String| entry.split_once('=').map(|(name, _)| name.to_owned());
        env.retain(|entry| variables.iter().all(|(own, _)| name(entry).as_deref() != Some(own)));
    }
    for (name, value) in variables {
        environment.set(name, value);
    }
}

/// The proxies that are directories of this machine.
fn proxy(set: &str) -> String {
    if set == "off" {
        return set.to_owned();
    }
    let local: Vec<&str> =
        set.split([',', '|']).filter(|proxy| proxy.starts_with("file:")).collect();
    if local.is_empty() { NOWHERE.to_owned() } else { local.join(",") }
}

/// The same database, that cannot be reached: what is not in `go.sum` is not taken
/// unchecked.
fn sums(set: &str) -> String {
    match set.split_whitespace().next() {
        Some("off") => set.to_owned(),
        name => format!("{} {NOWHERE}", name.unwrap_or("sum.golang.org")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{BuildConfig, BuildFlags};

    #[test]
    fn only_directories_are_asked_for_modules() {
        for (set, want) in [
            ("", NOWHERE),
            ("https://proxy.example.com,direct", NOWHERE),
            ("https://a,file:///m|direct", "file:///m"),
            ("off", "off"),
        ] {
            assert_eq!(proxy(set), want, "{set}");
        }
        for (set, want) in [
            ("", format!("sum.golang.org {NOWHERE}")),
            ("sum.golang.google.cn", format!("sum.golang.google.cn {NOWHERE}")),
            ("sum.golang.org+x+y https://z", format!("sum.golang.org+x+y {NOWHERE}")),
            ("off", "off".to_owned()),
        ] {
            assert_eq!(sums(set), want, "{set}");
        }
    }

    #[test]
    fn what_a_build_says_of_it_does_not_count() {
        let env = |entries: &[&str]| BuildFlags {
            env: entries.iter().map(|&entry| entry.to_owned()).collect(),
            ..BuildFlags::default()
        };
        let mut options = BuildOptions {
            defaults: env(&["GOPROXY=https://x"]),
            builds: vec![BuildConfig {
                flags: env(&["A=1", "GONOPROXY=x"]),
                ..BuildConfig::default()
            }],
            ..BuildOptions::default()
        };
        let mut environment = Environment::from_iter([("GOPRIVATE", "*"), ("GONOPROXY", "*")]);
        forbid_network(&mut environment, &mut options);
        assert_eq!(options.defaults.env, Vec::<String>::new());
        assert_eq!(options.builds[0].flags.env, ["A=1"]);
        assert_eq!(environment.get("GONOPROXY"), Some(OsStr::new("none")));
        assert_eq!(environment.get("GOPROXY"), Some(OsStr::new(NOWHERE)));
    }
}
