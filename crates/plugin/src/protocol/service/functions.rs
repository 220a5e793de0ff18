//! Handler of functions.

use std::sync::Arc;

use super::Inner;
use crate::protocol::codec::{decode_value, encode_value};
use crate::protocol::registry::FunctionEntry;
use crate::protocol::wire;
use crate::{Diagnostic, Diagnostics, FunctionError};

pub(super) async fn call(
    inner: Arc<Inner>,
    request: wire::CallFunctionRequest,
) -> Result<wire::CallFunctionResponse, Diagnostics> {
    let Some(entry) = inner.registry().functions.get(&request.name) else {
        let name = &request.name;
        return Err(Diagnostic::bug(format!("This provider has no function {name}.")).into());
    };
    Ok(match run(&inner, entry, request.arguments).await {
        Ok(result) => wire::CallFunctionResponse {
            result: Some(result),
            error: None,
        },
        Err(error) => wire::CallFunctionResponse {
            result: None,
            error: Some(wire::FunctionError {
                text: error.text,
                function_argument: error.argument.and_then(|index| i64::try_from(index).ok()),
            }),
        },
    })
}

async fn run(
    inner: &Inner,
    entry: &FunctionEntry,
    given: Vec<wire::DynamicValue>,
) -> Result<wire::DynamicValue, FunctionError> {
    let signature = &entry.signature;
    if given.len() < signature.parameters.len() {
        return Err(FunctionError::new("Too few arguments."));
    }
    let mut arguments = Vec::with_capacity(given.len());
    for (index, argument) in given.into_iter().enumerate() {
        let parameter = signature
            .parameters
            .get(index)
            .or(signature.variadic.as_ref());
        let parameter =
            parameter.ok_or_else(|| FunctionError::argument(index, "Too many arguments."))?;
        let value = decode_value(Some(argument), &parameter.ty)
            .map_err(|error| FunctionError::argument(index, error.to_string()))?;
        arguments.push(value);
    }
    let result = entry.it.call(&inner.context(None), arguments).await?;
    encode_value(&result, &signature.return_type).map_err(|error| {
        let bug = Diagnostic::bug(format!(
            "The result does not match the function's type: {error}."
        ));
        FunctionError::new(bug.detail)
    })
}
