//! Writes package URLs of images and Go modules (purl-spec) with ko's escaping:
//! digests, versions and paths as they are, query values as Go's `url.Values`
//! writes them.

use std::fmt::Write as _;

use oci::{Digest, MediaType, Platform};

use super::facts::BaseFacts;

/// An image that was built.
pub(super) fn image(digest: Digest, media_type: &MediaType) -> String {
    oci("image", digest, vec![("mediaType", media_type.as_str())])
}

/// An index that was built.
pub(super) fn index(digest: Digest, media_type: &MediaType) -> String {
    oci("index", digest, vec![("mediaType", media_type.as_str())])
}

/// An image of an index.
pub(super) fn child(digest: Digest, media_type: &MediaType, platform: &Platform) -> String {
    let mut query = vec![
        ("arch", platform.architecture.as_str()),
        ("mediaType", media_type.as_str()),
        ("os", &platform.os),
    ];
    query.extend(platform.os_features.iter().map(|feature| ("os-feature", feature.as_str())));
    query.push(("os-version", &platform.os_version));
    query.push(("variant", &platform.variant));
    query.retain(|(_, value)| !value.is_empty());
    oci("image", digest, query)
}

/// A base, which is an image or an index.
pub(super) fn base(base: &BaseFacts) -> String {
    let repository = base.repository.as_deref().map(|value| ("repository_url", value));
    let tag = base.tag.as_deref().map(|value| ("tag", value));
    oci("image", base.digest, repository.into_iter().chain(tag).collect())
}

/// A Go module. A path of more than two elements has the first two in lower
/// case, which makes one URL of the ways in which GitHub's names are written.
pub(super) fn module(path: &str, version: &str) -> String {
    let mut elements: Vec<String> = path.split('/').map(str::to_owned).collect();
    if elements.len() > 2 {
        for element in &mut elements[..2] {
            *element = golang::lowercase(element);
        }
    }
    let path = elements.join("/");
    let at = if version.is_empty() { "" } else { "@" };
    format!("pkg:golang/{path}{at}{version}?type=module")
}

/// `query` is sorted by name.
fn oci(name: &str, digest: Digest, query: Vec<(&str, &str)>) -> String {
    let mut purl = format!("pkg:oci/{name}@{digest}");
    for (index, (name, value)) in query.into_iter().enumerate() {
        purl.push(if index == 0 { '?' } else { '&' });
        purl.push_str(name);
        purl.push('=');
        escape(value, &mut purl);
    }
    purl
}

fn escape(value: &str, out: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => write!(out, "%{byte:02X}").expect("writing to a string does not fail"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_as_ko_names_them() {
        for (path, version, want) in [
            ("example.com/App", "v1.0.0", "pkg:golang/example.com/App@v1.0.0?type=module"),
            (
                "github.com/BurntSushi/Toml/V2",
                "v2.0.0+incompatible",
                "pkg:golang/github.com/burntsushi/Toml/V2@v2.0.0+incompatible?type=module",
            ),
            ("a.b/C/D", "(devel)", "pkg:golang/a.b/c/D@(devel)?type=module"),
            ("a.b/c", "", "pkg:golang/a.b/c?type=module"),
        ] {
            assert_eq!(module(path, version), want);
        }
    }

    #[test]
    fn images_are_named_as_ko_names_them() {
        let digest = Digest::of(b"");
        let media_type = MediaType::from("a/b+c d");
        assert_eq!(
            image(digest, &media_type),
            format!("pkg:oci/image@{digest}?mediaType=a%2Fb%2Bc+d")
        );
        assert_eq!(
            index(digest, &media_type),
            format!("pkg:oci/index@{digest}?mediaType=a%2Fb%2Bc+d")
        );
        let platform = Platform {
            os_features: vec!["win32k".to_owned(), "x~_-.".to_owned()],
            ..("windows/amd64/v2:10.0.1".parse().unwrap())
        };
        assert_eq!(
            child(digest, &"m".into(), &platform),
            format!(
                "pkg:oci/image@{digest}?arch=amd64&mediaType=m&os=windows&os-feature=win32k&os-feature=x~_-.&os-version=10.0.1&variant=v2"
            )
        );
        let facts = |repository: Option<&str>, tag: Option<&str>| BaseFacts {
            name: String::new(),
            digest,
            repository: repository.map(str::to_owned),
            tag: tag.map(str::to_owned),
        };
        assert_eq!(
            base(&facts(Some("localhost:1/b"), Some("v1"))),
            format!("pkg:oci/image@{digest}?repository_url=localhost%3A1%2Fb&tag=v1")
        );
        assert_eq!(
            base(&facts(Some("r.io/b"), None)),
            format!("pkg:oci/image@{digest}?repository_url=r.io%2Fb")
        );
        assert_eq!(base(&facts(None, None)), format!("pkg:oci/image@{digest}"));
    }
}
