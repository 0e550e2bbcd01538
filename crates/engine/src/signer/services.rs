//! Reads a signing configuration: which services of a Sigstore sign, as of now.

use attest::LogVersion;
use serde::Deserialize;

/// The services of a Sigstore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningServices {
    pub(super) authority: String,
    pub(super) logs: Vec<(LogVersion, String)>,
    pub(super) timestamps: Vec<String>,
    issuer: Option<String>,
}

/// Why a signing configuration is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningConfigError {
    /// The text is not a signing configuration, or is one of another version.
    #[error("it is no signing configuration of Sigstore (v0.2)")]
    Format,
    /// It names no certificate authority.
    #[error("it names no certificate authority (caUrls) that is valid now and speaks version 1")]
    NoAuthority,
    /// It names only logs that are too old or too new.
    #[error(
        "it names no transparency log (rekorTlogUrls) that is valid now and speaks version 1 or 2"
    )]
    NoLog,
    /// Certificates last minutes, and it names nobody who says that they were valid.
    #[error(
        "it names neither a timestamp authority nor a transparency log of version 1: nothing would say when was signed"
    )]
    NoTime,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Config {
    media_type: String,
    ca_urls: Vec<Service>,
    oidc_urls: Vec<Service>,
    rekor_tlog_urls: Vec<Service>,
    rekor_tlog_config: Selection,
    tsa_urls: Vec<Service>,
    tsa_config: Selection,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Service {
    url: String,
    major_api_version: u32,
    valid_for: Validity,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Validity {
    start: Option<String>,
    end: Option<String>,
}

impl Validity {
    /// Whether a time is in it; never where it makes no sense.
    fn contains(&self, now: jiff::Timestamp) -> bool {
        let time = |text: &Option<String>, open: jiff::Timestamp| match text {
            Some(text) => text.parse().ok(),
            None => Some(open),
        };
        let start = time(&self.start, jiff::Timestamp::MIN);
        let end = time(&self.end, jiff::Timestamp::MAX);
        start.zip(end).is_some_and(|(start, end)| start <= now && now < end)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Selection {
    selector: String,
    count: usize,
}

impl SigningServices {
    /// Reads a signing configuration, as `cosign signing-config create` writes it, and
    /// chooses those services that are valid `now`.
    ///
    /// # Errors
    /// The text is not a signing configuration, or lists no service that signing needs.
    pub fn parse(json: &str, now: jiff::Timestamp) -> Result<Self, SigningConfigError> {
        let config: Config = serde_json::from_str(json).map_err(|_| SigningConfigError::Format)?;
        if config.media_type != "application/vnd.dev.sigstore.signingconfig.v0.2+json" {
            return Err(SigningConfigError::Format);
        }
        let choose = |services: &[Service], version: u32, selection: &Selection| -> Vec<String> {
            let is_valid = |service: &&Service| {
                service.major_api_version == version && service.valid_for.contains(now)
            };
            let count = match selection.selector.as_str() {
                "ALL" => usize::MAX,
                "EXACT" => selection.count,
                _ => 1,
            };
            let urls = services.iter().filter(is_valid).map(|service| service.url.clone());
            urls.take(count).collect()
        };
        let one = Selection::default();
        let authority = choose(&config.ca_urls, 1, &one).pop();
        // Of logs, those of the newest version.
        let logs = [(LogVersion::V2, 2), (LogVersion::V1, 1)].map(|(version, number)| {
            let urls = choose(&config.rekor_tlog_urls, number, &config.rekor_tlog_config);
            urls.into_iter().map(|url| (version, url)).collect::<Vec<_>>()
        });
        let logs = logs.into_iter().find(|logs| !logs.is_empty()).unwrap_or_default();
        let timestamps = choose(&config.tsa_urls, 1, &config.tsa_config);
        if logs.is_empty() && !config.rekor_tlog_urls.is_empty() {
            return Err(SigningConfigError::NoLog);
        }
        if timestamps.is_empty() && !logs.iter().any(|(version, _)| *version == LogVersion::V1) {
            return Err(SigningConfigError::NoTime);
        }
        let authority = authority.ok_or(SigningConfigError::NoAuthority)?;
        let issuer = choose(&config.oidc_urls, 1, &one).pop();
        Ok(Self { authority, logs, timestamps, issuer })
    }

    /// Where entries go that everybody may read for ever.
    pub fn logs(&self) -> impl Iterator<Item = &str> {
        self.logs.iter().map(|(_, url)| url.as_str())
    }

    /// Where somebody may log in for a token.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn service(url: &str, version: u32) -> Value {
        json!([{ "url": url, "majorApiVersion": version, "validFor": { "start": "2020-01-01T00:00:00Z" } }])
    }

    fn parse(logs: &[&Value], clocks: &Value) -> Result<SigningServices, SigningConfigError> {
        let logs: Vec<&Value> = logs.iter().filter_map(|it| it.as_array()).flatten().collect();
        let config = json!({
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": service("https://ca", 1),
            "oidcUrls": service("https://issuer", 1),
            "rekorTlogUrls": logs,
            "tsaUrls": clocks,
        });
        SigningServices::parse(&config.to_string(), "2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn the_newest_logs_are_chosen() {
        let (one, two) = (service("https://one", 1), service("https://two", 2));
        let (clock, nobody) = (service("https://clock", 1), json!([]));
        let logs = |logs: &[&Value], clocks: &Value| {
            parse(logs, clocks).map(|it| it.logs().map(str::to_owned).collect::<Vec<_>>())
        };
        for said in [[&one, &two], [&two, &one]] {
            assert_eq!(logs(&said, &clock).unwrap(), ["https://two"]);
        }
        // An entry of version 1 has a time of its own.
        assert_eq!(logs(&[&one], &nobody).unwrap(), ["https://one"]);
        assert_eq!(logs(&[], &clock).unwrap(), [""; 0]);
        for (said, clocks) in [(&[&two][..], &nobody), (&[], &nobody)] {
            assert!(matches!(logs(said, clocks), Err(SigningConfigError::NoTime)));
        }
        let newer = service("https://three", 3);
        assert!(matches!(logs(&[&newer], &clock), Err(SigningConfigError::NoLog)));
        assert_eq!(parse(&[&one], &clock).unwrap().issuer(), Some("https://issuer"));
    }
}
