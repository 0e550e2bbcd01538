//! A server that plays all servers of a cloud: as a proxy it answers for every
//! host of https, with a certificate of its own for each, and directly in http.
//! A function gives the answers, and all requests are kept.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Scheme, host and path.
    pub url: String,
    /// The query, as it came.
    pub query: String,
    /// Headers, their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Request {
    /// A header; empty if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The fields of the body, a form.
    #[must_use]
    pub fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    /// The parameters of the query.
    #[must_use]
    pub fn parameters(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: String,
    body: String,
    cut: Cut,
}

/// Where the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Never,
    BeforeIt,
    InTheBody,
}

impl Reply {
    /// An answer with a body.
    #[must_use]
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: String::new(), body: body.into(), cut: Cut::Never }
    }

    /// A good one, in JSON.
    #[must_use]
    pub fn json(value: &serde_json::Value) -> Self {
        Self::new(200, value.to_string())
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// None: the connection ends when the request is read.
    #[must_use]
    pub fn none() -> Self {
        Self { cut: Cut::BeforeIt, ..Self::new(200, "") }
    }

    /// The connection ends in the middle of the body.
    #[must_use]
    pub fn half(self) -> Self {
        Self { cut: Cut::InTheBody, ..self }
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    requests: Mutex<Vec<Request>>,
    issuer: Issuer<'static, KeyPair>,
}

/// The server. Its threads end with the process.
pub struct Cloud {
    port: u16,
    certificate: String,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cloud({})", self.port)
    }
}

impl Cloud {
    /// Starts a server.
    ///
    /// # Panics
    /// If there can be no socket.
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let mut params = CertificateParams::new([]).expect("no names, no bad names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("the default algorithm is supported");
        let certificate = params.self_signed(&key).expect("the key fits the algorithm").pem();
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            requests: Mutex::default(),
            issuer: Issuer::new(params, key),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                // A client that goes away ends its thread.
                thread::spawn(move || server.serve(client));
            }
        });
        Self { port, certificate, shared }
    }

    /// Where it is, as a proxy and in http.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The certificate of its authority, as PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().expect("no holder of this lock panics").clone()
    }
}

impl Shared {
    fn serve(&self, client: TcpStream) -> Option<()> {
        let mut client = BufReader::new(client);
        let (method, target, headers) = head(&mut client)?;
        if method != "CONNECT" {
            let host = headers.get("host")?.clone();
            return self.answer(&mut client, "http", &host, (method, target, headers));
        }
        let host = target.strip_suffix(":443").unwrap_or(&target).to_owned();
        client.get_mut().write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
        let connection = ServerConnection::new(Arc::new(self.tls(&host))).ok()?;
        let mut client = BufReader::new(StreamOwned::new(connection, client.into_inner()));
        let head = head(&mut client)?;
        self.answer(&mut client, "https", &host, head)
    }

    fn answer<S: Read + Write>(
        &self,
        client: &mut BufReader<S>,
        scheme: &str,
        host: &str,
        (method, target, headers): Head,
    ) -> Option<()> {
        let length = headers.get("content-length").map_or(Some(0), |text| text.parse().ok())?;
        let mut body = vec![0; length];
        client.read_exact(&mut body).ok()?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let request = Request {
            method,
            url: format!("{scheme}://{host}{path}"),
            query: query.to_owned(),
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        self.requests.lock().expect("no holder of this lock panics").push(request.clone());
        let Reply { status, headers, body, cut } = (self.handler)(&request);
        let length = body.len();
        let body = match cut {
            Cut::Never => &body[..],
            Cut::BeforeIt => return None,
            Cut::InTheBody => &body[..length / 2],
        };
        let answer = format!(
            "HTTP/1.1 {status} Status\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
        );
        client.get_mut().write_all(answer.as_bytes()).ok()?;
        client.get_mut().flush().ok()
    }

    /// A certificate for a host.
    fn tls(&self, host: &str) -> ServerConfig {
        let params = CertificateParams::new([host.to_owned()]).expect("a well-formed name");
        let key = KeyPair::generate().expect("the default algorithm is supported");
        let certificate = params.signed_by(&key, &self.issuer).expect("the issuer's key fits");
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("the key is the certificate's")
    }
}

/// Method, target and headers.
type Head = (String, String, BTreeMap<String, String>);

fn head(client: &mut impl BufRead) -> Option<Head> {
    let mut line = String::new();
    client.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        client.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Some((method, target, headers))
}
