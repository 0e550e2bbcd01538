//! A case is data: what is there, what is called, and in what ours differs
//! from ko on purpose.
//!
//! `{host}` stands for the registry, `{work}` for the working directory and
//! `{digest:base:latest}` for the digest of a base image, `{digest:base:latest[1]}`
//! for that of its second child, in arguments, variables, files and expected
//! differences.

use std::path::Path;
use testkit::base::{Fixture, Image};

/// One call of a command, compared.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// `group/name`, by which it is selected.
    pub(crate) name: String,
    /// Writes the Go module into the working directory.
    pub(crate) module: fn(&Path),
    /// Further files of the working directory.
    pub(crate) files: Vec<(&'static str, String)>,
    /// Repository, tag and content of each base.
    pub(crate) bases: Vec<(&'static str, &'static str, Fixture)>,
    /// The arguments, from the command on.
    pub(crate) args: Vec<String>,
    /// The standard input.
    pub(crate) stdin: &'static str,
    /// Variables that are set or, with `None`, unset.
    pub(crate) env: Vec<(&'static str, Option<String>)>,
    /// Arguments that push what this case only names, so that the digests it
    /// prints can be verified.
    pub(crate) pushed_by: Option<Vec<String>>,
    /// Whether a Docker daemon, `{engine}`, is the case's while it runs.
    pub(crate) engine: bool,
    /// What the message of an expected failure contains; empty for a success.
    pub(crate) fails: Vec<&'static str>,
    /// Whether it is ours alone that fails.
    pub(crate) refuses: bool,
    /// What both say on stderr, beside the lines of progress.
    pub(crate) says: Vec<&'static str>,
    /// What our lines on stdout contain, one after the other. ko's come in no
    /// order.
    pub(crate) order: Vec<&'static str>,
    /// In what ours is different.
    pub(crate) differences: Vec<Difference>,
}

/// The repository of `cmd/web` of `example.com/app`.
pub(crate) const WEB: &str = "out/web-a565b91425c9491d60376a2fdde58a72";

/// A difference that is meant.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// The field, as a report names it.
    pub(crate) field: String,
    /// What it is with ours, exactly; `None` if it is absent there.
    pub(crate) ours: Option<String>,
    /// Why.
    pub(crate) reason: &'static str,
}

impl Case {
    /// Begins a case of `ko build` with words split at spaces, in the module
    /// `example.com/app`, on an OCI image, with the destination `{host}/out`.
    pub(crate) fn build(name: &str, words: &str) -> Case {
        Case::command(name, &format!("build {words}"))
    }

    /// Begins a case of any command.
    pub(crate) fn command(name: &str, words: &str) -> Case {
        Case {
            name: name.to_owned(),
            module: crate::cases::app,
            files: Vec::new(),
            bases: vec![("base", "latest", Image::oci("linux/amd64").build())],
            args: split(words),
            stdin: "",
            env: vec![
                ("KO_DOCKER_REPO", Some("{host}/out".to_owned())),
                ("KO_DEFAULTBASEIMAGE", Some("{host}/base".to_owned())),
            ],
            pushed_by: None,
            engine: false,
            fails: Vec::new(),
            refuses: false,
            says: Vec::new(),
            order: Vec::new(),
            differences: Vec::new(),
        }
    }

    /// Adds an argument that has spaces in it.
    pub(crate) fn arg(mut self, word: &str) -> Case {
        self.args.push(word.to_owned());
        self
    }

    /// Takes another module.
    pub(crate) fn module(self, module: fn(&Path)) -> Case {
        Case { module, ..self }
    }

    /// Adds a file.
    pub(crate) fn file(mut self, path: &'static str, content: &str) -> Case {
        self.files.push((path, content.to_owned()));
        self
    }

    /// Takes another base at `base:latest`.
    pub(crate) fn base(mut self, fixture: Fixture) -> Case {
        self.bases[0].2 = fixture;
        self
    }

    /// Adds a base.
    pub(crate) fn base_at(mut self, repo: &'static str, tag: &'static str, base: Fixture) -> Case {
        self.bases.push((repo, tag, base));
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Case {
        self.env.push((name, Some(value.to_owned())));
        self
    }

    /// Unsets a variable.
    pub(crate) fn unset(mut self, name: &'static str) -> Case {
        self.env.push((name, None));
        self
    }

    /// Sets the arguments that push what this case only names.
    pub(crate) fn pushed_by(mut self, words: &str) -> Case {
        self.pushed_by = Some(split(&format!("build {words}")));
        self
    }

    /// Has a Docker daemon.
    pub(crate) fn on_engine(self) -> Case {
        Case { engine: true, ..self }
    }

    /// Expects a failure whose message contains `phrase`; called again, that
    /// too.
    pub(crate) fn fails(mut self, phrase: &'static str) -> Case {
        self.fails.push(phrase);
        self
    }

    /// Expects both to say `phrase` on stderr; called again, that too.
    pub(crate) fn says(mut self, phrase: &'static str) -> Case {
        self.says.push(phrase);
        self
    }

    /// Sets the standard input.
    pub(crate) fn stdin(self, stdin: &'static str) -> Case {
        Case { stdin, ..self }
    }

    /// Expects our lines on stdout in an order.
    pub(crate) fn order(self, order: &[&'static str]) -> Case {
        Case { order: order.to_vec(), ..self }
    }

    /// Expects a difference.
    pub(crate) fn differs(mut self, field: &str, ours: Option<&str>, reason: &'static str) -> Case {
        let ours = ours.map(str::to_owned);
        self.differences.push(Difference { field: field.to_owned(), ours, reason });
        self
    }

    /// Expects ko to fail with `phrase` and ours to push `image`, a path
    /// below the registry, as `latest`, with an SBOM.
    pub(crate) fn works(self, phrase: &'static str, image: &str, reason: &'static str) -> Case {
        self.fails(phrase)
            .differs(&format!("error {phrase}"), Some("not said, for nothing failed"), reason)
            .differs("exit code", Some("0"), reason)
            .differs("stdout", Some(&format!("{{host}}/{image}@[{image}:latest]")), reason)
            .differs(
                &format!("tags {image}"),
                Some(&format!("[{image}:latest].sbom latest")),
                reason,
            )
    }

    /// Expects ko to push `image`, a path below the registry, as `latest`, and
    /// ours to fail with `phrase`.
    pub(crate) fn refuses(self, phrase: &'static str, image: &str, reason: &'static str) -> Case {
        let case = Case { refuses: true, ..self };
        case.fails(phrase)
            .differs(&format!("error {phrase}"), Some("said"), reason)
            .differs("exit code", Some("1"), reason)
            .differs("stdout", Some(""), reason)
            .differs(&format!("tags {image}"), None, reason)
    }

    /// Expects the real digest of an OCI index where ko writes one that
    /// exists nowhere.
    pub(crate) fn names_real_base(self, image: &str) -> Case {
        self.differs(
            &format!("image {image} annotations/org.opencontainers.image.base.digest"),
            Some("\"{digest:base:latest}\""),
            crate::cases::REAL_BASE,
        )
    }
}

fn split(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}
