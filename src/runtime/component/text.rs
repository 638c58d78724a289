//! Text that does not grow beyond a cap: a type can have a part many times, so that its text would be endless.

use std::fmt::{self, Write as _};

/// The maximum number of bytes of a text.
const MAX_BYTES: usize = 4 << 20;

/// The error of a text that has this cap, and would exceed it.
#[derive(Debug)]
pub(super) struct Full(pub(super) usize);

/// A text that grows up to the cap.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// # Errors
    /// If the text would exceed the cap.
    pub(super) fn add(&mut self, text: &str) -> Result<(), Full> {
        if self.0.len() + text.len() > MAX_BYTES {
            return Err(Full(MAX_BYTES));
        }
        self.0.push_str(text);
        Ok(())
    }

    /// # Errors
    /// As [`Text::add`].
    pub(super) fn format(&mut self, text: fmt::Arguments<'_>) -> Result<(), Full> {
        self.write_fmt(text).map_err(|_| Full(MAX_BYTES))
    }

    /// Adds a line with this number of indentations before it.
    ///
    /// # Errors
    /// As [`Text::add`].
    pub(super) fn line(&mut self, indent: usize, text: fmt::Arguments<'_>) -> Result<(), Full> {
        for _ in 0..indent {
            self.add("  ")?;
        }
        self.format(text)?;
        self.add("\n")
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text).map_err(|_| fmt::Error)
    }
}
