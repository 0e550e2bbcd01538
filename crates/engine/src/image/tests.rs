use oci::DiffId;

use super::*;

fn layer(content: &[u8]) -> Layer {
    Layer {
        digest: Digest::of(content),
        size: content.len() as u64,
        diff_id: DiffId::new(Digest::of(content)),
        encoding: layer::Encoding::Gzip,
        toc: None,
    }
}

fn base(config: &str, dialect: (&str, &str)) -> BaseImage {
    let (media_type, config_type) = dialect;
    let config_bytes = config.as_bytes();
    let mut manifest = empty_manifest(config_bytes);
    manifest.media_type = Some(media_type.into());
    manifest.config = Descriptor::of(config_type.into(), config_bytes);
    manifest.subject = Some(Descriptor::of(MediaType::OCI_MANIFEST.into(), b"about"));
    manifest.annotations.insert("of".to_owned(), "the base".to_owned());
    BaseImage::for_tests(manifest, ImageConfig::parse(config_bytes).unwrap(), "r.io/base:latest")
}

const DOCKER: (&str, &str) = (MediaType::DOCKER_MANIFEST, MediaType::DOCKER_CONFIG);
const OCI: (&str, &str) = (MediaType::OCI_MANIFEST, MediaType::OCI_CONFIG);
const LINUX: &str = r#"{"architecture":"amd64","os":"linux","created":"0001-01-01T00:00:00Z","history":[{"created":"0001-01-01T00:00:00Z"}],"rootfs":{"type":"layers","diff_ids":[]},"config":{"Env":["PATH=/usr/bin:/bin"],"Labels":{"base":"1"},"User":"65532","Cmd":["x"]}}"#;

fn made(base: &BaseImage, options: &ImageOptions) -> Image {
    let (kodata, binary) = (layer(b"kodata"), layer(b"binary"));
    let added = Added {
        import_path: "example.com/App/cmd/foo",
        name: "foo",
        kodata: vec![&kodata],
        files: None,
        binary: &binary,
        others: Vec::new(),
        debugger: None,
        program: None,
        settings: None,
    };
    let settings = ImageSettings::default();
    assemble(base, &added, Wanted { settings: &settings, run: options })
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_config_is_ko_s_to_the_byte() {
    let image = made(&base(LINUX, DOCKER), &ImageOptions::default());
    let (kodata, binary) = (Digest::of(b"kodata"), Digest::of(b"binary"));
    assert_eq!(
        text(&image.config),
        format!(
            r#"{{"architecture":"amd64","author":"github.com/ko-build/ko","created":"0001-01-01T00:00:00Z","history":[{{"created":"0001-01-01T00:00:00Z"}},{{"author":"ko","created":"0001-01-01T00:00:00Z","created_by":"ko build ko://example.com/App/cmd/foo","comment":"kodata contents, at $KO_DATA_PATH"}},{{"author":"ko","created":"0001-01-01T00:00:00Z","created_by":"ko build ko://example.com/App/cmd/foo","comment":"go build output, at /ko-app/foo"}}],"os":"linux","rootfs":{{"type":"layers","diff_ids":["{kodata}","{binary}"]}},"config":{{"Entrypoint":["/ko-app/foo"],"Env":["PATH=/usr/bin:/bin:/ko-app","KO_DATA_PATH=/var/run/ko"],"Labels":{{"base":"1"}},"User":"65532"}}}}"#
        )
    );
}

#[test]
fn a_manifest_keeps_the_dialect_of_its_base_and_names_it() {
    let image = made(&base(LINUX, DOCKER), &ImageOptions::default());
    let manifest = Manifest::parse(&image.manifest).unwrap();
    assert_eq!(image.digest, Digest::of(&image.manifest));
    assert_eq!(manifest.config, image.config_descriptor);
    assert!(manifest.layers.iter().all(|layer| layer.media_type == *MediaType::DOCKER_LAYER_GZIP));
    assert_eq!(manifest.subject, None);
    assert_eq!(manifest.annotations["of"], "the base");
    assert_eq!(manifest.annotations[BASE_NAME], "r.io/base:latest");

    let image = made(&base(LINUX, OCI), &ImageOptions::default());
    let manifest = Manifest::parse(&image.manifest).unwrap();
    assert!(manifest.layers.iter().all(|layer| layer.media_type == *MediaType::OCI_LAYER_GZIP));
}

#[test]
fn what_the_user_wants_is_merged_over_the_base() {
    let options = ImageOptions {
        labels: BTreeMap::from([("base".into(), "2".into()), ("a".into(), "b".into())]),
        annotations: BTreeMap::from([
            ("of".into(), "mine".into()),
            (BASE_NAME.into(), "lie".into()),
        ]),
        user: Some("1000".into()),
        created: oci::Timestamp::from_epoch(1000),
        kodata_created: Some((2000, oci::Timestamp::from_epoch(2000).unwrap())),
    };
    let image = made(&base(LINUX, OCI), &options);
    let config = ImageConfig::parse(&image.config).unwrap();
    assert_eq!(config.created.as_str(), "1970-01-01T00:16:40Z");
    assert_eq!(config.history[1].created.as_str(), "1970-01-01T00:33:20Z");
    assert_eq!(config.history[2].created.as_str(), "1970-01-01T00:16:40Z");
    assert_eq!((config.config.user.as_str(), config.config.labels["base"].as_str()), ("1000", "2"));
    let manifest = Manifest::parse(&image.manifest).unwrap();
    assert_eq!(manifest.annotations["of"], "mine");
    assert_eq!(manifest.annotations[BASE_NAME], "r.io/base:latest");
}

#[test]
fn windows_has_its_own_paths() {
    let windows =
        r#"{"architecture":"amd64","os":"windows","os.version":"10.0.17763.1234","config":{}}"#;
    let image = made(&base(windows, OCI), &ImageOptions::default());
    let config = text(&image.config);
    assert!(config.contains(
        r#""Entrypoint":["C:\\ko-app\\foo"],"Env":["PATH=C:\\ko-app","KO_DATA_PATH=C:\\var\\run\\ko"]"#
    ));
    assert!(config.contains(r#""os.version":"10.0.17763.1234""#));
    assert!(config.contains("go build output, at /ko-app/foo"));
}

#[test]
fn an_index_carries_descriptors_of_its_base_over() {
    let image = made(&base(LINUX, OCI), &ImageOptions::default());
    let mut from = Descriptor::of(MediaType::OCI_MANIFEST.into(), b"base");
    from.platform = Some("linux/arm64/v8".parse().unwrap());
    from.annotations.insert("of".into(), "the entry".into());
    let named = Some(("r.io/base:latest", Digest::of(b"index")));
    let media_type = MediaType::from(MediaType::OCI_INDEX);
    let artifact = assemble_index(
        &media_type,
        named,
        vec![(from, image.clone())],
        Wanted { settings: &ImageSettings::default(), run: &ImageOptions::default() },
    );
    let (_, bytes) = artifact.top();
    assert_eq!(
        text(bytes),
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":{},"digest":"{}","annotations":{{"of":"the entry"}},"platform":{{"architecture":"arm64","os":"linux","variant":"v8"}},"artifactType":"application/vnd.oci.image.config.v1+json"}}],"annotations":{{"org.opencontainers.image.base.digest":"{}","org.opencontainers.image.base.name":"r.io/base:latest"}}}}"#,
            image.manifest.len(),
            image.digest,
            Digest::of(b"index"),
        )
    );
}
