//! The JSON API, which Google's own clients use:
//! <https://cloud.google.com/storage/docs/json_api/v1/objects>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal};
use super::date::timestamp;
use super::serve::Request;
use super::state::{Listing, Object, State, Write};
use super::xml::{decode, encode};

pub(super) fn serve(
    state: &mut State,
    request: &Request<'_>,
    path: &[String],
) -> Result<Answer, Refusal> {
    let folders: Vec<&str> = path.iter().map(String::as_str).collect();
    match (request.method(), &folders[..]) {
        ("POST", ["b"]) => {
            let told = parse(request.body())?;
            let name = told["name"].as_str().ok_or(Refusal::BadRequest)?;
            state.create_bucket(name);
            Ok(Answer::json(&bucket(name)))
        }
        ("GET", ["b", name]) if state.has_bucket(name) => {
            let mut about = bucket(name);
            if let (Some(about), Some(more)) =
                (about.as_object_mut(), state.configurations.get(*name))
            {
                about.extend(more.clone());
            }
            Ok(Answer::json(&about))
        }
        ("GET", ["b", _]) => Err(Refusal::NoBucket),
        ("GET", ["b", name, "o"]) => list(state, request, name),
        ("POST", ["b", name, "o"]) => upload(state, request, name),
        ("GET", ["b", name, "o", object]) => {
            let generation = request.number("generation")?;
            let found = state.get(name, object, generation)?;
            if request.query.get("alt").is_none_or(|alt| alt != "media") {
                return Ok(Answer::json(&resource(name, object, found)));
            }
            let mut answer = Answer::new(200)
                .with("content-type", found.content_type.clone())
                .with("x-goog-generation", found.generation.to_string())
                .with("x-goog-hash", format!("crc32c={}", found.crc32c));
            answer.body.clone_from(&found.content);
            Ok(answer)
        }
        ("DELETE", ["b", name, "o", object]) => {
            let generation = request.number("ifGenerationMatch")?;
            state.delete(name, object, generation)?;
            Ok(Answer::new(204))
        }
        _ => Err(Refusal::NotImplemented),
    }
}

fn list(state: &State, request: &Request<'_>, bucket: &str) -> Result<Answer, Refusal> {
    let asked = |name: &str| request.query.get(name).cloned();
    let token = asked("pageToken").map(|token| decode(&token)).transpose()?;
    let limit = request.number("maxResults")?;
    let listing = Listing {
        prefix: asked("prefix").unwrap_or_default(),
        delimiter: asked("delimiter"),
        after: token.unwrap_or_default(),
        limit: limit.and_then(|limit| usize::try_from(limit).ok()),
    };
    let page = state.list(bucket, &listing)?;
    let items = page.objects.iter();
    let items = items.map(|(name, object)| resource(bucket, name, object));
    let items: Vec<Value> = items.collect();
    let mut answer = json!({"kind": "storage#objects", "items": items, "prefixes": page.prefixes});
    if let Some(last) = &page.last {
        answer["nextPageToken"] = json!(encode(last));
    }
    Ok(Answer::json(&answer))
}

/// Uploads metadata and content in one request:
/// <https://cloud.google.com/storage/docs/uploading-objects#rest-upload-objects>
fn upload(state: &mut State, request: &Request<'_>, bucket: &str) -> Result<Answer, Refusal> {
    if request
        .query
        .get("uploadType")
        .is_none_or(|kind| kind != "multipart")
    {
        return Err(Refusal::NotImplemented);
    }
    let (about, content) = parts(request)?;
    let text = |name: &str| about[name].as_str().map(str::to_owned);
    let name = text("name").or_else(|| request.query.get("name").cloned());
    let name = name.ok_or(Refusal::BadRequest)?;
    let no_metadata = Map::new();
    let metadata = about["metadata"].as_object().unwrap_or(&no_metadata).iter();
    let metadata: BTreeMap<_, _> = metadata
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    let write = Write {
        content,
        content_type: text("contentType"),
        metadata,
        generation: request.number("ifGenerationMatch")?,
        crc32c: text("crc32c"),
    };
    let object = state.put(bucket, &name, write)?;
    Ok(Answer::json(&resource(bucket, &name, &object)))
}

/// Returns the two parts of a body: <https://www.rfc-editor.org/rfc/rfc2387>
fn parts(request: &Request<'_>) -> Result<(Value, Vec<u8>), Refusal> {
    let kind = request.header("content-type").unwrap_or_default();
    let (_, boundary) = kind.split_once("boundary=").ok_or(Refusal::BadRequest)?;
    let boundary = format!("--{}", boundary.trim_matches(['"', '\'']));
    let (_, after) = cut(request.body(), boundary.as_bytes())?;
    let (_, after) = cut(after, b"\r\n\r\n")?;
    let next = format!("\r\n{boundary}");
    let (about, after) = cut(after, next.as_bytes())?;
    let (_, after) = cut(after, b"\r\n\r\n")?;
    let (content, _) = cut(after, next.as_bytes())?;
    Ok((parse(about)?, content.to_vec()))
}

fn cut<'a>(bytes: &'a [u8], at: &[u8]) -> Result<(&'a [u8], &'a [u8]), Refusal> {
    let found = bytes.windows(at.len()).position(|window| window == at);
    let found = found.ok_or(Refusal::BadRequest)?;
    Ok((&bytes[..found], &bytes[found + at.len()..]))
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::BadRequest)
}

fn bucket(name: &str) -> Value {
    json!({"kind": "storage#bucket", "id": name, "name": name, "location": "EUROPE-WEST3"})
}

fn resource(bucket: &str, name: &str, object: &Object) -> Value {
    json!({
        "kind": "storage#object",
        "id": format!("{bucket}/{name}/{}", object.generation),
        "bucket": bucket,
        "name": name,
        // 64-bit numbers are text in JSON.
        "generation": object.generation.to_string(),
        "metageneration": "1",
        "size": object.content.len().to_string(),
        "crc32c": object.crc32c,
        "contentType": object.content_type,
        "etag": format!("C{}", object.generation),
        "storageClass": "STANDARD",
        "timeCreated": timestamp(object.written_at),
        "updated": timestamp(object.written_at),
        "metadata": object.metadata,
    })
}
