//! Describes a run as spans, and writes them as an `ExportTraceServiceRequest` of
//! OpenTelemetry (OTLP 1), in the binary form of protobuf: the one that every
//! collector takes.

/// What is told of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Traces {
    /// Who tells it: `service.name` and more.
    pub resource: Vec<Attribute>,
    /// Our version.
    pub version: String,
    /// The spans.
    pub spans: Vec<Span>,
}

/// A part of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The trace that it is part of.
    pub trace: [u8; 16],
    /// Its own name in it.
    pub id: [u8; 8],
    /// The span that it is part of, if one is.
    pub parent: Option<[u8; 8]>,
    /// What it is called.
    pub name: String,
    /// Whether it waits for another machine.
    pub client: bool,
    /// When it began, in nanoseconds since 1970.
    pub start: u64,
    /// When it ended, likewise.
    pub end: u64,
    /// What more is known.
    pub attributes: Vec<Attribute>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// Something that is known, by the names of OpenTelemetry's conventions where they
/// have one.
pub type Attribute = (String, Value);

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// A truth.
    Truth(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Traces {
    /// The request. The numbers are those of `opentelemetry-proto`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut scope = Message::default();
        scope.text(1, "ko").text(2, &self.version);
        let mut scope_spans = Message::default();
        scope_spans.message(1, &scope);
        for span in &self.spans {
            scope_spans.message(2, &span.message());
        }
        let mut resource = Message::default();
        resource.attributes(1, &self.resource);
        let mut resource_spans = Message::default();
        resource_spans.message(1, &resource).message(2, &scope_spans);
        let mut request = Message::default();
        request.message(1, &resource_spans);
        request.0
    }
}

impl Span {
    fn message(&self) -> Message {
        /// The trace is one of those that are kept.
        const SAMPLED: u32 = 1;
        const INTERNAL: u64 = 1;
        const CLIENT: u64 = 3;
        const ERROR: u64 = 2;
        let mut span = Message::default();
        span.bytes(1, &self.trace).bytes(2, &self.id);
        if let Some(parent) = &self.parent {
            span.bytes(4, parent);
        }
        span.text(5, &self.name);
        span.number(6, if self.client { CLIENT } else { INTERNAL });
        span.fixed(7, &self.start.to_le_bytes()).fixed(8, &self.end.to_le_bytes());
        span.attributes(9, &self.attributes);
        if let Some(error) = &self.error {
            let mut status = Message::default();
            status.text(2, error).number(3, ERROR);
            span.message(15, &status);
        }
        span.fixed(16, &SAMPLED.to_le_bytes());
        span
    }
}

/// The fields of a message, one behind the other.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    /// A number of 7 bits a byte, the lowest first.
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A field begins with its number and the kind of its content.
    fn tag(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn number(&mut self, field: u32, number: u64) -> &mut Self {
        self.tag(field, 0);
        self.varint(number);
        self
    }

    /// 4 or 8 bytes.
    fn fixed(&mut self, field: u32, bytes: &[u8]) -> &mut Self {
        self.tag(field, if bytes.len() == 8 { 1 } else { 5 });
        self.0.extend_from_slice(bytes);
        self
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) -> &mut Self {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(&mut self, field: u32, text: &str) -> &mut Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(&mut self, field: u32, message: &Self) -> &mut Self {
        self.bytes(field, &message.0)
    }

    fn attributes(&mut self, field: u32, attributes: &[Attribute]) {
        for (name, value) in attributes {
            let mut any = Self::default();
            match value {
                Value::Text(text) => any.text(1, text),
                Value::Truth(truth) => any.number(2, u64::from(*truth)),
                // As protobuf has it, a negative number takes ten bytes.
                Value::Number(number) => any.number(3, number.cast_unsigned()),
            };
            let mut pair = Self::default();
            pair.text(1, name).message(2, &any);
            self.message(field, &pair);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_as_protobuf_writes_them() {
        let mut message = Message::default();
        message.number(1, 150).text(2, "testing").fixed(7, &1u64.to_le_bytes());
        message.attributes(9, &[("n".to_owned(), Value::Number(-1))]);
        let want = [
            &[0x08, 0x96, 0x01, 0x12, 0x07][..],
            b"testing",
            &[0x39, 1, 0, 0, 0, 0, 0, 0, 0],
            &[0x4a, 16, 0x0a, 1, b'n', 0x12, 11, 0x18],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        ];
        assert_eq!(message.0, want.concat());
    }
}
