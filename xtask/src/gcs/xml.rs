//! The XML API: <https://cloud.google.com/storage/docs/xml-api/overview>

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::answer::{Answer, Refusal};
use super::date::{http_date, timestamp};
use super::serve::Request;
use super::state::{Listing, Object, Page, State, Write};

const METADATA: &str = "x-goog-meta-";

pub(super) fn serve(state: &mut State, request: &Request<'_>) -> Result<Answer, Refusal> {
    let (bucket, name) = request.path.split_first().ok_or(Refusal::BadRequest)?;
    let name = name.join("/");
    if name.is_empty() {
        return serve_bucket(state, request, bucket);
    }
    if !request.query.keys().all(|known| known == "generation") {
        return Err(Refusal::NotImplemented);
    }
    match request.method() {
        "PUT" => {
            if request.header("x-goog-copy-source").is_some() {
                return Err(Refusal::NotImplemented);
            }
            let object = state.put(bucket, &name, write(request)?)?;
            Ok(about(&object))
        }
        "GET" | "HEAD" => {
            let object = state.get(bucket, &name, request.number("generation")?)?;
            let mut answer = about(object)
                .with("content-type", object.content_type.clone())
                .with("last-modified", http_date(object.written_at));
            for (key, value) in &object.metadata {
                answer = answer.with(&format!("{METADATA}{key}"), value);
            }
            answer.body.clone_from(&object.content);
            Ok(answer)
        }
        "DELETE" => {
            let generation = precondition(request)?;
            state.delete(bucket, &name, generation)?;
            Ok(Answer::new(204))
        }
        _ => Err(Refusal::NotImplemented),
    }
}

fn write(request: &Request<'_>) -> Result<Write, Refusal> {
    let metadata: BTreeMap<_, _> = request
        .headers()
        .filter_map(|(name, value)| Some((name.strip_prefix(METADATA)?, value)))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let hash = request.header("x-goog-hash").unwrap_or_default();
    let crc32c = hash
        .split(',')
        .find_map(|part| part.trim().strip_prefix("crc32c="));
    Ok(Write {
        content: request.body().to_vec(),
        content_type: request.header("content-type").map(str::to_owned),
        metadata,
        generation: precondition(request)?,
        crc32c: crc32c.map(str::to_owned),
    })
}

fn precondition(request: &Request<'_>) -> Result<Option<u64>, Refusal> {
    let value = request.header("x-goog-if-generation-match");
    let value = value.map(|value| value.parse().map_err(|_| Refusal::BadRequest));
    value.transpose()
}

/// Returns the headers of an object.
fn about(object: &Object) -> Answer {
    Answer::new(200)
        .with("etag", etag(object))
        .with("x-goog-generation", object.generation.to_string())
        .with("x-goog-metageneration", "1")
        .with("x-goog-hash", format!("crc32c={}", object.crc32c))
        .with("x-goog-storage-class", "STANDARD")
        .with(
            "x-goog-stored-content-length",
            object.content.len().to_string(),
        )
}

/// Returns a value that equal contents share, as in the XML API.
fn etag(object: &Object) -> String {
    format!(
        "\"{}-{}\"",
        object.crc32c.trim_end_matches('='),
        object.content.len()
    )
}

fn serve_bucket(state: &State, request: &Request<'_>, bucket: &str) -> Result<Answer, Refusal> {
    if !state.has_bucket(bucket) {
        return Err(Refusal::NoBucket);
    }
    let asks = |name: &str| request.query.contains_key(name);
    match request.method() {
        "GET" if asks("versioning") => Ok(Answer::xml("<VersioningConfiguration/>".to_owned())),
        "GET" if asks("lifecycle") => Ok(Answer::xml("<LifecycleConfiguration/>".to_owned())),
        "GET"
            if request
                .query
                .get("list-type")
                .is_some_and(|kind| kind == "2") =>
        {
            let asked = |name: &str| request.query.get(name).cloned();
            let after = match asked("continuation-token") {
                Some(token) => decode(&token)?,
                None => asked("start-after").unwrap_or_default(),
            };
            let limit = request.number("max-keys")?;
            let listing = Listing {
                prefix: asked("prefix").unwrap_or_default(),
                delimiter: asked("delimiter"),
                after,
                limit: limit.and_then(|limit| usize::try_from(limit).ok()),
            };
            let page = state.list(bucket, &listing)?;
            Ok(Answer::xml(render(bucket, &page)))
        }
        "HEAD" => Ok(Answer::new(200)),
        _ => Err(Refusal::NotImplemented),
    }
}

pub(super) fn encode(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

pub(super) fn decode(token: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_| Refusal::BadRequest)?;
    String::from_utf8(bytes).map_err(|_| Refusal::BadRequest)
}

fn render(bucket: &str, page: &Page) -> String {
    let mut text = format!(
        "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult \
         xmlns='http://doc.s3.amazonaws.com/2006-03-01'><Name>{}</Name>\
         <IsTruncated>{}</IsTruncated>",
        escape(bucket),
        page.last.is_some(),
    );
    if let Some(last) = &page.last {
        let token = encode(last);
        text.push_str(&format!(
            "<NextContinuationToken>{token}</NextContinuationToken>"
        ));
    }
    for (name, object) in &page.objects {
        text.push_str(&format!(
            "<Contents><Key>{}</Key><Generation>{}</Generation><MetaGeneration>1</MetaGeneration>\
             <LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
            escape(name),
            object.generation,
            timestamp(object.written_at),
            escape(&etag(object)),
            object.content.len(),
        ));
    }
    for prefix in &page.prefixes {
        let prefix = escape(prefix);
        text.push_str(&format!(
            "<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>"
        ));
    }
    text.push_str("</ListBucketResult>");
    text
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}
