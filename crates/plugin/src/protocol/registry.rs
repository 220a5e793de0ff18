//! Resources, data sources, ephemeral resources and functions of a provider, by name, with
//! their schemas. Built on first use.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::codec::{CodecError, decode_value, encode_value};
use super::wire;
use crate::required::expect_required;
use crate::timeouts::Operation;
use crate::{
    AttributeType, DataSource, Diagnostic, Diagnostics, EphemeralResource, Function,
    IdentitySchema, Provider, Resource, Schema, Signature, Value, write_only_as_null,
};

/// Registry of everything that a provider offers.
pub(super) struct Registry {
    pub(super) provider: Typed,
    pub(super) resources: BTreeMap<String, ResourceEntry>,
    pub(super) data_sources: BTreeMap<String, Entry<dyn DataSource>>,
    pub(super) ephemeral_resources: BTreeMap<String, Entry<dyn EphemeralResource>>,
    pub(super) functions: BTreeMap<String, FunctionEntry>,
}

/// Schema, and the type of its values.
pub(super) struct Typed {
    pub(super) schema: Schema,
    pub(super) ty: AttributeType,
}

pub(super) struct Entry<T: ?Sized> {
    pub(super) it: Arc<T>,
    pub(super) typed: Typed,
}

pub(super) struct ResourceEntry {
    pub(super) it: Arc<dyn Resource>,
    pub(super) typed: Typed,
    pub(super) identity: Option<Identity>,
}

pub(super) struct Identity {
    pub(super) schema: IdentitySchema,
    pub(super) ty: AttributeType,
}

pub(super) struct FunctionEntry {
    pub(super) it: Arc<dyn Function>,
    pub(super) signature: Signature,
}

impl Registry {
    pub(super) fn new(provider: &dyn Provider) -> Self {
        let resources = provider.resources().into_iter().map(|it| {
            let identity = it.identity_schema().map(|schema| Identity {
                ty: schema.attribute_type(),
                schema,
            });
            let typed = Typed::new(it.schema());
            let name = it.type_name().to_owned();
            (
                name,
                ResourceEntry {
                    it,
                    typed,
                    identity,
                },
            )
        });
        let data_sources = provider.data_sources().into_iter().map(|it| {
            let typed = Typed::new(it.schema());
            (it.type_name().to_owned(), Entry { it, typed })
        });
        let ephemeral_resources = provider.ephemeral_resources().into_iter().map(|it| {
            let typed = Typed::new(it.schema());
            (it.type_name().to_owned(), Entry { it, typed })
        });
        let functions = provider.functions().into_iter().map(|it| {
            let signature = it.signature();
            (it.name().to_owned(), FunctionEntry { it, signature })
        });
        Self {
            provider: Typed::new(provider.schema()),
            resources: resources.collect(),
            data_sources: data_sources.collect(),
            ephemeral_resources: ephemeral_resources.collect(),
            functions: functions.collect(),
        }
    }

    pub(super) fn resource(&self, name: &str) -> Result<&ResourceEntry, Diagnostics> {
        self.resources
            .get(name)
            .ok_or_else(|| unknown("resource", name))
    }

    pub(super) fn data_source(&self, name: &str) -> Result<&Entry<dyn DataSource>, Diagnostics> {
        self.data_sources
            .get(name)
            .ok_or_else(|| unknown("data source", name))
    }

    pub(super) fn ephemeral_resource(
        &self,
        name: &str,
    ) -> Result<&Entry<dyn EphemeralResource>, Diagnostics> {
        self.ephemeral_resources
            .get(name)
            .ok_or_else(|| unknown("ephemeral resource", name))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Typed {
    fn new(schema: Schema) -> Self {
        let ty = schema.attribute_type();
        Self { schema, ty }
    }

    /// Decodes a value from the host.
    pub(super) fn incoming(&self, value: Option<wire::DynamicValue>) -> Result<Value, Diagnostics> {
        decode_value(value, &self.ty).map_err(ill_typed_request)
    }

    /// Decodes a configuration that the host wants checked.
    ///
    /// # Errors
    ///
    /// `Missing Required Argument` for a required one that is null.
    pub(super) fn config(&self, value: Option<wire::DynamicValue>) -> Result<Value, Diagnostics> {
        let config = self.incoming(value)?;
        expect_required(&self.schema, &config)?;
        Ok(config)
    }

    /// Encodes a value for the host. Every response uses this.
    ///
    /// # Security
    ///
    /// Sets write-only attributes to null, whatever the author returned.
    pub(super) fn outgoing(&self, value: Value) -> Result<wire::DynamicValue, Diagnostics> {
        let value = write_only_as_null(&self.schema, value);
        encode_value(&value, &self.ty).map_err(ill_typed_answer)
    }
}

impl ResourceEntry {
    /// Returns the time limit, from the attribute in `configured` or the default.
    pub(super) fn limit(&self, operation: Operation, configured: &Value) -> Option<Duration> {
        let timeouts = self.it.timeouts()?;
        Some(timeouts.limit(operation, configured))
    }

    /// Decodes an identity; null if there is none.
    pub(super) fn incoming_identity(
        &self,
        data: Option<wire::ResourceIdentityData>,
    ) -> Result<Value, Diagnostics> {
        match (&self.identity, data) {
            (Some(identity), Some(data)) => {
                decode_value(data.identity_data, &identity.ty).map_err(ill_typed_request)
            }
            _ => Ok(Value::Null),
        }
    }

    /// Encodes an identity; `None` if there is none.
    pub(super) fn outgoing_identity(
        &self,
        value: &Value,
    ) -> Result<Option<wire::ResourceIdentityData>, Diagnostics> {
        let Some(identity) = self.identity.as_ref().filter(|_| !value.is_null()) else {
            return Ok(None);
        };
        let data = encode_value(value, &identity.ty).map_err(ill_typed_answer)?;
        Ok(Some(wire::ResourceIdentityData {
            identity_data: Some(data),
        }))
    }
}

fn unknown(kind: &str, name: &str) -> Diagnostics {
    Diagnostic::bug(format!("This provider has no {kind} {name}.")).into()
}

pub(super) fn ill_typed_request(error: CodecError) -> Diagnostics {
    let path = error.path();
    if error.is_of_encoding() {
        return Diagnostic::error(
            "Value Not Valid Text",
            "The value is not valid UTF-8, so it is no text of Terraform's.\n\nCorrect it where it \
             comes from: a variable of the environment (TF_VAR_…), a file, or a program. To keep \
             binary data, encode it first, as by base64.",
        )
        .at(path)
        .into();
    }
    Diagnostic::bug(format!(
        "A value from the host does not match the schema: {error}."
    ))
    .at(path)
    .into()
}

pub(super) fn ill_typed_answer(error: CodecError) -> Diagnostics {
    let path = error.path();
    Diagnostic::bug(format!("The result does not match the schema: {error}."))
        .at(path)
        .into()
}
