//! Everything with a short grammar: names of images, platforms, capabilities, selectors
//! of labels, import paths, places of caches and keys. What is parsed is written and
//! parsed again, and must be the same.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;

/// Parses, writes and parses again.
fn there_and_back<T: FromStr + Display + PartialEq + Debug>(text: &str)
where
    T::Err: Debug,
{
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        assert_eq!(written.parse::<T>().unwrap(), value, "{text:?} became {written:?}");
    }
}

fuzz_target!(|text: &str| {
    there_and_back::<oci::Digest>(text);
    there_and_back::<oci::Reference>(text);
    there_and_back::<oci::Registry>(text);
    there_and_back::<oci::Repository>(text);
    // Parts may be empty, and then do not come back.
    let _ = text.parse::<oci::Platform>();
    there_and_back::<oci::Timestamp>(text);
    let _ = text.parse::<oci::Tag>();
    let _ = oci::MediaType::new(text).added_layer("gzip");
    let terms: Vec<&str> = text.split(',').collect();
    if let Ok(capabilities) = layer::Capabilities::parse(&terms) {
        let _ = capabilities.xattr();
    }
    if let Ok(matcher) = oci::PlatformMatcher::parse(&terms) {
        let platforms: Vec<oci::Platform> = terms.iter().filter_map(|it| it.parse().ok()).collect();
        platforms.iter().for_each(|platform| {
            let _ = matcher.matches(Some(platform));
            let _ = platform.nearest(&platforms);
        });
    }
    if let Ok(selector) = yaml::Selector::parse(text) {
        let _ = selector.matches(|key| (key.len() % 2 == 0).then(|| "1".to_owned()));
    }
    let _ = golang::ImportPath::parse(text);
    let _ = golang::Argument::parse(text);
    if let Some((_, rest)) = golang::unquote(text) {
        assert!(text.ends_with(rest));
    }
    let _ = text.parse::<shared_cache::CacheUrl>();
    let _ = text.parse::<shared_cache::Kind>();
    if let Ok(key) = text.parse::<shared_cache::PublicKey>() {
        assert!(shared_cache::PublicKey::verify(&[key], b"message", text).is_err());
    }
    let _ = text.parse::<shared_cache::SecretKey>();
    let _ = text.parse::<engine::registries::Prefix>();
    let _ = text.parse::<engine::registries::Location>();
    let _ = text.parse::<engine::BaseReference>();
});
