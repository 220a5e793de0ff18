//! Functions: pure, and callable before the provider is configured.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{AttributeType, Context, Value};

/// What a function takes and gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The positional parameters.
    pub parameters: Vec<Parameter>,
    /// What takes any further arguments.
    pub variadic: Option<Parameter>,
    /// What it gives.
    pub return_type: AttributeType,
    /// One line.
    pub summary: String,
    /// Markdown.
    pub description: String,
    /// Why not to use this any more.
    pub deprecation: Option<String>,
}

/// One parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: AttributeType,
    /// Whether null is passed on; otherwise the host refuses it.
    pub allow_null: bool,
    /// Whether unknown is passed on; otherwise the host gives unknown without
    /// a call.
    pub allow_unknown: bool,
    /// Markdown.
    pub description: String,
}

/// A call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct FunctionError {
    /// What is wrong; never an argument's value that may be secret.
    pub text: String,
    /// Which argument is to blame, from 0.
    pub argument: Option<usize>,
}

impl Signature {
    /// A function that gives `return_type`.
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

    /// Sets what takes any further arguments.
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
    /// A parameter that is neither null nor unknown in a call.
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

    /// Null is passed on.
    #[must_use]
    pub fn allow_null(mut self) -> Self {
        self.allow_null = true;
        self
    }

    /// Unknown is passed on.
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
    /// A failure of the whole call.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: None,
        }
    }

    /// A failure that one argument is to blame for, from 0.
    #[must_use]
    pub fn argument(index: usize, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: Some(index),
        }
    }
}

/// A pure function.
#[async_trait]
pub trait Function: Send + Sync + Debug + 'static {
    /// Returns the bare name: `secret_ref`.
    fn name(&self) -> &str;

    /// Returns what it takes and gives.
    fn signature(&self) -> Signature;

    /// Computes the result. There is one argument for each positional
    /// parameter, and any number of variadic ones after them.
    ///
    /// # Errors
    ///
    /// [`FunctionError`] for arguments that the function can't take.
    async fn call(&self, cx: &Context, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}
