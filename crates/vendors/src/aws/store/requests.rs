//! The requests to AWS Secrets Manager.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_sdk_secretsmanager::primitives::Blob;
use uuid::Uuid;

use super::description;
use super::version::{ObjectId, StoredVersion, label_among, label_name};
use crate::aws::caller::Caller;
use crate::aws::client::{AwsError, AwsErrorKind, AwsSession};
use crate::aws::credential::AwsCredential;
use crate::aws::errors::{Place, explain};
use crate::aws::settings::{AwsConfig, Recovery};
use planton_core::store::{RemoteName, StoreError};

/// Maximum number of tries on a new secret. AWS is eventually consistent: a server may
/// not find a secret that was created a moment ago.
const TRIES_OF_WHAT_IS_NEW: u32 = 5;

/// Client of AWS Secrets Manager.
#[derive(Debug)]
pub(super) struct SecretsManager {
    session: AwsSession,
    client: Client,
    kms_key_id: Option<String>,
    caller: Caller,
    pace: Duration,
}

/// A version to put.
pub(super) struct NewVersion<'a> {
    pub(super) payload: &'a [u8],
    pub(super) attempt: Uuid,
    pub(super) label: u8,
    /// Whether `AWSCURRENT` moves to it.
    pub(super) is_current: bool,
}

/// The metadata of a secret.
pub(super) struct Described {
    pub(super) object: Option<ObjectId>,
    pub(super) is_ours: bool,
    pub(super) is_deleted: bool,
    stages: HashMap<String, Vec<String>>,
}

/// The value of a version; the payload is absent if the version has no bytes.
pub(super) struct Fetched {
    pub(super) object: Option<ObjectId>,
    pub(super) payload: Option<Vec<u8>>,
}

impl Described {
    /// Returns true if the version has a staging label, so that AWS keeps it.
    ///
    /// If a racing writer took the version's own label, it still has `AWSPREVIOUS`, and
    /// stays readable.
    pub(super) fn holds(&self, version: &StoredVersion) -> bool {
        let stages = self.stages.get(&version.version_id);
        stages.is_some_and(|stages| !stages.is_empty())
    }
}

impl SecretsManager {
    pub(super) fn new(
        session: AwsSession,
        config: &AwsConfig,
        credential: &AwsCredential,
        pace: Duration,
    ) -> Self {
        let mut builder = Builder::from(session.config());
        if let Some(endpoint) = config.connection.endpoint_url() {
            builder = builder.endpoint_url(endpoint);
        }
        Self {
            client: Client::from_conf(builder.build()),
            session,
            kms_key_id: config.at_rest_kms_key_id.clone(),
            caller: Caller::new(&config.connection, credential),
            pace,
        }
    }

    pub(super) fn requests(&self) -> u64 {
        self.session.requests().total()
    }

    pub(super) fn explain(
        &self,
        error: AwsError,
        operation: &'static str,
        name: &RemoteName,
    ) -> StoreError {
        let place = Place {
            name,
            region: self.session.region(),
            kms_key_id: self.kms_key_id.as_deref(),
            caller: &self.caller,
        };
        explain(error, operation, place)
    }

    /// Creates an empty secret, or returns the one that an earlier try or an
    /// interrupted creation made.
    pub(super) async fn create(
        &self,
        name: &RemoteName,
        labels: &BTreeMap<String, String>,
    ) -> Result<ObjectId, StoreError> {
        const OPERATION: &str = "CreateSecret";
        let text = description::describe(name, labels);
        let sending = || {
            let create = self.client.create_secret().name(name.as_str());
            let create = create.description(&text);
            create.set_kms_key_id(self.kms_key_id.clone()).send()
        };
        let refused = match self.session.call(sending).await {
            Ok(created) => {
                let object = created.arn().and_then(|arn| parse(arn, name));
                return object.ok_or_else(|| self.explain(no_arn(), OPERATION, name));
            }
            Err(refused) => refused,
        };
        if refused.kind() != AwsErrorKind::AlreadyExists {
            return Err(self.explain(refused, OPERATION, name));
        }
        match self.describe(name, None).await {
            Ok(secret) if secret.is_ours && !secret.is_deleted => secret
                .object
                .ok_or_else(|| self.explain(no_arn(), OPERATION, name)),
            Err(error) if error.kind() != AwsErrorKind::NotFound => {
                Err(self.explain(error, "DescribeSecret", name))
            }
            _ => Err(self.explain(refused, OPERATION, name)),
        }
    }

    /// Puts a version. The call is idempotent: the same attempt with the same payload
    /// is one version.
    pub(super) async fn put(
        &self,
        name: &RemoteName,
        object: &ObjectId,
        new: &NewVersion<'_>,
    ) -> Result<StoredVersion, AwsError> {
        let arn = object.arn(self.session.region(), name.as_str());
        let version_id = new.attempt.to_string();
        // Stages that are given without AWSCURRENT leave it where it is:
        // https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
        let mut stages = vec![label_name(new.label)];
        stages.extend(new.is_current.then(|| "AWSCURRENT".to_owned()));
        let sending = || {
            let put = self.client.put_secret_value().secret_id(&arn);
            put.client_request_token(&version_id)
                //= docs/format.md#20-places
                //# On AWS Secrets Manager, a writer MUST write an envelope at the place and in
                //# the form of this table.
                .secret_binary(Blob::new(new.payload))
                .set_version_stages(Some(stages.clone()))
                .send()
        };
        let put = self.session.call(sending).await?;
        let object = put.arn().and_then(|arn| parse(arn, name));
        Ok(StoredVersion {
            version_id,
            // A repeated put keeps the label of the first one.
            label: label_among(put.version_stages()).unwrap_or(new.label),
            object: object.ok_or_else(no_arn)?,
        })
    }

    /// Puts a version, as [`put`](Self::put), into a secret that was created a moment
    /// ago.
    pub(super) async fn put_into_new(
        &self,
        name: &RemoteName,
        object: &ObjectId,
        new: &NewVersion<'_>,
    ) -> Result<StoredVersion, AwsError> {
        let mut tries = 1;
        loop {
            match self.put(name, object, new).await {
                Err(error)
                    if error.kind() == AwsErrorKind::NotFound && tries < TRIES_OF_WHAT_IS_NEW =>
                {
                    tokio::time::sleep(self.pace * 4_u32.pow(tries - 1)).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Reads a version by the name of its secret. By ARN, AWS would deny access to
    /// another account's secret instead of returning not found.
    pub(super) async fn get(
        &self,
        name: &RemoteName,
        version_id: &str,
    ) -> Result<Fetched, AwsError> {
        let sending = || {
            let get = self.client.get_secret_value().secret_id(name.as_str());
            get.version_id(version_id).send()
        };
        let got = self.session.call(sending).await?;
        Ok(Fetched {
            object: got.arn().and_then(|arn| parse(arn, name)),
            payload: got.secret_binary.map(Blob::into_inner),
        })
    }

    /// Reads the metadata of a secret, by the ARN of `object` if one is given.
    pub(super) async fn describe(
        &self,
        name: &RemoteName,
        object: Option<&ObjectId>,
    ) -> Result<Described, AwsError> {
        let id = match object {
            Some(object) => object.arn(self.session.region(), name.as_str()),
            None => name.as_str().to_owned(),
        };
        let sending = || self.client.describe_secret().secret_id(&id).send();
        let secret = self.session.call(sending).await?;
        Ok(Described {
            object: secret.arn().and_then(|arn| parse(arn, name)),
            is_ours: description::is_ours(name, secret.description()),
            is_deleted: secret.deleted_date().is_some(),
            stages: secret.version_ids_to_stages.unwrap_or_default(),
        })
    }

    /// Reads the current value of a secret of any writer.
    pub(super) async fn current(&self, name: &RemoteName) -> Result<Option<Vec<u8>>, AwsError> {
        let sending = || {
            let get = self.client.get_secret_value().secret_id(name.as_str());
            get.send()
        };
        let got = self.session.call(sending).await?;
        let text = got.secret_string.map(String::into_bytes);
        Ok(text.or_else(|| got.secret_binary.map(Blob::into_inner)))
    }

    pub(super) async fn delete(
        &self,
        name: &RemoteName,
        object: &ObjectId,
        recovery: Recovery,
    ) -> Result<(), AwsError> {
        let arn = object.arn(self.session.region(), name.as_str());
        self.delete_id(&arn, recovery).await
    }

    /// Deletes the secret of this name, of any writer.
    pub(super) async fn delete_named(
        &self,
        name: &RemoteName,
        recovery: Recovery,
    ) -> Result<(), AwsError> {
        self.delete_id(name.as_str(), recovery).await
    }

    async fn delete_id(&self, id: &str, recovery: Recovery) -> Result<(), AwsError> {
        let sending = || {
            let delete = self.client.delete_secret().secret_id(id);
            match recovery {
                Recovery::Default => delete.send(),
                Recovery::Days(days) => delete.recovery_window_in_days(days.into()).send(),
                Recovery::None => delete.force_delete_without_recovery(true).send(),
            }
        };
        self.session.tell(sending).await
    }
}

fn parse(arn: &str, name: &RemoteName) -> Option<ObjectId> {
    ObjectId::parse(arn, name.as_str())
}

fn no_arn() -> AwsError {
    AwsError::new(
        AwsErrorKind::Unexpected,
        "an answer without the secret's ARN",
    )
}
