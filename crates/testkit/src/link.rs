//! A line between a client and a server that is slow, breaks, or spoils what passes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How much is read at a time, and how many such pieces are under way.
const PIECE: usize = 64 << 10;
const PIECES: usize = 256;

/// Nothing breaks.
const NEVER: i64 = i64::MAX;

/// A listener that hands all on to a server.
#[derive(Debug)]
pub struct Link {
    host: String,
    line: Arc<Line>,
}

#[derive(Debug)]
struct Line {
    server: String,
    /// How much later answers come, in microseconds.
    delay: AtomicU64,
    /// Bytes in a second, in each direction; 0 is no bound.
    rate: AtomicU64,
    /// Bytes until the line breaks.
    left: AtomicI64,
    /// Of answers, every byte of this number is another; 0 is none.
    spoil: AtomicU64,
    /// When each direction is free again.
    free: [Mutex<Instant>; 2],
    passed: [AtomicU64; 2],
    over: AtomicBool,
}

/// To the server, or from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    To = 0,
    From = 1,
}

impl Link {
    /// Listens on this machine for a server, `host:port`. Nothing is wrong at first.
    ///
    /// # Panics
    /// If there is no port to be had.
    #[must_use]
    pub fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of this machine");
        let host = listener.local_addr().expect("it listens").to_string();
        let line = Arc::new(Line {
            server: server.to_owned(),
            delay: AtomicU64::new(0),
            rate: AtomicU64::new(0),
            left: AtomicI64::new(NEVER),
            spoil: AtomicU64::new(0),
            free: [Mutex::new(Instant::now()), Mutex::new(Instant::now())],
            passed: [AtomicU64::new(0), AtomicU64::new(0)],
            over: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&line);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.over.load(Ordering::SeqCst) {
                    return;
                }
                if accepting.left.load(Ordering::SeqCst) > 0 {
                    let line = Arc::clone(&accepting);
                    thread::spawn(move || line.connect(client));
                }
            }
        });
        Self { host, line }
    }

    /// Where it listens.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// All is well again.
    pub fn mend(&self) {
        self.slow(Duration::ZERO, 0);
        self.line.left.store(NEVER, Ordering::SeqCst);
        self.spoil(0);
    }

    /// Answers come so much later, and so many bytes pass in a second (0: all).
    pub fn slow(&self, delay: Duration, rate: u64) {
        let delay = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.line.delay.store(delay, Ordering::SeqCst);
        self.line.rate.store(rate, Ordering::SeqCst);
    }

    /// It breaks after so many more bytes, and stays so.
    pub fn break_after(&self, bytes: u64) {
        let left = i64::try_from(bytes).unwrap_or(NEVER);
        self.line.left.store(left, Ordering::SeqCst);
    }

    /// Of so many bytes of answers, one is another (0: none is).
    pub fn spoil(&self, every: u64) {
        self.line.spoil.store(every, Ordering::SeqCst);
    }

    /// How many bytes have passed, to the server and from it.
    #[must_use]
    pub fn passed(&self) -> (u64, u64) {
        let [to, from] = &self.line.passed;
        (to.load(Ordering::SeqCst), from.load(Ordering::SeqCst))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.line.over.store(true, Ordering::SeqCst);
        // It hears of it when somebody comes.
        let _ = TcpStream::connect(&self.host);
    }
}

impl Line {
    fn connect(self: Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(&self.server) else { return };
        for end in [&client, &server] {
            let _ = end.set_nodelay(true);
        }
        let clones = (client.try_clone(), server.try_clone());
        let (Ok(client_too), Ok(server_too)) = clones else { return };
        self.carry(client_too, server, Direction::To);
        self.carry(server_too, client, Direction::From);
    }

    /// Carries one direction on threads of its own: what waits holds up nothing that
    /// comes after it.
    fn carry(self: &Arc<Self>, mut from: TcpStream, to: TcpStream, direction: Direction) {
        let (sender, pieces): (SyncSender<(Instant, Vec<u8>)>, _) = sync_channel(PIECES);
        thread::spawn(move || {
            let mut buffer = vec![0; PIECE];
            while let Ok(len @ 1..) = from.read(&mut buffer) {
                if sender.send((Instant::now(), buffer[..len].to_vec())).is_err() {
                    break;
                }
            }
        });
        let line = Arc::clone(self);
        thread::spawn(move || {
            let both = if line.deliver(&pieces, &to, direction) {
                Shutdown::Write
            } else {
                Shutdown::Both
            };
            let _ = to.shutdown(both);
        });
    }

    /// Whether all was handed on that came.
    fn deliver(
        &self,
        pieces: &Receiver<(Instant, Vec<u8>)>,
        mut to: &TcpStream,
        direction: Direction,
    ) -> bool {
        while let Ok((came, mut piece)) = pieces.recv() {
            if direction == Direction::From {
                wait_until(came + Duration::from_micros(self.delay.load(Ordering::SeqCst)));
                self.spoil_piece(&mut piece);
            }
            self.pace(piece.len(), direction);
            let len = i64::try_from(piece.len()).unwrap_or(NEVER);
            if self.left.load(Ordering::SeqCst) != NEVER
                && self.left.fetch_sub(len, Ordering::SeqCst) < len
            {
                return false;
            }
            self.passed[direction as usize].fetch_add(piece.len() as u64, Ordering::SeqCst);
            if to.write_all(&piece).is_err() {
                return false;
            }
        }
        true
    }

    fn spoil_piece(&self, piece: &mut [u8]) {
        let every = self.spoil.load(Ordering::SeqCst);
        if every == 0 {
            return;
        }
        let passed = self.passed[Direction::From as usize].load(Ordering::SeqCst);
        for (byte, at) in piece.iter_mut().zip(passed + 1..) {
            if at % every == 0 {
                *byte ^= 0x20;
            }
        }
    }

    fn pace(&self, len: usize, direction: Direction) {
        let rate = self.rate.load(Ordering::SeqCst);
        if rate == 0 {
            return;
        }
        let takes = Duration::from_secs_f64(len as f64 / rate as f64);
        let free = {
            let free = &self.free[direction as usize];
            let mut free = free.lock().unwrap_or_else(PoisonError::into_inner);
            *free = (*free).max(Instant::now()) + takes;
            *free
        };
        wait_until(free);
    }
}

fn wait_until(time: Instant) {
    let wait = time.saturating_duration_since(Instant::now());
    if !wait.is_zero() {
        thread::sleep(wait);
    }
}
