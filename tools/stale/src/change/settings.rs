//! Changes of `.ko.yaml`.

use super::{Change, alters};
use crate::settings::Settings;
use crate::workspace::Workspace;
use toolkit::Result;

pub(super) const ALL: [Change; 10] = [
    alters("ldflags configured", |w| {
        let number = w.fresh();
        apply(w, with_ldflags(&format!("-X main.version={number}")))
    }),
    alters("template of git", |w| {
        apply(w, with_ldflags("-X main.version={{.Git.ShortCommit}}-{{.Git.TreeState}}"))
    }),
    alters("template of a date", |w| apply(w, with_ldflags("-X main.version={{.Date}}")))
        .until(|w| apply(w, Settings::default())),
    alters("template of go", |w| apply(w, with_ldflags("-X main.version={{.GoEnv.GOVERSION}}"))),
    alters("flags configured", |w| {
        apply(w, Settings { flags: Some("-tags=special".to_owned()), ..Settings::default() })
    })
    .after(none)
    .until(|w| apply(w, Settings::default())),
    alters("variable configured", |w| {
        apply(w, Settings { env: Some("GOFLAGS=-tags=other".to_owned()), ..Settings::default() })
    })
    .after(none)
    .until(|w| apply(w, Settings::default())),
    alters("capabilities configured", |w| {
        let all = Some("net_bind_service".to_owned());
        apply(w, Settings { capabilities: all, ..Settings::default() })
    })
    .after(none),
    alters("trimpath switched off", |w| untrimmed(w).map(drop)).after(none),
    alters("base overridden", |w| apply(w, Settings { base: true, ..Settings::default() }))
        .after(none),
    alters("no build configured", |w| apply(w, Settings { absent: true, ..Settings::default() }))
        .after(|w| {
            apply(w, with_ldflags("-X main.version=configured"))?;
            Ok(true)
        }),
];

pub(super) fn with_ldflags(flags: &str) -> Settings {
    Settings { ldflags: Some(flags.to_owned()), ..Settings::default() }
}

/// Directories stay in the program.
pub(super) fn untrimmed(w: &mut Workspace) -> Result<bool> {
    let image = Some("trimpath: false".to_owned());
    apply(w, Settings { image, ..Settings::default() })?;
    Ok(true)
}

fn apply(w: &mut Workspace, settings: Settings) -> Result<()> {
    w.programs = vec!["."];
    w.checkout().settings = settings;
    w.write_settings()
}

fn none(w: &mut Workspace) -> Result<bool> {
    w.env.remove("GOFLAGS");
    apply(w, Settings::default())?;
    Ok(true)
}
