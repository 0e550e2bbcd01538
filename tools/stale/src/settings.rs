//! What `.ko.yaml` says, as far as the walk changes it.

use std::fmt::Write as _;

/// The one build that is configured, and what is outside of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Is there no build at all? Then the rest does not count.
    pub(crate) absent: bool,
    pub(crate) ldflags: Option<String>,
    pub(crate) flags: Option<String>,
    pub(crate) env: Option<String>,
    pub(crate) capabilities: Option<String>,
    /// The base of the program, if it is another one.
    pub(crate) base: bool,
    /// The base is the image of the second program.
    pub(crate) upon: bool,
    /// What is in the image beside the program.
    pub(crate) image: Option<String>,
}

impl Settings {
    pub(crate) fn text(&self, host: &str) -> String {
        let mut text = String::from("# Written by the walk.\n");
        if self.upon {
            text.push_str(
                "baseImageOverrides:\n  example.com/app: ko://example.com/app/cmd/second\n",
            );
        } else if self.base {
            let _ = writeln!(text, "baseImageOverrides:\n  example.com/app: {host}/other");
        }
        if self.absent {
            return text;
        }
        text.push_str("builds:\n- id: app\n  dir: .\n  main: .\n");
        for (name, value) in [
            ("ldflags", &self.ldflags),
            ("flags", &self.flags),
            ("env", &self.env),
            ("linux_capabilities", &self.capabilities),
        ] {
            if let Some(value) = value {
                let _ = writeln!(text, "  {name}:\n  - \"{value}\"");
            }
        }
        if let Some(image) = &self.image {
            let _ = writeln!(text, "  image:\n    {image}");
        }
        text
    }

    /// Whether templates ask git.
    pub(crate) fn asks_git(&self) -> bool {
        !self.absent && self.ldflags.as_deref().is_some_and(|flags| flags.contains(".Git."))
    }

    /// Whether templates ask go.
    pub(crate) fn asks_go(&self) -> bool {
        !self.absent && self.ldflags.as_deref().is_some_and(|flags| flags.contains(".GoEnv."))
    }

    /// Whether two runs give two programs.
    pub(crate) fn is_dated(&self) -> bool {
        !self.absent && self.ldflags.as_deref().is_some_and(|flags| flags.contains(".Date"))
    }
}
