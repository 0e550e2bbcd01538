//! Reaches container engines through ssh: the system's `ssh` runs the container
//! engine's own client there, which connects its stdin and stdout with the
//! socket. Keys, agents and hosts are thus configured as for ssh.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bollard::{BollardRequest, ClientVersion, Docker, errors::Error as ApiError};
use futures::FutureExt as _;
use futures::future::{BoxFuture, MaybeDone, maybe_done};
use golang::Environment;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;

use super::places::EngineKind;

/// How many tunnels there are at once: a server takes few newcomers at a time
/// (`sshd_config(5)`, `MaxStartups`).
const TUNNELS: usize = 4;

/// A machine behind ssh, and the socket there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshHost {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    /// The usual one without.
    socket: Option<String>,
}

impl SshHost {
    /// Reads what is behind `ssh://`: `[USER@]HOST[:PORT][/SOCKET]`.
    pub(super) fn parse(raw: &str) -> Result<Self, &'static str> {
        if raw.contains(['?', '#']) {
            return Err("it is not ssh://[USER@]HOST[:PORT][/SOCKET]");
        }
        let (authority, socket) = match raw.find('/') {
            Some(at) => raw.split_at(at),
            None => (raw, ""),
        };
        let (user, server) = match authority.rsplit_once('@') {
            Some((user, server)) => (Some(user), server),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err("ssh takes no passwords: use a key or an agent");
        }
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !server.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| "its port is no number")?))
            }
            _ => (server, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || user.is_some_and(str::is_empty) {
            return Err("it is not ssh://[USER@]HOST[:PORT][/SOCKET]");
        }
        Ok(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            socket: Some(socket).filter(|socket| socket.len() > 1).map(str::to_owned),
        })
    }

    /// The words for `ssh`, which runs the engine's client with further ones.
    fn arguments(&self, kind: EngineKind, client: &[&str]) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(user) = &self.user {
            arguments.extend(["-l".to_owned(), user.clone()]);
        }
        if let Some(port) = self.port {
            arguments.extend(["-p".to_owned(), port.to_string()]);
        }
        arguments.extend(["--".to_owned(), self.host.clone()]);
        let (program, flag) = match kind {
            EngineKind::Docker => ("docker", "--host"),
            EngineKind::Podman => ("podman", "--url"),
        };
        arguments.push(program.to_owned());
        if let Some(socket) = &self.socket {
            // A shell reads it there.
            let socket = socket.replace('\'', r"'\''");
            arguments.extend([flag.to_owned(), format!("'unix://{socket}'")]);
        }
        arguments.extend(client.iter().map(|&word| word.to_owned()));
        arguments
    }

    /// A command by which a user sees whether the engine is reached.
    pub(super) fn check(&self, kind: EngineKind) -> String {
        format!("ssh {}", self.arguments(kind, &["version"]).join(" "))
    }

    /// A client of the engine there. Nothing is started before it is used.
    pub(super) fn connect(
        &self,
        kind: EngineKind,
        environment: &Environment,
        timeout: u64,
        version: &ClientVersion,
    ) -> Result<Docker, ApiError> {
        let tunnels = Arc::new(Semaphore::new(TUNNELS));
        let quiet = ["-T", "-o", "ConnectTimeout=15"].map(str::to_owned);
        let arguments = [&quiet, &self.arguments(kind, &["system", "dial-stdio"])[..]].concat();
        let connector = Connector {
            arguments: arguments.into(),
            environment: Arc::new(environment.clone()),
            tunnels,
        };
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let transport = move |request: BollardRequest| {
            client.request(request).map(|answer| answer.map_err(ApiError::from))
        };
        // The engine is asked under a name, as every server is; any will do.
        Docker::connect_with_custom_transport(transport, Some("http://docker"), timeout, version)
    }
}

/// Makes tunnels.
#[derive(Debug, Clone)]
struct Connector {
    arguments: Arc<[String]>,
    environment: Arc<Environment>,
    tunnels: Arc<Semaphore>,
}

/// All addresses lie behind the same tunnel.
impl<Uri> Service<Uri> for Connector {
    type Response = TokioIo<Tunnel>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<Tunnel>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { arguments, environment, tunnels } = self.clone();
        async move {
            let permit = tunnels.acquire_owned().await.map_err(io::Error::other)?;
            Tunnel::open(&arguments, &environment, permit).map(TokioIo::new)
        }
        .boxed()
    }
}

/// A running `ssh`: what is written goes to the engine, and what is read comes
/// from it. It ends with the tunnel.
struct Tunnel {
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// What it said, if it came to no good end.
    end: MaybeDone<BoxFuture<'static, Option<String>>>,
    /// Whether anything was written. Who reads that it has ended before that takes the
    /// connection for one that was never there, and nobody hears what was said.
    is_used: bool,
    /// Who reads meanwhile.
    reader: Option<Waker>,
    _permit: OwnedSemaphorePermit,
}

impl Tunnel {
    fn open(
        arguments: &[String],
        environment: &Environment,
        permit: OwnedSemaphorePermit,
    ) -> io::Result<Self> {
        let mut ssh = Command::new("ssh");
        ssh.args(arguments)
            .env_clear()
            .envs(environment.iter())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = ssh
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("starting ssh: {error}")))?;
        let input = Some(child.stdin.take().expect("it is piped"));
        let output = child.stdout.take().expect("it is piped");
        let end = async move {
            let output = match child.wait_with_output().await {
                Ok(output) => output,
                Err(error) => return Some(error.to_string()),
            };
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let message = if message.is_empty() { output.status.to_string() } else { message };
            (!output.status.success()).then_some(message)
        };
        let end = maybe_done(end.boxed());
        Ok(Self { input, output, end, is_used: false, reader: None, _permit: permit })
    }

    /// What the end of the process says; there is no more to read or write.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input = None;
        ready!(self.end.poll_unpin(cx));
        let message = Pin::new(&mut self.end).output_mut().and_then(|message| message.as_ref());
        Poll::Ready(message.map_or(Ok(()), |message| Err(io::Error::other(message.clone()))))
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.output).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        if !self.is_used {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.poll_end(cx)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_used = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        if let Some(input) = &mut self.input {
            match ready!(Pin::new(input).poll_write(cx, bytes)) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                written => return Poll::Ready(written),
            }
        }
        ready!(self.poll_end(cx))?;
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().map_or(Poll::Ready(Ok(())), |input| Pin::new(input).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input = None;
        Poll::Ready(Ok(()))
    }
}

impl Connection for Tunnel {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn what_ssh_says_is_told_to_whoever_asks() {
        let dir = tempfile::tempdir().unwrap();
        let path = format!("{}:/usr/bin:/bin", dir.path().display());
        // By another process: a child of a test on another thread would inherit the open file.
        let script = r#"mkfifo alive && chmod 700 alive &&
printf '#!/bin/sh\nexec 9>"$1"\necho no way >&2\nexit 255\n' >ssh && chmod +x ssh"#;
        let mut shell = std::process::Command::new("sh");
        assert!(shell.args(["-c", script]).current_dir(&dir).status().unwrap().success());
        let environment = Environment::from_iter([("PATH", path.as_str())]);
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let alive = dir.path().join("alive");
        let words = [alive.display().to_string()];
        let tunnel = Tunnel::open(&words, &environment, permit).unwrap();
        let (mut reader, mut writer) = tokio::io::split(tunnel);
        let asked = AtomicBool::new(false);
        let read = async {
            let error = reader.read_u8().await.unwrap_err();
            assert!(asked.load(Ordering::Relaxed), "{error}");
            error.to_string()
        };
        let write = async {
            // ssh has ended, and the reader has had time to notice.
            let ended = tokio::task::spawn_blocking(|| std::fs::read(alive));
            assert!(ended.await.unwrap().unwrap().is_empty());
            for _ in 0..500 {
                tokio::task::spawn_blocking(|| ()).await.unwrap();
            }
            asked.store(true, Ordering::Relaxed);
            // What it says of that does not matter: the pipe may still be open.
            let _ = writer.write_all(b"GET").await;
        };
        assert_eq!(tokio::join!(read, write).0, "no way");
    }

    #[test]
    fn hosts_become_arguments_of_ssh() {
        for (raw, arguments) in [
            ("there", "-- there docker version"),
            ("there/", "-- there docker version"),
            ("me@there:2222", "-l me -p 2222 -- there docker version"),
            ("[::1]:22", "-p 22 -- ::1 docker version"),
            ("[::1]", "-- ::1 docker version"),
            ("there/it's.sock", r"-- there docker --host 'unix:///it'\''s.sock' version"),
        ] {
            let command = SshHost::parse(raw).unwrap().check(EngineKind::Docker);
            assert_eq!(command, format!("ssh {arguments}"), "{raw}");
        }
        let podman = SshHost::parse("core@there:5/run/podman.sock").unwrap();
        let command = "ssh -l core -p 5 -- there podman --url 'unix:///run/podman.sock' version";
        assert_eq!(podman.check(EngineKind::Podman), command);
        for raw in ["", "@there", "me@", "me:secret@there", "there:port", "there?x", "there#x"] {
            assert!(SshHost::parse(raw).is_err(), "{raw}");
        }
    }
}
