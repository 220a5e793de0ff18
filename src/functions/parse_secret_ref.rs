//! `parse_secret_ref(reference)`: parses a reference to a secret.

use async_trait::async_trait;

use planton_core::names::Slug;
use planton_plugin::{
    AttributeType, Context, Function, FunctionError, Parameter, Signature, Value,
};

/// The function `parse_secret_ref`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParseSecretRef;

#[async_trait]
impl Function for ParseSecretRef {
    fn name(&self) -> &'static str {
        "parse_secret_ref"
    }

    fn signature(&self) -> Signature {
        let parts = ["environment", "name", "key"].map(|name| (name, AttributeType::String));
        Signature::returning(AttributeType::object(parts))
            .parameter(
                Parameter::new("reference", AttributeType::String)
                    .describe("Reference to a secret, such as `$secret/@production/db/password`."),
            )
            .describe(
                "Parses a reference to a secret",
                "Returns an object with `environment`, `name` and `key`. Parts that the reference \
                 omits are null.",
            )
    }

    async fn call(&self, _cx: &Context, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let text = arguments
            .first()
            .and_then(Value::as_str)
            .unwrap_or_default();
        parse(text).ok_or_else(|| {
            // The argument is not quoted, since a secret may have been passed in its place.
            FunctionError::argument(
                0,
                "the reference is not of the form $secret/<name>, $secret/<name>/<key>, \
                 $secret/@<environment>/<name> or $secret/@<environment>/<name>/<key>",
            )
        })
    }
}

fn parse(text: &str) -> Option<Value> {
    let rest = text.strip_prefix("$secret/")?;
    let (environment, rest) = match rest.strip_prefix('@') {
        Some(rest) => {
            let (environment, rest) = rest.split_once('/')?;
            (Some(Slug::parse(environment).ok()?.to_string()), rest)
        }
        None => (None, rest),
    };
    let (name, key) = match rest.split_once('/') {
        Some((name, key)) => (name, Some(key)),
        None => (rest, None),
    };
    if key.is_some_and(|key| key.is_empty() || key.contains('/')) {
        return None;
    }
    let name = Slug::parse(name).ok()?;
    Some(Value::object([
        ("environment", environment.into()),
        ("name", name.as_str().into()),
        ("key", key.into()),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<[Option<String>; 3]> {
        let value = parse(text)?;
        Some(
            ["environment", "name", "key"]
                .map(|name| value.attribute(name).as_str().map(str::to_owned)),
        )
    }

    #[test]
    fn the_four_published_forms_are_parsed_and_no_other() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("$secret/db"), Some([None, some("db"), None]));
        assert_eq!(
            parts("$secret/db/user"),
            Some([None, some("db"), some("user")])
        );
        assert_eq!(
            parts("$secret/@prod/db"),
            Some([some("prod"), some("db"), None])
        );
        let whole = parts("$secret/@prod/db/user");
        assert_eq!(whole, Some([some("prod"), some("db"), some("user")]));
        for bad in [
            "",
            "db",
            "$secret/",
            "$secret/@prod",
            "$secret/a/b/c",
            "$secret/A",
            "$secret/a/",
        ] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn an_invalid_reference_is_not_quoted() {
        let (context, arguments) = (Context::new(), vec!["hunter2".into()]);
        let told = format!("{:?}", ParseSecretRef.call(&context, arguments).await);
        assert!(told.contains("is not of the form"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}
