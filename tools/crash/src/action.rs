//! What ko does when it dies.

use std::path::Path;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Push,
    Layout,
    Archive,
    Load,
    Resolve,
    Shared,
    Export,
    Import,
    Login,
    Watch,
}

impl Action {
    /// A push is what most runs are, and has most that can go wrong.
    pub(crate) const ALL: [Self; 13] = [
        Self::Push,
        Self::Push,
        Self::Push,
        Self::Layout,
        Self::Archive,
        Self::Load,
        Self::Resolve,
        Self::Shared,
        Self::Export,
        Self::Import,
        Self::Login,
        Self::Login,
        Self::Watch,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Layout => "layout",
            Self::Archive => "archive",
            Self::Load => "load",
            Self::Resolve => "resolve",
            Self::Shared => "shared cache",
            Self::Export => "cache export",
            Self::Import => "cache import",
            Self::Login => "login",
            Self::Watch => "watch",
        }
    }

    /// The words of the command, in a sandbox with this directory.
    pub(crate) fn words(self, root: &Path) -> Vec<String> {
        let place = |name: &str| root.join(name).display().to_string();
        let programs = ["./cmd/a", "./cmd/b"].map(str::to_owned);
        let build = |more: &[String]| {
            let words = ["build", "-B", "--retries=1"].map(str::to_owned);
            [&words[..], more, &programs].concat()
        };
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        match self {
            Self::Push => build(&["--tags=latest,v1".to_owned()]),
            Self::Layout => build(&[
                "--push=false".to_owned(),
                format!("--oci-layout-path={}", place("layout")),
            ]),
            Self::Archive => {
                build(&["--push=false".to_owned(), format!("--tarball={}", place("images.tar"))])
            }
            Self::Load => build(&["--local".to_owned()]),
            Self::Resolve => {
                let refs = format!("--image-refs={}", place("refs"));
                words(&["resolve", "-B", "--retries=1", &refs, "-f", "app.yaml"])
            }
            Self::Shared => {
                let cache = place("shared");
                build(&[
                    format!("--cache-from=file://{cache}"),
                    format!("--cache-to=file://{cache}"),
                ])
            }
            Self::Export => words(&["cache", "export", &place("cache.tar")]),
            Self::Import => words(&["cache", "import", &place("whole.tar")]),
            Self::Login => words(&["login", "new.example.com", "-u", "me", "--password-stdin"]),
            Self::Watch => build(&["--watch".to_owned()]),
        }
    }
}
