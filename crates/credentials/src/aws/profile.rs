//! Reads the files that Amazon's tools share: `~/.aws/config` and
//! `~/.aws/credentials`.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::machine::Machine;
use crate::problem::{Problem, Result};

type Section = HashMap<String, String>;

/// Both files, together.
pub(crate) struct Files {
    /// What the user calls the profile, if it is not the default.
    wanted: Option<String>,
    profiles: HashMap<String, Section>,
    sessions: HashMap<String, Section>,
    services: HashMap<String, Section>,
    config: PathBuf,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A profile.
#[derive(Clone)]
pub(crate) struct Profile<'a> {
    pub(crate) name: &'a str,
    section: &'a Section,
    services: Option<&'a Section>,
    config: &'a Path,
}

impl fmt::Debug for Profile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Profile({:?})", self.name)
    }
}

impl Files {
    pub(crate) async fn read(machine: &Machine) -> Result<Self> {
        let variables = &machine.variables;
        let place = |variable, name| {
            let in_home = || Some(variables.home()?.join(".aws").join(name));
            variables.path(variable).or_else(in_home)
        };
        let config = place("AWS_CONFIG_FILE", "config");
        let credentials = place("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let wanted = variables.text("AWS_PROFILE");
        let wanted = wanted.or_else(|| variables.text("AWS_DEFAULT_PROFILE"));
        let mut files = Self {
            wanted,
            profiles: HashMap::new(),
            sessions: HashMap::new(),
            services: HashMap::new(),
            config: config.clone().unwrap_or_default(),
        };
        for (path, is_config) in [(config, true), (credentials, false)] {
            let Some(path) = path else { continue };
            if let Some(bytes) = machine.read_if_exists(&path).await? {
                files.add(&path, &String::from_utf8_lossy(&bytes), is_config)?;
            }
        }
        Ok(files)
    }

    /// Adds a file. What is in the second, the credentials, counts.
    fn add(&mut self, path: &Path, text: &str, is_config: bool) -> Result<()> {
        let sections = parse(text).map_err(|(line, problem)| {
            Problem::malformed(path.display(), format!("line {line}: {problem}"))
        })?;
        // `[profile default]` counts before `[default]`.
        let explicit = sections.iter().any(|(name, _)| is_config && name == "profile default");
        for (name, section) in sections {
            let (kind, name) = match name.split_once(char::is_whitespace) {
                Some((kind, name)) if is_config => (kind, name.trim().trim_matches(['"', '\''])),
                _ if is_config && name != "default" => continue,
                _ => ("profile", name.as_str()),
            };
            let map = match kind {
                "profile" if explicit && name == "default" && !section.1 => continue,
                "profile" => &mut self.profiles,
                "sso-session" => &mut self.sessions,
                "services" => &mut self.services,
                _ => continue,
            };
            map.entry(name.to_owned()).or_default().extend(section.0);
        }
        Ok(())
    }

    /// The profile that the user wants; one that was named must be there.
    pub(crate) fn default_profile(&self) -> Result<Option<Profile<'_>>> {
        let name = self.wanted.as_deref().unwrap_or("default");
        match self.profile(name)? {
            None if self.wanted.is_some() => Err(Problem::malformed(
                self.config.display(),
                format!("there is no profile {name:?}, which AWS_PROFILE names"),
            )),
            found => Ok(found),
        }
    }

    pub(crate) fn profile(&self, name: &str) -> Result<Option<Profile<'_>>> {
        let Some((name, section)) = self.profiles.get_key_value(name) else { return Ok(None) };
        let services = section.get("services").map(|services| {
            self.services.get(services).ok_or_else(|| {
                let problem = format!("there is no [services {services}]");
                Problem::malformed(self.config.display(), problem)
            })
        });
        let services = services.transpose()?;
        Ok(Some(Profile { name, section, services, config: &self.config }))
    }

    /// A section about a session of single sign-on.
    pub(crate) fn session(&self, name: &str) -> Option<Profile<'_>> {
        let (name, section) = self.sessions.get_key_value(name)?;
        Some(Profile { name, section, services: None, config: &self.config })
    }
}

impl Profile<'_> {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.section.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A value that must be there.
    pub(crate) fn need(&self, key: &str) -> Result<&str> {
        self.get(key).ok_or_else(|| self.wrong(key, "it is missing"))
    }

    pub(crate) fn wrong(&self, key: &str, problem: &str) -> Problem {
        let (name, place) = (self.name, self.config.display());
        Problem::malformed(place, format!("profile {name:?}, {key}: {problem}"))
    }

    /// What people are told.
    pub(crate) fn source(&self, what: &str) -> String {
        format!("{what} of AWS profile {:?}", self.name)
    }

    /// Where a service is, if the profile says so.
    pub(crate) fn endpoint(&self, id: &str) -> Option<String> {
        let own = self.services.and_then(|services| services.get(&format!("{id}.endpoint_url")));
        own.map(String::as_str).or_else(|| self.get("endpoint_url")).map(str::to_owned)
    }
}

/// The sections of a file in their order, and whether the name of each has two
/// words. Keys are in small letters; one that is nested has its parent's name
/// before it.
type Parsed = Vec<(String, (Section, bool))>;

fn parse(text: &str) -> std::result::Result<Parsed, (usize, &'static str)> {
    let mut sections: Parsed = Vec::new();
    let mut parent = String::new();
    for (at, raw) in text.lines().enumerate() {
        let line = raw.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let wrong = |problem| (at + 1, problem);
        let nested = raw.starts_with([' ', '\t']);
        if let Some(rest) = line.strip_prefix('[').filter(|_| !nested) {
            let (name, _) = rest.split_once(']').ok_or(wrong("a section without ]"))?;
            let name = name.trim().to_owned();
            let words = name.contains(char::is_whitespace);
            sections.push((name, (Section::new(), words)));
            parent.clear();
            continue;
        }
        let Some((_, (section, _))) = sections.last_mut() else {
            return Err(wrong("a value before the first section"));
        };
        let Some((key, value)) = line.split_once('=') else {
            // The end of a value that goes on.
            match section.get_mut(&parent).filter(|_| nested) {
                Some(value) => value.push_str(line),
                None => return Err(wrong("neither a section nor key = value")),
            }
            continue;
        };
        let key = key.trim().to_lowercase();
        let value = without_comment(value.trim()).to_owned();
        let is_part = nested && section.get(&parent).is_some_and(String::is_empty);
        if is_part {
            section.insert(format!("{parent}.{key}"), value);
        } else {
            parent.clone_from(&key);
            section.insert(key, value);
        }
    }
    Ok(sections)
}

/// A comment may follow a value, after white space.
fn without_comment(value: &str) -> &str {
    let starts = value.match_indices(['#', ';']).map(|(at, _)| at);
    let start = starts.into_iter().find(|at| value[..*at].ends_with([' ', '\t']));
    start.map_or(value, |at| value[..at].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(config: &str, credentials: &str, wanted: Option<&str>) -> Result<Files> {
        let mut files = Files {
            wanted: wanted.map(str::to_owned),
            profiles: HashMap::new(),
            sessions: HashMap::new(),
            services: HashMap::new(),
            config: PathBuf::from("/config"),
        };
        files.add(Path::new("/config"), config, true)?;
        files.add(Path::new("/credentials"), credentials, false)?;
        Ok(files)
    }

    #[test]
    fn the_files_add_up() {
        let config = "\
# comment
[default]
region = old
[profile default]
Region=eu-west-1 # where we are
[other]
region = not a profile
[profile \"two words\"]
role_arn = arn:x#y
[sso-session s]
sso_region = us-east-1
[profile dev]
services = local
s3 =
  endpoint_url = http://s3
[services local]
ecr =
  endpoint_url = http://ecr
sts =
  endpoint_url = http://sts
";
        let credentials = "[default]\naws_access_key_id = A\n[dev]\naws_access_key_id=B\n";
        let files = files(config, credentials, None).unwrap();
        let default = files.default_profile().unwrap().unwrap();
        assert_eq!(default.get("region"), Some("eu-west-1"));
        assert_eq!(default.get("aws_access_key_id"), Some("A"));
        let words = files.profile("two words").unwrap().unwrap();
        assert_eq!(words.get("role_arn"), Some("arn:x#y"));
        assert!(files.profile("other").unwrap().is_none());
        assert_eq!(files.session("s").unwrap().get("sso_region"), Some("us-east-1"));
        let dev = files.profile("dev").unwrap().unwrap();
        assert_eq!(dev.endpoint("ecr").as_deref(), Some("http://ecr"));
        assert_eq!(dev.endpoint("sso"), None);
        assert_eq!(dev.get("aws_access_key_id"), Some("B"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (config, wanted, want) in [
            ("region = x", None, "/config: line 1: a value before the first section"),
            ("[default\n", None, "/config: line 1: a section without ]"),
            ("[default]\nSECRET\n", None, "/config: line 2: neither a section nor key = value"),
            ("", Some("x"), "/config: there is no profile \"x\", which AWS_PROFILE names"),
            ("[default]\nservices = s\n", None, "/config: there is no [services s]"),
        ] {
            let files = files(config, "", wanted);
            let error = files.and_then(|files| files.default_profile().map(drop)).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
    }
}
