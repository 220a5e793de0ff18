//! Logs in the form that the host reads: one hclog JSON object per line on stderr.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;

use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Maximum length of a line. go-plugin splits lines beyond 64 KiB.
const MAX_LINE_BYTES: usize = 60 * 1024;
/// Maximum length of a field's text. Escaping turns one byte into at most six.
const MAX_FIELD_BYTES: usize = 8 * 1024;
/// Length to which a message is cut if its line is still too long.
const MAX_SHORT_BYTES: usize = 4 * 1024;

/// Writes the logs of `targets` to stderr, at the level in the environment variables.
///
/// # Security
///
/// `targets` is an allowlist. Other crates may log headers and bodies, so none of their logs
/// are written.
pub(super) fn init(targets: &[&'static str]) {
    let level = level(|name| std::env::var(name).ok());
    let allowed = targets.iter().map(|target| (*target, level));
    let filter = Targets::new()
        .with_targets(allowed)
        .with_default(LevelFilter::OFF);
    let subscriber = tracing_subscriber::registry().with(HclogLayer.with_filter(filter));
    // Fails only for a second server in one process, which keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Logs a panic at any level.
pub(super) fn write_panic(location: &str) {
    let mut fields = Map::new();
    fields.insert("location".into(), location.into());
    write_line(&line(
        "error",
        "the provider panicked",
        env!("CARGO_CRATE_NAME"),
        fields,
    ));
}

/// Returns the level: `TF_LOG_PROVIDER` takes precedence over `TF_LOG`. As in Terraform, `JSON`
/// and any text that is not a level mean `TRACE`.
fn level(variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let asked = ["TF_LOG_PROVIDER", "TF_LOG"]
        .into_iter()
        .filter_map(variable);
    match asked.into_iter().find(|text| !text.is_empty()) {
        None => LevelFilter::OFF,
        Some(text) => match text.to_ascii_uppercase().as_str() {
            "OFF" => LevelFilter::OFF,
            "ERROR" => LevelFilter::ERROR,
            "WARN" => LevelFilter::WARN,
            "INFO" => LevelFilter::INFO,
            "DEBUG" => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        },
    }
}

struct HclogLayer;

impl<S: Subscriber> Layer<S> for HclogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        write_line(&line(
            level,
            &fields.message,
            event.metadata().target(),
            fields.others,
        ));
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Json>,
}

impl Fields {
    fn keep(&mut self, field: &Field, value: Json) {
        self.others.insert(field.name().to_owned(), value);
    }

    fn keep_text(&mut self, field: &Field, text: String) {
        let text = cut(text, MAX_FIELD_BYTES);
        if field.name() == "message" {
            self.message = text;
        } else {
            self.keep(field, text.into());
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // A Debug implementation that fails leaves its text so far.
        let _ = write!(text, "{value:?}");
        self.keep_text(field, text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep_text(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, value.into());
    }
}

fn line(level: &str, message: &str, target: &str, fields: Map<String, Json>) -> String {
    let mut all = fields;
    let named = [
        ("@level", level.to_owned()),
        ("@message", message.to_owned()),
        ("@module", target.replace("::", ".")),
        // Exactly six digits, since hclog's reader drops a line with fewer.
        (
            "@timestamp",
            jiff::Timestamp::now()
                .strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
                .to_string(),
        ),
    ];
    for (name, value) in named.clone() {
        all.insert(name.into(), value.into());
    }
    let full = Json::Object(all).to_string();
    if full.len() <= MAX_LINE_BYTES {
        return full;
    }
    let mut short: Map<String, Json> = named
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    short.insert(
        "@message".into(),
        cut(message.to_owned(), MAX_SHORT_BYTES).into(),
    );
    short.insert("truncated".into(), true.into());
    Json::Object(short).to_string()
}

fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

fn write_line(line: &str) {
    // One write, so that lines of several threads do not mix. A failed write is ignored: the
    // host may have stopped reading.
    let _ = std::io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_whatever_the_message() {
        let long = "é\u{1}\n".repeat(80_000);
        for message in ["plain", "two\nlines", "\u{0}\u{1b}[31m", long.as_str()] {
            let mut fields = Map::new();
            fields.insert("field".into(), "x\ny".into());
            let line = line("info", &cut(message.to_owned(), 50_000), "a::b", fields);
            assert!(line.len() <= MAX_LINE_BYTES && !line.contains('\n'));
            let json: Json = serde_json::from_str(&line).expect("JSON");
            assert_eq!(json["@level"], "info");
            assert_eq!(json["@module"], "a.b");
            let time = json["@timestamp"].as_str().expect("text");
            let fraction = time.split('.').nth(1).expect("a fraction");
            assert_eq!(fraction.len(), 7, "{time}");
            assert!(time.ends_with('Z'), "{time}");
        }
    }

    #[test]
    fn the_providers_own_variable_counts_before_the_general_one() {
        let with = |own: &'static str, general: &'static str| {
            level(move |name| Some(if name == "TF_LOG" { general } else { own }.to_owned()))
        };
        assert_eq!(with("", "info"), LevelFilter::INFO);
        assert_eq!(with("ERROR", "TRACE"), LevelFilter::ERROR);
        assert_eq!(with("", "JSON"), LevelFilter::TRACE);
        assert_eq!(with("OFF", "TRACE"), LevelFilter::OFF);
        assert_eq!(level(|_| None), LevelFilter::OFF);
    }
}
