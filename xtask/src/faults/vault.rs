//! The rules of HashiCorp Vault Enterprise that differ from OpenBAO's, in front of a
//! real OpenBAO. No package of Vault is available for tests.
//!
//! Sources: Vault's documentation and its client's code.
//! <https://developer.hashicorp.com/vault/docs/enterprise/consistency>,
//! <https://github.com/hashicorp/vault/blob/main/api/client.go>.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::scripted::Scripted;
use super::wire::Message;

const INDEX: &str = "x-vault-index";

/// Vault's changes to requests and responses.
#[derive(Debug, Default)]
pub(super) struct VaultRules(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    issued: BTreeSet<String>,
    /// The number of requests with an index that reach a lagging standby.
    lag: usize,
}

impl VaultRules {
    pub(super) fn lag(&self, requests: usize) {
        self.state().lag = requests;
    }

    /// Returns the response to a request that does not reach the server.
    pub(super) fn refuse(&self, request: &Message) -> Option<Scripted> {
        let head = &request.head;
        if head
            .header("x-vault-inconsistent")
            .any(|value| value.contains("forward-active-node"))
        {
            return Some(refusal(
                400,
                "forwarding via header X-Vault-Inconsistent disabled in configuration",
            ));
        }
        let mut state = self.state();
        let mut indices = head.header(INDEX).peekable();
        indices.peek()?;
        if !indices.all(|index| state.issued.contains(index)) {
            return Some(refusal(400, "invalid X-Vault-Index header"));
        }
        if state.lag > 0 {
            state.lag -= 1;
            return Some(refusal(412, "required index state not present"));
        }
        None
    }

    /// Removes headers that OpenBAO interprets differently.
    pub(super) fn pass(request: &Message) -> Message {
        request.without_header(INDEX)
    }

    /// Returns a response in Vault's form.
    pub(super) fn answer(&self, request: &Message, answer: Message) -> Message {
        let counter = answer.head.header(INDEX).next().and_then(counter);
        let answer = match counter {
            Some(counter) => {
                let index = format!("v1:6fb4a5d7-front:{counter}:0:c0ffee");
                let index = STANDARD.encode(index);
                self.state().issued.insert(index.clone());
                answer.without_header(INDEX).with_header(INDEX, &index)
            }
            None => answer,
        };
        let path = request.head.target().split('?').next().unwrap_or_default();
        if path != "/v1/sys/health" {
            return answer;
        }
        let mut health: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        health["version"] = json!("1.19.0+ent");
        health["enterprise"] = json!(true);
        // A Vault without replication: https://developer.hashicorp.com/vault/api-docs/system/health.
        health["replication_performance_mode"] = json!("disabled");
        answer.with_body(health.to_string().into_bytes())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent after each assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the counter of an OpenBAO's index.
fn counter(index: &str) -> Option<u64> {
    let decoded = STANDARD.decode(index).ok()?;
    let fields: Value = serde_json::from_slice(&decoded).ok()?;
    fields["value"].as_str()?.parse().ok()
}

fn refusal(status: u16, message: &str) -> Scripted {
    Scripted::json(status, &json!({ "errors": [message] }))
}
