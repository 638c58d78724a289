use std::fmt;
use std::io;
use std::path::PathBuf;

/// The reason why a build failed.
/// `Debug` prints the same text as `Display`: a build script ends in `.expect("weld")`, which prints the `Debug`
/// text, and its author sees nothing else.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// All problems of the TypeScript and of the list of ops, one `file:line:column: message` on each line.
    #[error("{}", Lines(.0))]
    Source(Vec<Problem>),
    /// A variable that cargo sets for every build script is missing.
    #[error("{0} is not set: forge-weld works inside a build script, started by cargo")]
    NotABuildScript(&'static str),
    /// An output could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file that could not be written.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

/// A problem, and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The name of the file, as given by the build script or by the caller of [`transpile`](crate::transpile).
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// A description of the problem and, if known, the way to fix it.
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
