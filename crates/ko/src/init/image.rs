//! What an image says of itself, as `.ko.yaml` of this ko has it (docs/reference/image.md).
//! ko 0.19.1 reads none of it, so it is written as a comment.

use crate::config::{self, scalar};

/// What stands above the comment.
const HEAD: &str = "ko 0.19.1 does not read these settings; uncomment them to use them";

/// The settings of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) args: Vec<String>,
    pub(super) cmd: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) workdir: Option<String>,
    pub(super) user: Option<String>,
    pub(super) ports: Vec<String>,
    pub(super) volumes: Vec<String>,
    pub(super) healthcheck: Option<Healthcheck>,
    pub(super) stop_signal: Option<String>,
    pub(super) shell: Vec<String>,
    pub(super) labels: Vec<(String, String)>,
}

/// A health check: what is run, and times by their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Healthcheck {
    pub(super) test: Vec<String>,
    pub(super) times: Vec<(&'static str, String)>,
}

/// Settings, and the file that has them.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) image: Image,
    pub(super) from: String,
}

impl Image {
    /// Adds what another instruction says, if builds take that; else, why not.
    pub(super) fn add(&mut self, more: Self) -> Result<(), String> {
        let mut text = String::new();
        more.write(&mut text, "", "defaultImage");
        config::check_image(text).map_err(|error| {
            let message = error.message().lines().next().unwrap_or_default();
            message.replace("'defaultImage.", "'image.")
        })?;
        let replace = |list: &mut Vec<String>, other: Vec<String>| {
            if !other.is_empty() {
                *list = other;
            }
        };
        let unite = |list: &mut Vec<String>, other: Vec<String>| {
            for item in other {
                if !list.contains(&item) {
                    list.push(item);
                }
            }
        };
        let merge = |list: &mut Vec<(String, String)>, other: Vec<(String, String)>| {
            for (key, value) in other {
                match list.iter_mut().find(|(known, _)| *known == key) {
                    Some(known) => known.1 = value,
                    None => list.push((key, value)),
                }
            }
        };
        replace(&mut self.args, more.args);
        replace(&mut self.cmd, more.cmd);
        replace(&mut self.shell, more.shell);
        unite(&mut self.ports, more.ports);
        unite(&mut self.volumes, more.volumes);
        merge(&mut self.env, more.env);
        merge(&mut self.labels, more.labels);
        self.workdir = more.workdir.or(self.workdir.take());
        self.user = more.user.or(self.user.take());
        self.healthcheck = more.healthcheck.or(self.healthcheck.take());
        self.stop_signal = more.stop_signal.or(self.stop_signal.take());
        Ok(())
    }

    /// Writes the settings as the value of a key.
    fn write(&self, text: &mut String, indent: &str, key: &str) {
        let mut line = |line: String| text.push_str(&format!("{indent}{line}\n"));
        let list = |line: &mut dyn FnMut(String), key: &str, items: &[String]| {
            if !items.is_empty() {
                line(format!("  {key}:"));
            }
            items.iter().for_each(|item| line(format!("    - {}", literal(item))));
        };
        let map = |line: &mut dyn FnMut(String), key: &str, entries: &[(String, String)]| {
            if !entries.is_empty() {
                line(format!("  {key}:"));
            }
            for (key, value) in entries {
                line(format!("    {}: {}", scalar(key), literal(value)));
            }
        };
        let one = |line: &mut dyn FnMut(String), key: &str, value: &Option<String>| {
            value.iter().for_each(|value| line(format!("  {key}: {}", literal(value))));
        };
        line(format!("{key}:"));
        list(&mut line, "args", &self.args);
        list(&mut line, "cmd", &self.cmd);
        map(&mut line, "env", &self.env);
        one(&mut line, "workdir", &self.workdir);
        one(&mut line, "user", &self.user);
        list(&mut line, "ports", &self.ports);
        list(&mut line, "volumes", &self.volumes);
        if let Some(Healthcheck { test, times }) = &self.healthcheck {
            line("  healthcheck:".to_owned());
            let test: Vec<String> = test.iter().map(|word| literal(word)).collect();
            line(format!("    test: [{}]", test.join(", ")));
            times.iter().for_each(|(key, time)| line(format!("    {key}: {}", scalar(time))));
        }
        one(&mut line, "stopSignal", &self.stop_signal);
        list(&mut line, "shell", &self.shell);
        map(&mut line, "labels", &self.labels);
    }
}

impl Described {
    /// Writes the settings as a comment, which is the value of a key when the `# ` at the
    /// start of its lines is removed.
    pub(super) fn comment(&self, text: &mut String, indent: &str, key: &str) {
        if self.image == Image::default() {
            return;
        }
        let from: String =
            self.from.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        text.push_str(&format!("{indent}# {from}: {HEAD}:\n"));
        self.image.write(text, &format!("{indent}# "), key);
    }
}

/// A text that is no template here.
fn literal(text: &str) -> String {
    scalar(&text.replace("{{", "{{\"{{\"}}"))
}
