//! Logs as the host reads them: one hclog JSON object a line, on stderr.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::EnvFilter;

/// The longest text in a line, in bytes: a host reads lines of at most 64 KiB.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// Sends this process's logs to stderr, as hclog lines, at the level that
/// `TF_LOG_PROVIDER` or `TF_LOG` names. The host filters once more.
pub(crate) fn install(variable: impl Fn(&str) -> Option<String>) {
    let level = ["TF_LOG_PROVIDER", "TF_LOG"].iter().find_map(|name| level(&variable(name)?));
    let Some(level) = level else {
        // Warnings and errors reach the host even so: it shows a plugin's last
        // words when it dies.
        start("warn");
        return;
    };
    // What is below us is not ours to log: it would hold whole messages.
    start(&format!("warn,terraform_provider_planton={level}"));
}

fn start(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_default();
    // A second runtime in one process (in tests) keeps the first one's logs.
    let _ = tracing_subscriber::registry().with(HclogLayer.with_filter(filter)).try_init();
}

fn level(text: &str) -> Option<&'static str> {
    match text.to_ascii_uppercase().as_str() {
        "TRACE" | "JSON" => Some("trace"),
        "DEBUG" => Some("debug"),
        "INFO" => Some("info"),
        "WARN" => Some("warn"),
        "ERROR" => Some("error"),
        "OFF" => Some("off"),
        _ => None,
    }
}

struct HclogLayer;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for HclogLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let line = line(*metadata.level(), metadata.target(), fields, Timestamp::now());
        // Nobody is left to be told when stderr is gone.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }
}

/// Returns a line with its end.
fn line(level: Level, target: &str, fields: Fields, now: Timestamp) -> String {
    let mut object = fields.others;
    object.insert("@level".to_owned(), level.as_str().to_ascii_lowercase().into());
    object.insert("@message".to_owned(), fields.message.into());
    object.insert("@module".to_owned(), target.replace("::", ".").into());
    // Exactly six fractional digits, or the host drops INFO lines.
    object.insert("@timestamp".to_owned(), format!("{now:.6}").into());
    let mut line = Json::Object(object).to_string();
    line.push('\n');
    line
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Json>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Json) {
        if field.name() == "message" {
            self.message = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        } else {
            // The names with an @ are hclog's.
            self.others.insert(field.name().trim_start_matches('@').to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Capped(String::new());
        // Only the cap makes it fail.
        let _ = write!(text, "{value:?}");
        self.put(field, text.0.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = Capped(String::new());
        let _ = text.write_str(value);
        self.put(field, text.0.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

/// Text that ends at the limit, and says so.
struct Capped(String);

impl fmt::Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_TEXT_BYTES.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.0.push_str(&text[..end]);
        self.0.push('…');
        Err(fmt::Error)
    }
}
