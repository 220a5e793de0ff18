//! The answers of each KMS, and wraps that are handed to it.
//!
//! The code under test is the whole key type: it builds its requests, and reads what a
//! canned answer returns in place of the service. The input is two bytes, the operation and
//! the status of the answer, and then the answer's body; for one operation, it is a wrap.

mod aws;
mod azure;
mod canned;
mod gcp;
mod transit;

use std::error::Error;
use std::sync::{Arc, LazyLock};

use planton_core::kek::{
    KekError, KeyDescription, KeyEncryptionKey, Rewrap, WrapContext, WrapNames,
};
use planton_envelope::{DataKey, KekId, MAX_WRAPPED_KEY_BYTES, WrapBinding, WrappedKey};
use subtle::ConstantTimeEq;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use crate::Verdict;
use crate::keys::DEK;
use crate::seeds::Seeds;
use canned::{Answer, Script, occurs_in, texts_of};

pub(crate) use aws::aws;
pub(crate) use azure::azure;
pub(crate) use gcp::gcp;
pub(crate) use transit::transit;

static NAMES: LazyLock<WrapNames> = LazyLock::new(|| {
    let organization = "acme".parse().expect("a slug");
    WrapNames::secret(&organization, &"prod/db".parse().expect("a name"))
});

/// Returns the binding of every wrap here.
pub(crate) fn binding(kek: &KekId) -> WrapBinding {
    WrapBinding::for_mac_key(Uuid::from_bytes([1; 16]), kek)
}

/// Returns the context of every wrap here.
pub(crate) fn context(kek: &KekId) -> WrapContext<'static> {
    NAMES.bound(binding(kek))
}

thread_local! {
    // The clock stands still: what waits, as for a standby, waits no time.
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
}

/// Runs a future of a key type.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// What is asked of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Wrap,
    Unwrap,
    Rewrap,
    /// Asks for the key itself, as when it is saved.
    Describe,
    /// Unwraps the input, which the service takes for a wrap.
    UnwrapInput,
}

impl Operation {
    pub(crate) const ALL: [Self; 5] = [
        Self::Wrap,
        Self::Unwrap,
        Self::Rewrap,
        Self::Describe,
        Self::UnwrapInput,
    ];
}

/// A key, and what its service answers.
struct Opened {
    script: Script,
    /// The key, opened by its identifier.
    kek: Arc<dyn KeyEncryptionKey>,
}

/// A key type, over canned answers.
trait Service {
    /// The key under test.
    fn opened(&self) -> &Opened;
    /// The key, opened by its identifier.
    fn kek(&self) -> &Arc<dyn KeyEncryptionKey> {
        &self.opened().kek
    }
    /// Answers with `answer` from now on.
    fn answer(&self, answer: Answer) {
        self.opened().script.set(answer);
    }
    /// What the service answers to this operation.
    fn good_answer(&self, operation: Operation) -> Vec<u8>;
    /// A wrap that the service takes.
    fn wrapped(&self) -> WrappedKey;
    /// Whether a wrap of this form may be sent to the service.
    fn is_wrap(&self, wrapped: &[u8]) -> bool;
    /// What an unwrap returns for the data key.
    fn unwrapped(&self) -> Vec<u8> {
        DEK.to_vec()
    }
    /// Asks for the key of the settings.
    async fn resolve(&self) -> Result<(KekId, KeyDescription), KekError>;
    /// Checks what only this service promises of an answer that was taken.
    fn expect(&self, operation: Operation, body: &[u8]) {
        let _ = (operation, body);
    }
}

/// Splits an input into its operation, its status and its body.
fn parts(input: &[u8]) -> Option<(Operation, u16, &[u8])> {
    let ([operation, status], body) = input.split_first_chunk()?;
    let at = usize::from(*operation) % Operation::ALL.len();
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    Some((Operation::ALL[at], status, body))
}

/// Statuses that are handled differently.
const STATUSES: [u16; 8] = [200, 400, 401, 403, 404, 409, 429, 503];

fn run(service: &impl Service, input: &[u8]) -> Verdict {
    let Some((operation, status, body)) = parts(input) else {
        return Verdict::Refused;
    };
    let body = match operation {
        Operation::UnwrapInput => service.good_answer(Operation::Unwrap),
        _ => body.to_vec(),
    };
    service.answer(Answer {
        status,
        body: body.clone(),
    });
    let outcome = block_on(perform(service, operation, &input[2..]));
    match outcome {
        Ok(()) => {
            assert_eq!(status, 200, "only a success is taken for one");
            service.expect(operation, &body);
            Verdict::Accepted
        }
        Err(error) => {
            // An error quotes what a service says of its failure, which is no secret.
            if status == 200 {
                expect_no_key(&error, &service.unwrapped());
            }
            Verdict::Refused
        }
    }
}

async fn perform(
    service: &impl Service,
    operation: Operation,
    input: &[u8],
) -> Result<(), KekError> {
    let kek = service.kek();
    let context = context(kek.id());
    match operation {
        Operation::Wrap => {
            let wrapped = kek.wrap(&DataKey::copy_of(&DEK), context).await?;
            expect_room(kek, &wrapped);
        }
        Operation::Unwrap => {
            let dek = kek.unwrap(&service.wrapped(), context).await?;
            assert!(
                texts_of(input)
                    .iter()
                    .any(|text| occurs_in(text, dek.expose())),
                "a key that the answer does not contain"
            );
        }
        Operation::Rewrap => return rewrap(service, context).await,
        Operation::Describe => {
            let (id, description) = service.resolve().await?;
            assert_eq!(id.provider, kek.id().provider);
            let _ = kek.is_newest(&service.wrapped(), &description);
        }
        Operation::UnwrapInput => {
            let wrapped = WrappedKey::new(input.to_vec());
            let _ = kek.claimed_names(&wrapped);
            let dek = kek.unwrap(&wrapped, context).await?;
            assert!(service.is_wrap(input), "a wrap of another form was sent");
            assert!(bool::from(dek.ct_eq(&DataKey::copy_of(&DEK))));
        }
    }
    Ok(())
}

/// Rewraps three wraps at once, of which the second has another form.
async fn rewrap(service: &impl Service, context: WrapContext<'_>) -> Result<(), KekError> {
    let (good, bad) = (service.wrapped(), WrappedKey::new(b"other".to_vec()));
    let wraps = [&good, &bad, &good].map(|wrapped| Rewrap { wrapped, context });
    let mut outcomes = service.kek().rewrap(&wraps).await;
    assert_eq!(outcomes.len(), wraps.len(), "an outcome for each");
    assert!(outcomes.remove(1).is_err(), "a wrap of another form");
    let all = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    for wrapped in &all {
        expect_room(service.kek(), wrapped);
    }
    Ok(())
}

fn expect_room(kek: &Arc<dyn KeyEncryptionKey>, wrapped: &WrappedKey) {
    let length = wrapped.as_bytes().len();
    assert!((1..=kek.max_wrapped_bytes()).contains(&length));
    assert!(length <= MAX_WRAPPED_KEY_BYTES);
}

fn expect_no_key(error: &KekError, key: &[u8]) {
    let mut text = format!("{error} {error:?} {:?}", error.remedy());
    let mut source = error.source();
    while let Some(beneath) = source {
        text = format!("{text} {beneath} {beneath:?}");
        source = beneath.source();
    }
    for form in canned::forms(key) {
        assert!(!text.contains(&form), "an error quotes a data key: {text}");
    }
}

/// Returns the inputs that a seed corpus has: what the service answers to each operation,
/// an error of each status, and a wrap.
fn seeds_of(service: &impl Service, error: &[u8]) -> Seeds {
    let mut seeds = Vec::new();
    let of = |at: usize| u8::try_from(at).expect("few");
    for (at, operation) in Operation::ALL.into_iter().enumerate() {
        let body = match operation {
            Operation::UnwrapInput => service.wrapped().as_bytes().to_vec(),
            _ => service.good_answer(operation),
        };
        seeds.push((
            format!("{operation:?}").to_lowercase(),
            [&[of(at), 0], body.as_slice()].concat(),
        ));
    }
    for (at, status) in STATUSES.into_iter().enumerate().skip(1) {
        seeds.push((format!("status-{status}"), [&[1, of(at)], error].concat()));
    }
    seeds
}

/// Returns the seeds of each target.
pub(crate) fn seeds() -> Vec<(&'static str, Seeds)> {
    vec![
        ("aws_kms", aws::seeds()),
        ("azure_key_vault_key", azure::seeds()),
        ("gcp_kms", gcp::seeds()),
        ("transit", transit::seeds()),
    ]
}
