//! What the driver does with the exchange.

use std::task::Context;

use wasmtime::component::Val;

use super::{Command, Event, Exchange, Quiet, State};
use crate::runtime::base::error::WasmError;
use crate::runtime::engine::deadline;
use crate::runtime::engine::interrupt::Deadline;

impl Exchange {
    /// Sets the number that the session is watched by.
    pub(in super::super) fn set_watch(&self, watch: u64) {
        let mut state = self.state();
        state.watch = watch;
        self.move_deadline(&state);
    }

    /// Takes the next command. The waker is woken when there is another one.
    pub(in super::super) fn next_command(&self, context: &Context<'_>) -> Option<Command> {
        let mut state = self.state();
        match state.commands.pop_front() {
            Some(command) => {
                state.taken = state.taken.wrapping_add(1);
                Some(command)
            }
            None => {
                state.driver = Some(context.waker().clone());
                None
            }
        }
    }

    /// Reports the end of a call, unless the instance has ended with it.
    pub(in super::super) fn call_ended(&self, number: u32, ended: Result<Vec<Val>, WasmError>) {
        let mut state = self.state();
        state.calls = state.calls.saturating_sub(1);
        if let Some(deadline) = state.deadlines.remove(&number) {
            // Its task may go on.
            let others = state.task_deadline.filter(|other| other.at < deadline.at);
            state.task_deadline = others.or(Some(deadline));
        }
        drop(state);
        self.push(match ended {
            Ok(values) => Event::Returned(number, values),
            Err(error) => Event::Refused(number, error),
        });
    }

    /// Reports that the instance has ended.
    pub(in super::super) fn ended(&self, event: Event) {
        let mut state = self.state();
        state.has_ended = true;
        state.calls = 0;
        state.deadlines.clear();
        state.commands.clear();
        state.requests.clear();
        state.sources.clear();
        state.sinks.clear();
        drop(state);
        self.push(event);
    }

    /// Whether the store has to be given back although something may go on.
    pub(in super::super) fn pauses(&self) -> bool {
        let mut state = self.state();
        let pauses = state.wants_pause && state.commands.is_empty();
        state.was_paused |= pauses;
        pauses
    }

    /// Something goes on.
    pub(in super::super) fn resumed(&self) {
        let mut state = self.state();
        state.is_quiet = false;
        if state.task_deadline.is_none() {
            state.task_deadline = self.timeout.and_then(Deadline::after);
            self.move_deadline(&state);
        }
    }

    /// Nothing goes on.
    pub(in super::super) fn pause(&self) {
        let mut state = self.state();
        state.is_quiet = true;
        if state.task_deadline.take().is_some() {
            self.move_deadline(&state);
        }
        self.paused.notify_all();
    }

    /// Reports that nothing goes on.
    pub(in super::super) fn quiet(&self, awaits_host: bool, is_stuck: bool) {
        let mut state = self.state();
        // The thread of the store needs to know only the last one of several in a row.
        if let Some(Event::Quiet(_)) = state.events.back() {
            state.events.pop_back();
        }
        let quiet = Quiet {
            awaits_host,
            is_stuck,
            has_deadline: !state.deadlines.is_empty(),
            commands: state.taken,
        };
        drop(state);
        self.push(Event::Quiet(quiet));
    }

    /// Ends the driver's turn by `rest`, unless there are commands. Returns whether it did.
    pub(in super::super) fn end_driving(&self, rest: impl FnOnce()) -> bool {
        let mut state = self.state();
        if std::mem::take(&mut state.has_more) || !state.commands.is_empty() {
            return false;
        }
        rest();
        state.is_driven = false;
        state.task_deadline = None;
        self.paused.notify_all();
        drop(state);
        self.push(Event::AtRest);
        true
    }

    /// Moves the deadline of the session to the earliest of its calls.
    pub(super) fn move_deadline(&self, state: &State) {
        let all = state.deadlines.values().chain(&state.task_deadline);
        let earliest = all.min_by_key(|deadline| deadline.at);
        deadline::set(state.watch, &self.interrupt, earliest.copied());
    }
}
