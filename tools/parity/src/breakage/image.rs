//! Mistakes in images, indexes and layouts, and in what is printed of them.

use super::{Breakage, breakage};
use crate::edit::Broken;
use serde_json::{Value, json};

const IMAGE: &str = "breakage/image";
const INDEX: &str = "breakage/index";
const TAGS: &str = "name/tags-several";
const REFS: &str = "publish/image-refs-index";
const LAYOUT: &str = "publish/layout-and-push";
const FAILURE: &str = "failure/not-main";

/// The mistakes.
pub(super) const ALL: &[Breakage] = &[
    breakage("mode of the binary 0755", IMAGE, "/ko-app/web: mode", |broken| {
        broken.image(|parts| parts.header("/ko-app/web", |header| header.set_mode(0o755)));
    }),
    breakage("uid of a kodata file 1000", IMAGE, "nested/deep/file.txt: uid", |broken| {
        let name = "/var/run/ko/nested/deep/file.txt";
        broken.image(|parts| parts.header(name, |header| header.set_uid(1000)));
    }),
    breakage("gid of a directory 1000", IMAGE, "/var/run: gid", |broken| {
        broken.image(|parts| parts.header("/var/run", |header| header.set_gid(1000)));
    }),
    breakage("mtime of the binary 1", IMAGE, "/ko-app/web: mtime", |broken| {
        broken.image(|parts| parts.header("/ko-app/web", |header| header.set_mtime(1)));
    }),
    breakage("user name in a header", IMAGE, "/ko-app/web: uname", |broken| {
        broken.image(|parts| {
            parts.header("/ko-app/web", |header| {
                let ustar = header.as_ustar_mut().expect("the header is a ustar one");
                ustar.set_username("root").expect("it fits");
            });
        });
    }),
    breakage("no entry for a directory", IMAGE, "/var/run/ko/nested: only in ko's", |broken| {
        broken.image(|parts| parts.remove_entry("/var/run/ko/nested"));
    }),
    breakage("no entry for an empty directory", IMAGE, "/var/run/ko/empty: only in", |broken| {
        broken.image(|parts| parts.remove_entry("/var/run/ko/empty"));
    }),
    breakage("binary without leading slash", IMAGE, "ko-app/web: only in ours", |broken| {
        broken.image(|parts| {
            parts.header("/ko-app/web", |header| {
                header.as_mut_bytes()[..12].copy_from_slice(b"ko-app/web\0\0");
            });
        });
    }),
    breakage("directory with trailing slash", IMAGE, "ko-app/: only in ours", |broken| {
        broken.image(|parts| {
            parts.header("ko-app", |header| header.as_mut_bytes()[6] = b'/');
        });
    }),
    breakage("a byte of the binary", IMAGE, "/ko-app/web: content", |broken| {
        broken.image(|parts| {
            let layer = parts.layers.last_mut().expect("the binary has a layer");
            let (_, content) = layer.entries.last_mut().expect("the binary is in it");
            content[5000] ^= 1;
        });
    }),
    breakage("entries in another order", IMAGE, "order: ko", |broken| {
        broken.image(|parts| {
            let entries = &mut parts.layers[0].entries;
            let last = entries.len() - 1;
            entries.swap(last - 1, last);
        });
    }),
    breakage("tar padded to 10240 bytes", IMAGE, "layers[1]/digest", |broken| {
        broken.image(|parts| parts.layers[0].end.resize(10240, 0));
    }),
    breakage("no history for a layer", IMAGE, "config shape", |broken| {
        broken.image(|parts| {
            parts.config["history"].as_array_mut().expect("there is history").pop();
        });
    }),
    breakage("another history comment", IMAGE, "config history[3]/comment", |broken| {
        broken.image(|parts| parts.config["history"][3]["comment"] = json!("go build output"));
    }),
    breakage("another history time", IMAGE, "config history[2]/created", |broken| {
        broken.image(|parts| parts.config["history"][2]["created"] = json!("1970-01-01T00:00:00Z"));
    }),
    breakage("creation time of now", IMAGE, "config created", |broken| {
        broken.image(|parts| parts.config["created"] = json!("2026-01-02T03:04:05Z"));
    }),
    breakage("values of two labels swapped", IMAGE, "config config/Labels/", |broken| {
        broken.image(|parts| {
            let labels = &mut parts.config["config"]["Labels"];
            let first = labels["first"].take();
            labels["first"] = labels["second"].take();
            labels["second"] = first;
        });
    }),
    breakage("a variable of the base dropped", IMAGE, "config shape", |broken| {
        broken.image(|parts| {
            env(&mut parts.config).retain(|entry| entry != "BASE=1");
        });
    }),
    breakage("PATH not extended", IMAGE, "config config/Env[0]", |broken| {
        broken.image(|parts| env(&mut parts.config)[0] = json!("PATH=/usr/bin:/bin"));
    }),
    breakage("no KO_DATA_PATH", IMAGE, "config shape", |broken| {
        broken.image(|parts| drop(env(&mut parts.config).pop()));
    }),
    breakage("the base's user instead of ours", IMAGE, "config config/User", |broken| {
        broken.image(|parts| parts.config["config"]["User"] = json!("65532"));
    }),
    breakage("the base's Cmd kept", IMAGE, "config shape", |broken| {
        broken.image(|parts| parts.config["config"]["Cmd"] = json!(["sh"]));
    }),
    breakage("a diff_id that is not the layer's", IMAGE, "layers[2]/digest", |broken| {
        broken.image(|parts| {
            let ids = &mut parts.config["rootfs"]["diff_ids"];
            ids[2] = ids[1].clone();
        });
    }),
    breakage("keys of the config in another order", IMAGE, "config shape", |broken| {
        broken.config_text(|text| move_to_end(&text, "author"));
    }),
    breakage("keys of the manifest in another order", IMAGE, "web:latest shape", |broken| {
        broken.root_text(|text| move_to_end(&text, "config"));
    }),
    breakage("white space in the manifest", IMAGE, "web:latest shape", |broken| {
        broken.root_text(|text| text + "\n");
    }),
    breakage("media type of a layer", IMAGE, "layers[2]/mediaType", |broken| {
        broken.root(|root| {
            let media_type = "application/vnd.docker.image.rootfs.diff.tar.gzip";
            root["layers"][2]["mediaType"] = json!(media_type);
        });
    }),
    breakage("size of a layer", IMAGE, "layers[2]/size", |broken| {
        broken.root(|root| root["layers"][2]["size"] = json!(1));
    }),
    breakage("a user's annotation lost", IMAGE, "web:latest shape", |broken| {
        broken.root(|root| {
            let annotations = root["annotations"].as_object_mut();
            annotations.expect("there are annotations").shift_remove("note");
        });
    }),
    breakage("base.name without a tag", IMAGE, "image.base.name", |broken| {
        let name = format!("{}/base", broken.scene.registry.host());
        broken.root(|root| root["annotations"]["org.opencontainers.image.base.name"] = json!(name));
    }),
    breakage("base.digest of the index on an image", INDEX, "image.base.digest", |broken| {
        let index = broken.manifest(&broken.tag)["annotations"].clone();
        broken.image(|parts| parts.manifest["annotations"] = index);
    }),
    breakage("no variant in a platform of the index", INDEX, "out:latest shape", |broken| {
        broken.root(|root| {
            let platform = root["manifests"][2]["platform"].as_object_mut();
            platform.expect("there is a platform").shift_remove("variant");
        });
    }),
    breakage("no artifactType in the index", INDEX, "out:latest shape", |broken| {
        broken.root(|root| {
            let child = root["manifests"][0].as_object_mut();
            child.expect("there is an image").shift_remove("artifactType");
        });
    }),
    breakage(
        "images of the index swapped",
        INDEX,
        "manifests[0]/platform/architecture",
        |broken| {
            broken.root(|root| {
                root["manifests"].as_array_mut().expect("it is an index").swap(0, 1);
            });
        },
    ),
    breakage("an image of the index missing", INDEX, "out:latest shape", |broken| {
        broken.root(|root| drop(root["manifests"].as_array_mut().expect("it is an index").pop()));
    }),
    breakage("mode of a binary of one platform", INDEX, "/ko-app/web: mode", |broken| {
        broken.image(|parts| parts.header("/ko-app/web", |header| header.set_mode(0o755)));
    }),
    breakage("ko's wrong base.digest again", INDEX, "out:latest annotations", |broken| {
        let digest = testkit::sha256(b"nowhere");
        broken.root(|root| {
            root["annotations"]["org.opencontainers.image.base.digest"] = json!(digest);
        });
    }),
    breakage("one more tag", IMAGE, "tags out/", |broken| {
        add_tag(broken, "extra");
    }),
    breakage("a tag on another image", TAGS, "image out/", |broken| {
        let tag = std::mem::replace(&mut broken.tag, "v2".to_owned());
        broken.root(|root| root["annotations"]["moved"] = json!(tag));
    }),
    breakage("the reference printed with a tag", IMAGE, "stdout", |broken| {
        broken.run.stdout = broken.run.stdout.replace("@sha256:", ":latest@sha256:");
    }),
    breakage("a digest printed that is not the image's", IMAGE, "stdout", |broken| {
        let (name, _) = broken.run.stdout.split_once('@').unwrap_or_default();
        broken.run.stdout = format!("{name}@{}\n", testkit::sha256(b"another"));
    }),
    breakage("the digest of a child printed", INDEX, "stdout", |broken| {
        let child = broken.manifest(&broken.tag)["manifests"][0]["digest"].clone();
        let (name, _) = broken.run.stdout.split_once('@').unwrap_or_default();
        broken.run.stdout = format!("{name}@{}\n", child.as_str().unwrap_or_default());
    }),
    breakage("nothing printed", IMAGE, "stdout", |broken| broken.run.stdout.clear()),
    breakage("exit code 1 after success", IMAGE, "exit code", |broken| broken.run.code = Some(1)),
    breakage("exit code 0 after failure", FAILURE, "exit code", |broken| {
        broken.run.code = Some(0);
    }),
    breakage("exit code 2", FAILURE, "exit code", |broken| broken.run.code = Some(2)),
    breakage("another message", FAILURE, "error ", |broken| {
        broken.run.stderr = "Error: something went wrong\n".to_owned();
    }),
    breakage("the line `Using base` missing", IMAGE, "stderr Using base", |broken| {
        broken.run.stderr = broken.run.stderr.replace("Using base", "using base");
    }),
    breakage("a child missing from --image-refs", REFS, "file refs.txt", |broken| {
        let refs = broken.run.files.get_mut("refs.txt").expect("the case writes it");
        let end = refs.iter().rposition(|&byte| byte == b'@').unwrap_or_default();
        refs.truncate(end);
    }),
    breakage(
        "index.json of the layout compact",
        LAYOUT,
        "file layout/index.json shape",
        |broken| {
            let index = broken.run.files.get_mut("layout/index.json").expect("the case writes it");
            let value: Value = serde_json::from_slice(index).expect("it is JSON");
            *index = value.to_string().into_bytes();
        },
    ),
    breakage("a blob missing from the layout", LAYOUT, "file layout/blobs/", |broken| {
        let blob = broken.run.files.keys().find(|path| path.contains("/blobs/")).cloned();
        broken.run.files.remove(&blob.expect("the case writes blobs"));
    }),
    breakage("a stray file", IMAGE, "file sbom.json", |broken| {
        broken.run.files.insert("sbom.json".to_owned(), b"{}".to_vec());
    }),
];

fn env(config: &mut Value) -> &mut Vec<Value> {
    config["config"]["Env"].as_array_mut().expect("there are variables")
}

/// Moves a key of the outermost object to its end.
fn move_to_end(text: &str, key: &str) -> String {
    let mut value: Value = serde_json::from_str(text).expect("it is JSON");
    let object = value.as_object_mut().expect("it is an object");
    let moved = object.shift_remove(key).expect("the key is there");
    object.insert(key.to_owned(), moved);
    value.to_string()
}

fn add_tag(broken: &Broken<'_>, tag: &str) {
    let registry = broken.scene.registry;
    let manifest = registry.manifest(&broken.repository, &broken.tag).expect("it was pushed");
    registry.put_manifest(&broken.repository, tag, &manifest.media_type, manifest.bytes);
}
