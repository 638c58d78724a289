//! Stores of asynchronous components: several calls run in one store, and guests are suspended while they wait.
//!
//! A [`driver`] has the store while a call of it can go on, on a thread of its own. It talks with the thread of the store by
//! an [`exchange`]: commands one way, events the other. Imports are events, which the thread of the store answers, so that
//! functions of the host never run on another thread.
//!
//! Where the thread of the store waits itself ([`in_place`]), it has the store, and answers imports between two polls.

mod chunk;
pub(crate) mod driver;
pub(crate) mod element;
pub(crate) mod exchange;
pub(crate) mod fiber_stacks;
mod in_place;
mod sink;
mod source;
pub(crate) mod stream;
