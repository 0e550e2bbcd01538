//! Docker's API over containerd's store of images, which is its default since
//! Docker 29, as far as loading images needs it. Each answer is that of Docker
//! 28.5.2 with `containerd-snapshotter`: an image is known by the digest of its
//! manifest; nobody misses a layer that is not in an image layout; and of an
//! archive of `docker save` a new manifest is made.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sha256;

/// A store without images. Its thread ends with the process.
#[derive(Debug)]
pub struct ImageStore {
    dir: TempDir,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State(Mutex<Contents>);

#[derive(Debug, Default)]
struct Contents {
    /// The names of each image.
    images: BTreeMap<String, BTreeSet<String>>,
    /// The members of each archive that was loaded.
    loaded: Vec<Vec<String>>,
}

impl ImageStore {
    /// Starts one.
    ///
    /// # Panics
    /// If there can be no socket.
    #[must_use]
    pub fn start() -> ImageStore {
        let dir = TempDir::with_prefix("ko-store-").expect("a temporary directory");
        let listener = UnixListener::bind(dir.path().join("socket")).expect("a new socket");
        listener.set_nonblocking(true).expect("a socket of ours");
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        std::thread::spawn(move || runtime.block_on(accept(listener, shared)));
        ImageStore { dir, state }
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    /// The names of each image, by its id.
    #[must_use]
    pub fn images(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.state.contents().images.clone()
    }

    /// The members of the archives that were loaded since this was last asked.
    #[must_use]
    pub fn loaded(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.state.contents().loaded)
    }

    /// Takes a name from an image; it stays under its others.
    pub fn untag(&self, name: &str) {
        for names in self.state.contents().images.values_mut() {
            let _ = names.remove(name);
        }
    }
}

async fn accept(listener: UnixListener, state: Arc<State>) {
    let listener = tokio::net::UnixListener::from_std(listener).expect("it is non-blocking");
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let service = service_fn(move |request| Arc::clone(&state).serve(request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

impl State {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let path = head.uri.path().replace("%3A", ":").replace("%2F", "/");
        // The version of the API comes first.
        let path = match path.strip_prefix("/v1.").and_then(|path| path.split_once('/')) {
            Some((_, path)) => path,
            None => path.trim_start_matches('/'),
        };
        let (status, answer) = self.answer(path, &query, &body).unwrap_or((404, json!({})));
        let answer = Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(Full::from(answer.to_string()));
        Ok(answer.expect("a status and a type"))
    }

    fn answer(
        &self,
        path: &str,
        query: &BTreeMap<String, String>,
        body: &[u8],
    ) -> Option<(u16, Value)> {
        let mut contents = self.contents();
        match path {
            "version" => {
                let (os, arch) = ("linux", "amd64");
                Some((
                    200,
                    json!({"Version": "28.5.2", "ApiVersion": "1.51", "Os": os, "Arch": arch}),
                ))
            }
            "info" => {
                let store = ["driver-type", "io.containerd.snapshotter.v1"];
                Some((200, json!({"Driver": "overlayfs", "DriverStatus": [store]})))
            }
            "images/json" => {
                let images = contents.images.iter();
                let image = |(id, names)| json!({"Id": id, "RepoTags": names});
                Some((200, images.map(image).collect()))
            }
            "images/load" => {
                contents.load(body).expect("an archive");
                Some((200, json!({"stream": "Loaded image"})))
            }
            path => {
                let (name, action) = path.strip_prefix("images/")?.rsplit_once('/')?;
                let mut images = contents.images.iter_mut();
                let (id, names) = images.find(|(id, names)| *id == name || names.contains(name))?;
                if action == "tag" {
                    names.insert(format!("{}:{}", query.get("repo")?, query.get("tag")?));
                    return Some((201, Value::Null));
                }
                Some((200, json!({"Id": id, "RepoTags": names, "RootFS": {"Type": "layers"}})))
            }
        }
    }
}

impl Contents {
    fn load(&mut self, archive: &[u8]) -> io::Result<()> {
        let (mut members, mut index) = (Vec::new(), None);
        for entry in tar::Archive::new(archive).entries()? {
            let entry = entry?;
            let path = entry.path()?.display().to_string();
            if matches!(&*path, "index.json" | "manifest.json") {
                index = Some((path == "index.json", serde_json::from_reader::<_, Value>(entry)?));
            }
            members.push(path);
        }
        self.loaded.push(members);
        let (is_layout, index) = index.ok_or(io::ErrorKind::InvalidData)?;
        let (id, name) = if is_layout {
            let manifest = &index["manifests"][0];
            let name = &manifest["annotations"]["io.containerd.image.name"];
            (manifest["digest"].clone(), name.clone())
        } else {
            let made = sha256(index.to_string().as_bytes());
            (made.into(), index[0]["RepoTags"][0].clone())
        };
        let (Value::String(id), Value::String(name)) = (id, name) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        for names in self.images.values_mut() {
            let _ = names.remove(&name);
        }
        self.images.entry(id).or_default().insert(name);
        Ok(())
    }
}
