//! `secret_ref(name, environment, key)`: builds a reference to a secret.

use async_trait::async_trait;

use planton_core::names::Slug;
use planton_plugin::{
    AttributeType, Context, Function, FunctionError, Parameter, Signature, Value,
};

/// The function `secret_ref`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretRef;

#[async_trait]
impl Function for SecretRef {
    fn name(&self) -> &'static str {
        "secret_ref"
    }

    fn signature(&self) -> Signature {
        let text = |name: &str| Parameter::new(name, AttributeType::String);
        Signature::returning(AttributeType::String)
            .parameter(text("name").describe("Name of the secret."))
            .parameter(
                text("environment")
                    .allow_null()
                    .describe("Name of the environment; null for a secret of organization scope."),
            )
            .parameter(
                text("key")
                    .allow_null()
                    .describe("Key in a key-value secret; null for the whole secret."),
            )
            .describe(
                "Builds a reference to a secret",
                "Returns `$secret/<name>`, `$secret/<name>/<key>`, `$secret/@<environment>/<name>` \
                 or `$secret/@<environment>/<name>/<key>`.",
            )
    }

    async fn call(&self, _cx: &Context, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let text = |index: usize| arguments.get(index).and_then(Value::as_str);
        let slug = |index: usize, what: &str, text: &str| {
            // The argument is not quoted, since a secret may have been passed in its place.
            Slug::parse(text)
                .map_err(|error| FunctionError::argument(index, format!("the {what} {error}")))
        };
        let mut reference = "$secret/".to_owned();
        let name = slug(0, "name", text(0).unwrap_or_default())?;
        if let Some(environment) = text(1) {
            let environment = slug(1, "environment", environment)?;
            reference.push_str(&format!("@{environment}/"));
        }
        reference.push_str(name.as_str());
        if let Some(key) = text(2) {
            if key.is_empty() || key.contains('/') {
                let why = "the key must not be empty and must not contain a slash";
                return Err(FunctionError::argument(2, why));
            }
            reference.push_str(&format!("/{key}"));
        }
        Ok(reference.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn call(name: &str, environment: Option<&str>, key: Option<&str>) -> Option<String> {
        let arguments = vec![name.into(), environment.into(), key.into()];
        let result = SecretRef.call(&Context::new(), arguments).await;
        result
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
    }

    #[tokio::test]
    async fn references_have_the_four_published_forms() {
        assert_eq!(call("db", None, None).await.as_deref(), Some("$secret/db"));
        assert_eq!(
            call("db", None, Some("user")).await.as_deref(),
            Some("$secret/db/user")
        );
        assert_eq!(
            call("db", Some("prod"), None).await.as_deref(),
            Some("$secret/@prod/db")
        );
        let whole = call("db", Some("prod"), Some("user")).await;
        assert_eq!(whole.as_deref(), Some("$secret/@prod/db/user"));
        assert_eq!(call("Not a slug", None, None).await, None);
        assert_eq!(call("db", None, Some("a/b")).await, None);
    }

    #[tokio::test]
    async fn arguments_are_not_quoted() {
        for arguments in [
            ["hunter2!", "prod", "key"],
            ["db", "hunter2!", "key"],
            ["db", "prod", "hunter2/"],
        ] {
            let arguments = arguments.into_iter().map(Value::from).collect();
            let told = format!("{:?}", SecretRef.call(&Context::new(), arguments).await);
            assert!(told.contains("must"), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
