use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a weld was refused or could not be finished.
///
/// `Debug` prints the same text as `Display`: a build script ends in `.expect("weld")`, and what that prints is the
/// only thing its author sees.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Everything that is wrong with the TypeScript or with the list of ops, one `file:line:column: message` a line.
    #[error("{}", Lines(.0))]
    Source(Vec<Problem>),
    /// A variable that cargo sets for every build script is missing.
    #[error("{0} is not set: forge-weld works inside a build script, started by cargo")]
    NotABuildScript(&'static str),
    /// An output could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file in question.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as the build script or the caller of [`transpile`](crate::transpile) named it.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What is wrong and, where it is known, what to do about it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}
