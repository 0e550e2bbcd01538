//! What is told of a run while it goes on (`KO_LOG`, `--log-file`), and to an
//! OpenTelemetry collector when it has ended.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use testkit::base::Image;
use testkit::registry::{Auth, Bearer, TestRegistry};

use crate::fixture::Fixture;
use crate::sbom::python;

/// It stands wherever a secret can.
const CANARY: &str = "hunter2";

/// A registry that wants tokens, with secrets in its answers, too.
fn fixture() -> Fixture {
    let auth = Auth::Bearer(Bearer::new("me", CANARY));
    let registry = TestRegistry::builder().auth(auth).location_secret("hunter2-place").start();
    let fixture = Fixture::on(registry, &Image::oci("linux/amd64").build());
    let _ = fixture.module().main(".");
    let auths = json!({"auths": {fixture.registry.host(): {"auth": "bWU6aHVudGVyMg=="}}});
    fixture.sandbox.docker_config(&auths);
    fixture
}

#[test]
fn lines_are_told_to_standard_error_or_a_file() {
    let fixture = fixture();
    let quiet = fixture.build("--bare").output().success();
    assert!(!quiet.stderr.contains("ko::"), "{}", quiet.stderr);

    let told = fixture.build("--bare --rebuild").env("KO_LOG", "info,stage=debug").output();
    let told = told.success();
    assert_eq!(told.stdout, quiet.stdout);
    let image = "image{import_path=\"example.com/app\" platform=linux/amd64}";
    for want in [
        format!("DEBUG {image}: ko::stage: compile took="),
        format!(" INFO {image}: ko::image: stale reason=--rebuild\n"),
        " INFO ko::run: begins\n".to_owned(),
        " INFO ko::run: ends took=".to_owned(),
    ] {
        assert!(told.stderr.contains(&want), "{want}: {}", told.stderr);
    }
    assert!(!told.stderr.contains("ko::http"), "{}", told.stderr);

    let words = "--bare -t v2 --log-file=../ko.log";
    let output = fixture.build(words).env("KO_LOG", "trace").output().success();
    assert!(!output.stderr.contains("ko::"), "{}", output.stderr);
    let log = fs::read_to_string(fixture.sandbox.work().join("../ko.log")).unwrap();
    let tag = format!("PUT http://{}/v2/out/manifests/v2 status=201 ", fixture.registry.host());
    assert!(log.contains(&tag) && log.contains("Bearer REDACTED"), "{log}");
    assert!(!log.contains(CANARY) && !log.contains("aHVudGVyMg"), "{log}");
    assert!(log.lines().last().unwrap().contains("INFO ko::run: ends took="), "{log}");

    // Without a level, the file has all but what is long.
    let _ = fixture.build("--bare --log-file=../ko.log").output().success();
    let log = fs::read_to_string(fixture.sandbox.work().join("../ko.log")).unwrap();
    assert!(log.contains(" DEBUG ") && !log.contains(" TRACE "), "{log}");
}

#[test]
fn a_run_that_fails_says_so_in_its_log() {
    let fixture = Fixture::new();
    let words = "--bare --base=no.example/x --log-file=../ko.log";
    let _ = fixture.build(words).env("KO_LOG", "error").output().failure(1);
    let log = fs::read_to_string(fixture.sandbox.work().join("../ko.log")).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("ERROR ko::run: failed to publish images: "), "{log}");

    for (variable, words, want) in [
        ("loud", "", "Error: KO_LOG is \"loud\": \"loud\" is no level\nhint: levels are error, "),
        ("h2=trace", "", "Error: KO_LOG is \"h2=trace\": \"h2=trace\" is no level\n"),
        (
            "debug",
            "--log-file=no/ko.log",
            "Error: --log-file: writing no/ko.log: there is no directory no",
        ),
    ] {
        let output = fixture.build(words).env("KO_LOG", variable).output().failure(1);
        assert!(output.stderr.contains(want), "{}", output.stderr);
        assert!(!output.stderr.contains("Building"), "{}", output.stderr);
    }
}

/// A request as a collector gets it.
#[derive(Debug)]
struct Posted {
    line: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// A collector that takes one request, and answers with a status.
fn collector(status: &'static str) -> (String, JoinHandle<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let take = move || {
        let (stream, _) = listener.accept().unwrap();
        let posted = read(&stream);
        write!(&stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
        posted
    };
    (host, thread::spawn(take))
}

fn read(stream: &TcpStream) -> Posted {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
    let lines = std::iter::from_fn(|| Some(line()).filter(|line| !line.is_empty()));
    let headers: HashMap<String, String> = lines
        .map(|line| line.split_once(": ").map(|(name, value)| (name.into(), value.into())).unwrap())
        .collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    Posted { line: first, headers, body }
}

/// OpenTelemetry's own types read a request, and write the same bytes again.
const DECODE: &str = "
import sys
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
body = sys.stdin.buffer.read()
request = ExportTraceServiceRequest()
request.ParseFromString(body)
assert request.SerializeToString(deterministic=True) == body
print(MessageToJson(request, indent=None))
";

fn decoded(body: &[u8]) -> Value {
    let mut command = Command::new(python());
    command.args(["-c", DECODE]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The attributes of a span or resource.
fn attributes(of: &Value) -> HashMap<String, Value> {
    let all = of["attributes"].as_array().into_iter().flatten();
    let pair = |attribute: &Value| {
        let value = attribute["value"].as_object().unwrap().values().next().unwrap().clone();
        (attribute["key"].as_str().unwrap().to_owned(), value)
    };
    all.map(pair).collect()
}

#[test]
fn a_collector_gets_the_spans_of_a_run() {
    let fixture = fixture();
    fixture.registry.reset();
    let (host, collector) = collector("200 OK");
    let run = fixture
        .build("--bare")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{host}/otel"))
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-token=hunter2%20token")
        .env("OTEL_RESOURCE_ATTRIBUTES", "team=a%2Cb,service.name=other")
        .env("OTEL_SERVICE_NAME", "ci")
        .env("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01");
    let output = run.output().success();
    assert!(!output.stderr.contains("trace"), "{}", output.stderr);
    let posted = collector.join().unwrap();
    assert_eq!(posted.line, "POST /otel/v1/traces HTTP/1.1");
    assert_eq!(posted.headers["content-type"], "application/x-protobuf");
    assert_eq!(posted.headers["x-token"], "hunter2 token");
    let text = String::from_utf8_lossy(&posted.body);
    assert!(!text.contains(CANARY) && !text.contains("aHVudGVyMg"), "{text}");

    let request = decoded(&posted.body);
    let resource = attributes(&request["resourceSpans"][0]["resource"]);
    assert_eq!((&resource["service.name"], &resource["team"]), (&json!("ci"), &json!("a,b")));
    let spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let ids: HashMap<&Value, &Value> = spans.iter().map(|span| (&span["spanId"], span)).collect();
    assert_eq!(ids.len(), spans.len(), "no two spans have one id");
    let time = |span: &Value, edge: &str| span[edge].as_str().unwrap().parse::<u64>().unwrap();
    let mut paths = Vec::new();
    for span in spans {
        assert_eq!(span["traceId"], "S/kvNXezTaajzpKdDg5HNg==");
        let (start, end) = (time(span, "startTimeUnixNano"), time(span, "endTimeUnixNano"));
        assert!(start <= end, "{span}");
        let mut path = span["name"].as_str().unwrap().to_owned();
        let mut parent = &span["parentSpanId"];
        while let Some(above) = ids.get(parent) {
            assert!(time(above, "startTimeUnixNano") <= start, "{span} in {above}");
            assert!(time(above, "endTimeUnixNano") >= end, "{span} in {above}");
            path = format!("{}/{path}", above["name"].as_str().unwrap());
            parent = &above["parentSpanId"];
        }
        assert_eq!(parent, "t61rcWkgMzE=", "the caller's span is above all");
        paths.push(path);
    }
    for want in ["ko", "ko/image example.com/app", "ko/image example.com/app/linux/amd64/compile"] {
        assert!(paths.iter().any(|path| path == want), "{want}: {paths:#?}");
    }
    let requests: Vec<_> = spans.iter().filter(|span| span["kind"] == "SPAN_KIND_CLIENT").collect();
    let requests: Vec<_> = requests.into_iter().map(attributes).collect();
    // The registry never sees that https was tried first.
    let url = |request: &HashMap<String, Value>| request["url.full"].as_str().unwrap().to_owned();
    let seen = requests.iter().filter(|request| url(request).starts_with("http://"));
    assert_eq!(seen.count() as u64, fixture.registry.counts().total());
    assert!(attributes(&spans[0])["ko.bytes_sent"].as_str().unwrap().len() > 3);
    let target = spans.iter().find(|span| span["name"] == "linux/amd64").unwrap();
    assert_eq!(attributes(target)["ko.fresh"], json!(false));
    let tag = requests.iter().find(|request| {
        request["http.request.method"] == "PUT" && url(request).ends_with("/manifests/latest")
    });
    let tag = tag.unwrap();
    assert_eq!(tag["http.response.status_code"], "201");
    assert_eq!(tag["server.address"], "127.0.0.1");
}

#[test]
fn a_collector_that_is_no_help_is_worth_a_line() {
    let fixture = Fixture::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|address| (address.to_string(), silent)).unwrap();
    let (refusing, refused) = collector("503 Service Unavailable");
    for (host, want) in [
        (&closed, "no answer from http://me:…@"),
        (&silent.0, "no answer from http://me:…@"),
        (&refusing, "/v1/traces answers 503\n"),
    ] {
        let run = fixture
            .build("--bare")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://me:hunter2@{host}"))
            .env("OTEL_EXPORTER_OTLP_TIMEOUT", "300");
        let output = run.output().success();
        assert_eq!(output.stdout.lines().count(), 1);
        let lines: Vec<_> = output.stderr.lines().filter(|line| line.contains("traces")).collect();
        assert!(matches!(lines[..], [line] if format!("{line}\n").contains(want)), "{lines:?}");
        assert!(!output.stderr.contains(CANARY), "{}", output.stderr);
    }
    assert_eq!(refused.join().unwrap().headers["authorization"], "Basic bWU6aHVudGVyMg==");

    // A trace that nobody keeps is not sent, and one that is switched off neither.
    for (name, value) in [
        ("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-00"),
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_EXPORTER", "none"),
    ] {
        let run =
            fixture.build("--bare").env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{closed}"));
        let output = run.env(name, value).output().success();
        assert!(!output.stderr.contains("traces"), "{}", output.stderr);
    }
    let run =
        fixture.build("--bare").env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{closed}"));
    let output = run.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").output().success();
    let want = "traces are not sent: OTEL_EXPORTER_OTLP_PROTOCOL is \"grpc\"";
    assert!(output.stderr.contains(want), "{}", output.stderr);
}
