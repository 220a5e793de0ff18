//! Provider-defined functions, which are pure and need no configured provider.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{AttributeType, Context, Value};

/// Signature of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Positional parameters.
    pub parameters: Vec<Parameter>,
    /// Parameter for any number of further arguments.
    pub variadic: Option<Parameter>,
    /// Type of the result.
    pub return_type: AttributeType,
    /// Summary of one line.
    pub summary: String,
    /// Description in Markdown.
    pub description: String,
    /// Reason of a deprecation.
    pub deprecation: Option<String>,
}

/// Parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name of the parameter.
    pub name: String,
    /// Type of the argument.
    pub ty: AttributeType,
    /// Whether null is allowed; otherwise the host rejects it.
    pub allow_null: bool,
    /// Whether an unknown argument is allowed; otherwise the host returns an unknown result
    /// without a call.
    pub allow_unknown: bool,
    /// Description in Markdown.
    pub description: String,
}

/// Error of a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct FunctionError {
    /// Message. It never contains the value of an argument, which may be a secret.
    pub text: String,
    /// Index of the invalid argument, from 0.
    pub argument: Option<usize>,
}

impl Signature {
    /// Creates the signature of a function without parameters.
    #[must_use]
    pub fn returning(return_type: AttributeType) -> Self {
        Self {
            parameters: Vec::new(),
            variadic: None,
            return_type,
            summary: String::new(),
            description: String::new(),
            deprecation: None,
        }
    }

    /// Adds a positional parameter.
    #[must_use]
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Sets the parameter for any number of further arguments.
    #[must_use]
    pub fn variadic(mut self, parameter: Parameter) -> Self {
        self.variadic = Some(parameter);
        self
    }

    /// Sets summary and description.
    #[must_use]
    pub fn describe(mut self, summary: impl Into<String>, markdown: impl Into<String>) -> Self {
        self.summary = summary.into();
        self.description = markdown.into();
        self
    }
}

impl Parameter {
    /// Creates a parameter whose argument is neither null nor unknown.
    #[must_use]
    pub fn new(name: impl Into<String>, ty: AttributeType) -> Self {
        Self {
            name: name.into(),
            ty,
            allow_null: false,
            allow_unknown: false,
            description: String::new(),
        }
    }

    /// Allows null.
    #[must_use]
    pub fn allow_null(mut self) -> Self {
        self.allow_null = true;
        self
    }

    /// Allows an unknown argument.
    #[must_use]
    pub fn allow_unknown(mut self) -> Self {
        self.allow_unknown = true;
        self
    }

    /// Sets the description, in Markdown.
    #[must_use]
    pub fn describe(mut self, markdown: impl Into<String>) -> Self {
        self.description = markdown.into();
        self
    }
}

impl FunctionError {
    /// Creates an error of the whole call.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: None,
        }
    }

    /// Creates an error of one argument, by its index from 0.
    #[must_use]
    pub fn argument(index: usize, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: Some(index),
        }
    }
}

/// Provider-defined function, which is pure.
#[async_trait]
pub trait Function: Send + Sync + Debug + 'static {
    /// Returns the bare name: `secret_ref`.
    fn name(&self) -> &str;

    /// Returns the signature.
    fn signature(&self) -> Signature;

    /// Computes the result. `arguments` has one value for each positional parameter, followed
    /// by the variadic ones.
    ///
    /// # Errors
    ///
    /// [`FunctionError`] for invalid arguments.
    async fn call(&self, cx: &Context, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}
