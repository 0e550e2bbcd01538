//! Tests of what the configuration says of compression and of registries.

use super::*;

#[test]
fn a_compression_brings_its_level_along() {
    let file =
        |method: &str, level: &str| format!("compression: {method}\ncompressionLevel: {level}\n");
    let estargz = ("GGCR_EXPERIMENT_ESTARGZ", "1");
    for (text, variables, want) in [
        (String::new(), &[][..], "gzip - default"),
        (file("zstd", ""), &[], "zstd - .ko.yaml:1"),
        (file("zstd", "'19'"), &[], "zstd 19 .ko.yaml:1"),
        (file("''", "9"), &[], "gzip 9 default"),
        (file("zstd", "19"), &[("KO_COMPRESSION", "none")], "none - KO_COMPRESSION"),
        (file("zstd", "19"), &[("KO_COMPRESSIONLEVEL", "1")], "zstd 1 .ko.yaml:1"),
        (file("zstd", "19"), &[estargz], "estargz - GGCR_EXPERIMENT_ESTARGZ"),
        (file("zstd", "19"), &[("GGCR_EXPERIMENT_ESTARGZ", "0")], "zstd 19 .ko.yaml:1"),
        (String::new(), &[estargz, ("KO_COMPRESSION", "gzip")], "gzip - KO_COMPRESSION"),
        (
            String::new(),
            &[estargz, ("KO_COMPRESSIONLEVEL", "6")],
            "estargz 6 GGCR_EXPERIMENT_ESTARGZ",
        ),
    ] {
        let Compression { method, level } =
            config(Format::Yaml, &text, variables).unwrap().compression;
        let level = level.map_or_else(|| "-".to_owned(), |level| level.value);
        assert_eq!(format!("{} {level} {}", method.value, method.origin), want, "{text}");
    }
}

#[test]
fn a_compression_that_there_is_not_is_told_where_it_was_given() {
    let error = |text: &str, variables: &[(&str, &str)]| {
        let error = config(Format::Yaml, text, variables).unwrap().compression.parse();
        let error = error.unwrap_err();
        let hint = error.hint_text().unwrap_or_default();
        format!("{} {hint}", error.message().lines().next().unwrap())
    };
    let hint = "the value is that of the variable";
    let methods = "there are gzip, estargz, zstd and none";
    for (text, variables, want) in [
        (
            "compression: GZIP",
            &[][..],
            format!("'compression': unknown compression \"GZIP\": {methods} did you mean gzip?"),
        ),
        (
            "",
            &[("KO_COMPRESSION", "xz")],
            format!("'compression': unknown compression \"xz\": {methods} {hint} KO_COMPRESSION"),
        ),
        (
            "compressionLevel: fast",
            &[],
            "'compressionLevel': expected a whole number, got \"fast\" ".to_owned(),
        ),
        (
            "compressionLevel: 1.5",
            &[],
            "'compressionLevel': expected a whole number, got \"1.5\" ".to_owned(),
        ),
        (
            "compression: none\ncompressionLevel: 1",
            &[],
            "'compressionLevel': a level of compression was given, and none has none ".to_owned(),
        ),
        (
            "",
            &[("KO_COMPRESSIONLEVEL", "10")],
            format!(
                "'compressionLevel': gzip has no level 10: its levels are 1 to 9 {hint} KO_COMPRESSIONLEVEL"
            ),
        ),
    ] {
        assert_eq!(error(text, variables), want);
    }
}

/// What is said of one registry, or why it cannot be.
fn registry(text: &str) -> std::result::Result<String, String> {
    let text = format!("registries:\n  r.example:5000: {text}\n");
    let read = config(Format::Yaml, &text, &[]).and_then(|config| {
        config.registries(&RegistriesConfPlaces::default(), Vec::new(), Path::new("/w"))?;
        let settings = config.registries.iter().map(|registry| registry.settings(Path::new("/w")));
        settings.collect::<Result<Vec<_>>>()
    });
    let said = read.map_err(|error| error.message().to_owned())?;
    let said = said.iter().map(|(registry, settings)| {
        let engine::registries::RegistrySettings {
            http,
            skip_verify,
            authorities,
            identity,
            mirrors,
            max_requests,
        } = settings;
        let file = |file: &engine::registries::TlsFile| format!("{file:?}");
        format!(
            "{registry} {http:?} {skip_verify:?} {:?} {:?} {:?} {max_requests:?}",
            authorities.as_ref().map(file),
            identity.as_ref().map(|identity| file(&identity.key)),
            mirrors.as_ref().map(Vec::len),
        )
    });
    Ok(said.collect())
}

#[test]
fn registries_are_typed() {
    let nothing = "r.example:5000 None None None None None None";
    for (text, want) in [
        ("{}", nothing.to_owned()),
        ("~", String::new()),
        ("{http: true}", nothing.replacen("None", "Some(Only)", 1)),
        ("{HTTP: never, skipverify: 'true'}", {
            nothing.replacen("None None", "Some(Never) Some(true)", 1)
        }),
        ("{mirrors: m.example/a m.example, maxConcurrent: 8}", {
            nothing.replacen(
                "None None None None None None",
                "None None None None Some(2) Some(8)",
                1,
            )
        }),
        (
            "{mirrors: []}",
            nothing.replacen("None None None None None", "None None None None Some(0)", 1),
        ),
    ] {
        assert_eq!(registry(text).unwrap(), want, "{text}");
    }
    let files = registry("{caFile: ca.pem, certFile: /a.pem, keyFile: k.pem}").unwrap();
    for part in ["/w/ca.pem", "registries.r.example:5000.caFile, .ko.yaml:2", "/w/k.pem"] {
        assert!(files.contains(part), "{files}");
    }
    for (text, want) in [
        ("true", "'registries.r.example:5000' expected a map of settings, got a boolean"),
        (
            "{http: yes}",
            "'registries.r.example:5000.http' expected never, allow or only, got \"yes\"",
        ),
        ("{http: []}", "'registries.r.example:5000.http' expected a string, got a list"),
        ("{skipVerify: 1}", "skipVerify' expected true or false, got \"1\""),
        ("{maxConcurrent: 0}", "maxConcurrent' expected a number from 1 to 1000, got \"0\""),
        ("{certFile: a}", "'registries.r.example:5000.certFile' needs keyFile"),
        ("{keyFile: a}", "'registries.r.example:5000.keyFile' needs certFile"),
        ("{mirrors: [m.example, 'https://m.example']}", "mirrors': \"https://m.example\" is a URL"),
        ("{mirrors: hub/library}", "mirrors': \"hub/library\" names no registry"),
        ("{mirrors: {a: b}}", "mirrors' expected a list or a string, got a map"),
        ("{}\n  R.Example:5000: {}", "stands at .ko.yaml:2 already"),
        ("{}\n  bad/host: {}", "'registries': registries must be valid RFC 3986"),
    ] {
        let message = registry(text).unwrap_err();
        assert!(message.contains(want) && message.contains("--> .ko.yaml:"), "{text}: {message}");
    }
    let typo = yaml("registries: {r.example: {mirror: a}}");
    assert!(typo.warning().unwrap().ends_with("mirror (did you mean mirrors?)"));
}
