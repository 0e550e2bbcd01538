//! A way to a registry on which one connection breaks in the middle of a body.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// What a connection may send before it breaks, which the first one does that sends
/// more.
const ALLOWED: usize = 2_000_000;

/// Returns where the way begins. It ends with the process.
pub(super) fn start(upstream: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (upstream, cut) = (upstream.to_owned(), Arc::new(AtomicBool::new(false)));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&upstream).unwrap();
            let ends = || (client.try_clone().unwrap(), server.try_clone().unwrap());
            let ((mut from, mut to), (mut asker, mut answerer)) = (ends(), ends());
            let cut = Arc::clone(&cut);
            thread::spawn(move || {
                let _ = forward(&mut from, &mut to, &cut);
                let _ = to.shutdown(Shutdown::Both);
                let _ = from.shutdown(Shutdown::Both);
            });
            thread::spawn(move || {
                let _ = io::copy(&mut answerer, &mut asker);
                let _ = asker.shutdown(Shutdown::Both);
            });
        }
    });
    host
}

fn forward(from: &mut TcpStream, to: &mut TcpStream, cut: &AtomicBool) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut sent = 0;
    loop {
        let read = from.read(&mut buffer)?;
        sent += read;
        if read == 0 || (sent > ALLOWED && !cut.swap(true, Ordering::Relaxed)) {
            return Ok(());
        }
        to.write_all(&buffer[..read])?;
    }
}
