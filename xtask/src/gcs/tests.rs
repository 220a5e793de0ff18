use std::process::Command;

use super::*;
use crate::process;
use crate::tools::Tools;

/// Prints what Google's own client sees.
const SCRIPT: &str = r#"
import os, sys
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import RefreshError
from google.cloud import storage
from google.oauth2.credentials import Credentials

def client(token):
    return storage.Client(project="acme", credentials=Credentials(token=token),
        client_options=ClientOptions(api_endpoint=sys.argv[1]))

def code(call, *args, **kwargs):
    try:
        return call(*args, **kwargs)
    except GoogleAPICallError as error:
        print(error.code)
    except RefreshError:
        # The client tries to refresh a token after a 401.
        print("refreshes")

ours = client(os.environ["TOKEN"])
bucket = ours.bucket("state")
blob = bucket.blob("a/b c+d%")
blob.metadata = {"sha": "1"}
blob.upload_from_string(b"one", if_generation_match=0)
first = blob.generation
code(bucket.blob(blob.name).upload_from_string, b"no", if_generation_match=0)
blob.upload_from_string(b"two", if_generation_match=first)
code(bucket.blob(blob.name).upload_from_string, b"no", if_generation_match=first)
code(bucket.blob("never").upload_from_string, b"no", if_generation_match=first)
read = bucket.get_blob(blob.name)
print(read.generation > first, read.metadata, read.size, read.download_as_bytes())
print(bucket.get_blob("never"))
code(blob.delete, if_generation_match=first)
for i in range(120):
    bucket.blob(f"many/{i:03}").upload_from_string(b"x", if_generation_match=0)
names = [each.name for each in ours.list_blobs("state", prefix="many/", page_size=7)]
print(len(names), names == sorted(names), names[0], names[-1])
listing = ours.list_blobs("state", delimiter="/")
print([each.name for each in listing], sorted(listing.prefixes))
blob.delete(if_generation_match=read.generation)
code(blob.delete)
code(bucket.blob("x" * 1025).upload_from_string, b"no")
code(lambda: list(ours.list_blobs("other")))
code(client("wrong").bucket("state").blob("a").upload_from_string, b"no")
"#;

#[test]
fn googles_own_client_sees_generations_pages_and_errors() {
    let tools = Tools::locate().expect("tools");
    let identity = GcpFake::start(&tools).expect("starts");
    let fake = GcsFake::start(&identity).expect("starts");
    fake.create_bucket("state");
    let mut python = Command::new(tools.python());
    python
        .args(["-c", SCRIPT, fake.address()])
        .env("TOKEN", identity.token().expect("a token"));
    let finished = process::run(&mut python, Duration::from_secs(120)).expect("runs");
    let seen = finished.ok().expect("no error besides those expected");
    let expected = "\
412
412
412
True {'sha': '1'} 3 b'two'
None
412
120 True many/000 many/119
[] ['a/', 'many/']
404
400
404
refreshes
";
    assert_eq!(seen.stdout, expected);
    assert_eq!(fake.objects("state").len(), 120);
}

#[test]
fn a_second_write_of_a_name_in_the_window_is_rate_limited() {
    let mut state = State::default();
    state.create_bucket("state");
    let hour = Duration::from_secs(3600);
    state.windows.insert("state".to_owned(), hour);
    let write = |state: &mut State, name: &str| {
        state
            .put("state", name, state::Write::default())
            .map(|object| object.generation)
    };
    assert_eq!(write(&mut state, "a"), Ok(1));
    assert_eq!(write(&mut state, "b"), Ok(2));
    assert_eq!(write(&mut state, "a"), Err(answer::Refusal::RateLimited));
    assert_eq!(
        state.delete("state", "a", None),
        Err(answer::Refusal::RateLimited)
    );
    state.windows.clear();
    assert_eq!(write(&mut state, "a"), Ok(3));
}
