//! The frames of a guest's call stack.

use std::fmt;

use serde::Serialize;

/// A function of a guest that was running when an error occurred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WasmFrame {
    /// The function's name in the module's name section, or `<function 3>` with its index if it has none. Cut at 100
    /// characters, like every name here; line breaks and control characters are escaped.
    pub func: String,
    /// The module's name in its name section, or `<module 3>` with its handle if it has none.
    pub module: String,
    /// The offset of the instruction in the module's binary, in bytes. The binary of a module in the text format is
    /// the one that it was converted to. `None` if the engine does not know which instruction ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
    /// The place in the source, if the module has debug information in the DWARF format.
    #[serde(flatten)]
    pub source: Option<SourceLocation>,
}

/// A place in the source of a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SourceLocation {
    /// The path of the file as the compiler wrote it. It is relative to the folder in which the compiler ran, or
    /// absolute. Cut at 200 characters.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1. `None` if the compiler did not write one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl fmt::Display for WasmFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.func)?;
        if let Some(offset) = self.offset {
            write!(f, " (@{offset:#x})")?;
        }
        match &self.source {
            Some(source) => write!(f, " at {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        match self.column {
            Some(column) => write!(f, ":{column}"),
            None => Ok(()),
        }
    }
}
