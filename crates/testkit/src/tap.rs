//! A tap on the socket of an engine: it counts what a client sends, and may do
//! something when the client asks for something.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::service::START;

type Hook = Arc<dyn Fn(&str) + Send + Sync>;

/// A tap. Its threads end with the process.
#[derive(Debug)]
pub struct Tap {
    dir: TempDir,
    sent: Arc<AtomicU64>,
}

impl Tap {
    /// On an engine's socket. `hook` is told of each request, by its first
    /// line, before the engine is.
    ///
    /// # Panics
    /// If there can be no socket.
    pub fn new(engine: &Path, hook: impl Fn(&str) + Send + Sync + 'static) -> Tap {
        let dir = TempDir::with_prefix("ko-tap-").expect("a temporary directory");
        let listener = UnixListener::bind(dir.path().join("socket")).expect("a new socket");
        let sent = Arc::new(AtomicU64::new(0));
        let (engine, hook, counter) = (engine.to_owned(), Arc::new(hook), Arc::clone(&sent));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                serve(client, &engine, Arc::clone(&hook) as Hook, Arc::clone(&counter));
            }
        });
        Tap { dir, sent }
    }

    /// Where clients of the engine have to connect.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    /// How many bytes were sent since this was last asked.
    pub fn sent(&self) -> u64 {
        self.sent.swap(0, Ordering::SeqCst)
    }
}

/// Connects with the engine. One that starts is waited for, as by the socket
/// that systemd keeps for Docker.
fn connect(engine: &Path) -> Option<UnixStream> {
    let deadline = Instant::now() + START;
    loop {
        match UnixStream::connect(engine) {
            Ok(server) => return Some(server),
            Err(_) if Instant::now() > deadline => return None,
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn serve(mut client: UnixStream, engine: &Path, hook: Hook, sent: Arc<AtomicU64>) {
    let Some(mut server) = connect(engine) else { return };
    let (Ok(mut answers), Ok(mut back)) = (server.try_clone(), client.try_clone()) else { return };
    thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = client.read(&mut buffer) {
            let start = &buffer[..read.min(200)];
            if let Some((line, _)) = String::from_utf8_lossy(start).split_once(" HTTP/1.1\r\n") {
                hook(line);
            }
            sent.fetch_add(read as u64, Ordering::SeqCst);
            if server.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Write);
    });
}
