//! What an image says of itself beside its base and ko: entrypoint, environment, labels
//! and the like, as they are configured, and how they change a config. No I/O.

use std::fmt;

use golang::{Template, TemplateError, Uses};
use oci::{Config, Empty, Healthcheck};

use super::field::Field;

/// The settings of an image. What is not said is the base's, or ko's. `T` is a [`Text`]
/// as it is configured, and a `String` when templates are expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSettings<T = Text> {
    /// The entrypoint, in place of the program.
    pub entrypoint: Option<Vec<T>>,
    /// Arguments appended to the entrypoint.
    pub args: Option<Vec<T>>,
    /// The default arguments, which `docker run IMAGE ARG…` replaces.
    pub cmd: Option<Vec<T>>,
    /// Variables by name; one without a value is removed.
    pub env: Vec<(String, Option<T>)>,
    /// The working directory.
    pub workdir: Option<T>,
    /// Who the program runs as.
    pub user: Option<T>,
    /// Ports, beside those of the base.
    pub ports: Option<Vec<T>>,
    /// Volumes, beside those of the base.
    pub volumes: Option<Vec<T>>,
    /// How the engine finds out whether a container works.
    pub healthcheck: Option<HealthcheckSettings<T>>,
    /// What ends a container.
    pub stop_signal: Option<T>,
    /// The shell of commands that have none, as on Windows.
    pub shell: Option<Vec<T>>,
    /// Labels by key; one without a value is removed.
    pub labels: Vec<(String, Option<T>)>,
    /// Annotations by key; one without a value is removed.
    pub annotations: Vec<(String, Option<T>)>,
}

/// A health check; times are in nanoseconds, and zero is the engine's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthcheckSettings<T = Text> {
    /// `CMD` or `CMD-SHELL` and the command, or `NONE`.
    pub test: Vec<T>,
    /// From one check to the next.
    pub interval: i64,
    /// How long one may take.
    pub timeout: i64,
    /// How long failures do not count after the start.
    pub start_period: i64,
    /// How many failures in a row count.
    pub retries: i64,
}

/// A value as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    template: Template,
    field: Field,
    place: Place,
}

/// Where a value is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The key, as in `builds[0].image.user`.
    pub key: String,
    /// Where that is, as in `.ko.yaml:3`.
    pub at: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: '{}'", self.at, self.key)
    }
}

/// Why a configured value of an image is invalid.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// It is no template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// It is not what the setting takes.
    #[error("{0}")]
    Value(String),
}

impl Text {
    /// Parses a value: a template, or what `field` takes.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(field: Field, source: &str, place: Place) -> Result<Self, TextError> {
        let template = Template::parse_naming(source)?;
        let text = Self { template, field, place };
        if !source.contains("{{") {
            text.check(source).map_err(TextError::Value)?;
        }
        Ok(text)
    }

    /// What has to be expanded.
    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    /// Where it is configured.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether that is what the setting takes.
    pub(crate) fn check(&self, expanded: &str) -> Result<(), String> {
        self.field.check(expanded)
    }

    /// Whether the setting is left out where that comes to nothing.
    fn is_found(&self) -> bool {
        self.field == Field::Found
    }
}

impl<T> Default for ImageSettings<T> {
    fn default() -> Self {
        Self {
            entrypoint: None,
            args: None,
            cmd: None,
            env: Vec::new(),
            workdir: None,
            user: None,
            ports: None,
            volumes: None,
            healthcheck: None,
            stop_signal: None,
            shell: None,
            labels: Vec::new(),
            annotations: Vec::new(),
        }
    }
}

impl ImageSettings {
    /// All values, in the order of [`try_map`](Self::try_map).
    pub(crate) fn texts(&self) -> Vec<&Text> {
        let mut texts = Vec::new();
        let mapped = self.try_map(&mut |text| {
            texts.push(text);
            Ok::<(), std::convert::Infallible>(())
        });
        let Ok(_) = mapped;
        texts
    }

    /// What the templates look at.
    pub(crate) fn uses(&self) -> Uses {
        self.texts().iter().map(|text| text.template.uses()).fold(Uses::default(), Uses::union)
    }

    /// The settings with the texts that their values have come to, in that order.
    pub(crate) fn expanded(
        &self,
        texts: impl IntoIterator<Item = String>,
    ) -> ImageSettings<String> {
        let mut texts = texts.into_iter();
        let mapped = self
            .try_map(&mut |_| Ok::<_, std::convert::Infallible>(texts.next().unwrap_or_default()));
        let Ok(mut settings) = mapped;
        for ((_, text), (_, value)) in self.annotations.iter().zip(&mut settings.annotations) {
            if text.as_ref().is_some_and(Text::is_found) {
                value.take_if(|value| value.is_empty());
            }
        }
        settings
    }
}

impl<T> ImageSettings<T> {
    /// The same of other values.
    fn try_map<'a, U, E>(
        &'a self,
        map: &mut impl FnMut(&'a T) -> Result<U, E>,
    ) -> Result<ImageSettings<U>, E> {
        Ok(ImageSettings {
            entrypoint: list(self.entrypoint.as_ref(), map)?,
            args: list(self.args.as_ref(), map)?,
            cmd: list(self.cmd.as_ref(), map)?,
            env: pairs(&self.env, map)?,
            workdir: self.workdir.as_ref().map(&mut *map).transpose()?,
            user: self.user.as_ref().map(&mut *map).transpose()?,
            ports: list(self.ports.as_ref(), map)?,
            volumes: list(self.volumes.as_ref(), map)?,
            healthcheck: match &self.healthcheck {
                None => None,
                Some(check) => Some(HealthcheckSettings {
                    test: check.test.iter().map(&mut *map).collect::<Result<_, E>>()?,
                    interval: check.interval,
                    timeout: check.timeout,
                    start_period: check.start_period,
                    retries: check.retries,
                }),
            },
            stop_signal: self.stop_signal.as_ref().map(&mut *map).transpose()?,
            shell: list(self.shell.as_ref(), map)?,
            labels: pairs(&self.labels, map)?,
            annotations: pairs(&self.annotations, map)?,
        })
    }
}

fn list<'a, T, U, E>(
    values: Option<&'a Vec<T>>,
    map: &mut impl FnMut(&'a T) -> Result<U, E>,
) -> Result<Option<Vec<U>>, E> {
    values.map(|values| values.iter().map(map).collect()).transpose()
}

fn pairs<'a, T, U, E>(
    values: &'a [(String, Option<T>)],
    map: &mut impl FnMut(&'a T) -> Result<U, E>,
) -> Result<Vec<(String, Option<U>)>, E> {
    let pair = |(key, value): &'a (String, Option<T>)| {
        Ok((key.clone(), value.as_ref().map(&mut *map).transpose()?))
    };
    values.iter().map(pair).collect()
}

impl ImageSettings<String> {
    /// Changes a config of ko's. `debugged`: its entrypoint is the debugger's, and runs
    /// the program.
    pub(super) fn apply(&self, config: &mut Config, debugged: bool) {
        if let Some(entrypoint) = self.entrypoint.as_ref().filter(|_| !debugged) {
            config.entrypoint.clone_from(entrypoint);
        }
        config.entrypoint.extend(self.args.iter().flatten().cloned());
        if let Some(cmd) = &self.cmd {
            config.cmd.clone_from(cmd);
        }
        for (name, value) in &self.env {
            let is_it = |entry: &String| entry.split('=').next() == Some(name);
            match (config.env.iter().position(is_it), value) {
                (Some(at), Some(value)) => config.env[at] = format!("{name}={value}"),
                (None, Some(value)) => config.env.push(format!("{name}={value}")),
                (_, None) => config.env.retain(|entry| !is_it(entry)),
            }
        }
        if let Some(workdir) = &self.workdir {
            config.working_dir.clone_from(workdir);
        }
        if let Some(user) = &self.user {
            config.user.clone_from(user);
        }
        for port in self.ports.iter().flatten() {
            let ports = super::field::ports(port).unwrap_or_default();
            config.exposed_ports.extend(ports.into_iter().map(|port| (port, Empty {})));
        }
        let volumes = self.volumes.iter().flatten();
        config.volumes.extend(volumes.map(|path| (path.clone(), Empty {})));
        if let Some(check) = &self.healthcheck {
            config.healthcheck = Some(Healthcheck {
                test: check.test.clone(),
                interval: check.interval,
                timeout: check.timeout,
                start_period: check.start_period,
                retries: check.retries,
            });
        }
        if let Some(signal) = &self.stop_signal {
            config.stop_signal.clone_from(signal);
        }
        if let Some(shell) = &self.shell {
            config.shell.clone_from(shell);
        }
        for (key, value) in &self.labels {
            match value {
                Some(value) => _ = config.labels.insert(key.clone(), value.clone()),
                None => _ = config.labels.remove(key),
            }
        }
    }
}
