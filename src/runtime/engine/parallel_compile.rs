//! The number of functions that are compiled at a time.

use crate::runtime::base::error::WasmError;

/// Returns the number of functions that the compiler compiles at a time.
pub(crate) fn usual() -> usize {
    rayon::current_num_threads()
}

/// Runs `compile`, which compiles at most `functions` functions at a time.
///
/// # Errors
/// `CompileError` if no thread can be started.
pub(crate) fn with_at_most<R: Send>(
    functions: usize,
    compile: impl FnOnce() -> R + Send,
) -> Result<R, WasmError> {
    if functions >= usual() {
        return Ok(compile());
    }
    tracing::debug!(
        functions,
        "compiles fewer functions at a time to save memory"
    );
    // The compiler uses the threads of the pool that it runs in.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(functions)
        .thread_name(|_| "wasm-compile".to_owned())
        .build()
        .map_err(|error| WasmError::compile(format!("no thread to compile on: {error}")))?;
    Ok(pool.install(compile))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_sees_as_many_threads_as_it_may_use() {
        let threads = |functions| with_at_most(functions, rayon::current_num_threads).unwrap();
        assert_eq!(threads(1), 1);
        assert_eq!(threads(usual()), usual());
        assert_eq!(threads(usize::MAX), usual());
    }
}
