//! Writes one body with the standard exception instructions.

use std::borrow::Cow;

use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{BlockType, Catch, Encode as _, Instruction, ValType};
use wasmparser::{FunctionBody, Operator};

use super::super::offsets::OffsetMapBuilder;
use super::plan::{Clause, Handler, Plan, Writing};
use super::types::Types;

/// The bytes of the size of a rewritten body. The size is written when the body is, in as many bytes as any size takes.
const SIZE_BYTES: usize = 5;

/// Writes bodies, one after another.
///
/// `try … catch $a … catch_all … end` becomes:
///
/// ```text
/// block                     ;; the label of the `try`
///   block                   ;; ends with the values that the handler for all starts with: none, or an exception
///     block                 ;; ends with the values that the handler for $a starts with
///       try_table (catch $a 0) (catch_all 1)
///         block (exnref)    ;; only if a `delegate` leads to this `try`
///           …
///           br 4
///         end
///         throw_ref
///       end
///       br 2
///     end
///     …
///     br 1
///   end
///   …
/// end
/// ```
///
/// `try … delegate` becomes a `try_table` whose `catch_all_ref` leads to the inner block of its target. A `delegate` that
/// leads to the caller has such a block around the whole body.
#[derive(Default)]
pub(super) struct Bodies {
    plan: Plan,
    frames: Vec<Frame>,
    /// The number of labels that are open in the rewritten body.
    depth: u32,
    /// For each `try` and `try_table` with catch clauses that has begun: the label of the block for exceptions that are
    /// delegated to it.
    delegate_labels: Vec<u32>,
    /// The catch clauses of the `try` that begins.
    clauses: Vec<Clause>,
    /// The number of locals of the original.
    locals: u32,
}

/// A block of the original.
#[derive(Clone, Copy)]
struct Frame {
    /// The number of labels around its label in the rewritten body.
    label: u32,
    kind: FrameKind,
}

#[derive(Clone, Copy)]
enum FrameKind {
    /// Ends with one `end`.
    Block,
    /// The function itself.
    Function,
    /// A `try_table` to which a `delegate` leads.
    DelegatedTo,
    /// A `try` before its first catch clause.
    Body { first: u32, is_delegated_to: bool },
    /// A handler of a `try`: the local that keeps its exception, and the clause after it.
    Handler {
        exception: Option<u32>,
        next: Option<u32>,
    },
}

/// The place that a body is written to.
pub(super) struct Output<'a> {
    pub wasm: &'a [u8],
    /// The content of the code section.
    pub code: Vec<u8>,
    pub offsets: OffsetMapBuilder,
}

impl Output<'_> {
    /// Copies bytes of the original.
    pub(super) fn copy(&mut self, start: usize, end: usize) -> Option<()> {
        self.offsets.copied(self.code.len(), start);
        self.code.extend_from_slice(self.wasm.get(start..end)?);
        Some(())
    }

    /// Appends an instruction.
    fn push(&mut self, instruction: &Instruction<'_>) {
        instruction.encode(&mut self.code);
    }
}

impl Bodies {
    /// Appends `body` with its size, which begins at `start` in the original. `None` if the body is not valid, or the
    /// types of its handlers get too large.
    pub(super) fn write(
        &mut self,
        body: &FunctionBody<'_>,
        start: usize,
        params: u32,
        types: &mut Types,
        output: &mut Output<'_>,
    ) -> Option<()> {
        let end = body.range().end;
        if !self.plan.read(body)? {
            return output.copy(start, end);
        }
        output.offsets.inserted(output.code.len(), start);
        output.code.extend_from_slice(&[0; SIZE_BYTES]);
        let content = output.code.len();
        self.write_locals(body, params, output)?;
        self.write_code(body, types, output)?;
        let mut size = u32::try_from(output.code.len() - content).ok()?;
        for byte in &mut output.code[content - SIZE_BYTES..content - 1] {
            *byte = size as u8 | 0x80;
            size >>= 7;
        }
        output.code[content - 1] = size as u8;
        Some(())
    }

    /// Writes the locals, and after them those that keep exceptions.
    fn write_locals(
        &mut self,
        body: &FunctionBody<'_>,
        params: u32,
        output: &mut Output<'_>,
    ) -> Option<()> {
        let mut locals = body.get_locals_reader().ok()?;
        let (groups, kept) = (locals.get_count(), self.plan.kept);
        groups
            .checked_add(u32::from(kept > 0))?
            .encode(&mut output.code);
        let start = locals.original_position();
        self.locals = params;
        for _ in 0..groups {
            self.locals = self.locals.checked_add(locals.read().ok()?.0)?;
        }
        output.copy(start, locals.original_position())?;
        if kept > 0 {
            output.offsets.inserted(output.code.len(), start);
            kept.encode(&mut output.code);
            ValType::EXNREF.encode(&mut output.code);
        }
        Some(())
    }

    fn write_code(
        &mut self,
        body: &FunctionBody<'_>,
        types: &mut Types,
        output: &mut Output<'_>,
    ) -> Option<()> {
        self.frames.clear();
        self.delegate_labels.clear();
        self.depth = 0;
        self.open(FrameKind::Function);
        let mut operators = body.get_operators_reader().ok()?;
        if self.plan.delegates_to_caller {
            let start = operators.original_position();
            output.offsets.inserted(output.code.len(), start);
            self.push_block(BlockType::Result(ValType::EXNREF), output);
        }
        while !operators.eof() {
            let start = operators.original_position();
            let operator = operators.read().ok()?;
            let original = Original {
                start,
                end: operators.original_position(),
            };
            self.operator(operator, original, types, output)?;
        }
        Some(())
    }

    fn operator(
        &mut self,
        operator: Operator<'_>,
        original: Original,
        types: &mut Types,
        output: &mut Output<'_>,
    ) -> Option<()> {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                self.open(FrameKind::Block);
                return output.copy(original.start, original.end);
            }
            Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. }
            | Operator::BrOnCast { .. }
            | Operator::BrOnCastFail { .. } => return self.branch(operator, original, output),
            Operator::TryTable { .. }
            | Operator::Try { .. }
            | Operator::Catch { .. }
            | Operator::CatchAll
            | Operator::Rethrow { .. }
            | Operator::Delegate { .. }
            | Operator::End => {}
            _ => return output.copy(original.start, original.end),
        }
        if let (Operator::End, Some(FrameKind::Block)) = (&operator, self.last_kind()) {
            self.close();
            return output.copy(original.start, original.end);
        }
        output.offsets.inserted(output.code.len(), original.start);
        match operator {
            Operator::TryTable { .. } => self.try_table(operator, types, output),
            Operator::Try { blockty } => self.begin_try(blockty, types, output),
            Operator::Catch { .. } | Operator::CatchAll => self.begin_handler(output),
            Operator::Rethrow { relative_depth } => {
                let FrameKind::Handler {
                    exception: Some(local),
                    ..
                } = self.frame(relative_depth)?.kind
                else {
                    return None;
                };
                output.push(&Instruction::LocalGet(local));
                output.push(&Instruction::ThrowRef);
                Some(())
            }
            Operator::Delegate { .. } => {
                self.close();
                output.push(&Instruction::End);
                Some(())
            }
            _ => self.end(output),
        }
    }

    /// Copies a branch, with the depth that its label has in the rewritten body.
    fn branch(
        &mut self,
        operator: Operator<'_>,
        original: Original,
        output: &mut Output<'_>,
    ) -> Option<()> {
        let mut is_same = true;
        let mut relabel = |depth: &mut u32| {
            let new = self.depth_of(self.frame(*depth)?.label);
            is_same &= new == *depth;
            *depth = new;
            Some(())
        };
        let mut instruction = RoundtripReencoder.instruction(operator).ok()?;
        match &mut instruction {
            Instruction::Br(depth)
            | Instruction::BrIf(depth)
            | Instruction::BrOnNull(depth)
            | Instruction::BrOnNonNull(depth)
            | Instruction::BrOnCast {
                relative_depth: depth,
                ..
            }
            | Instruction::BrOnCastFail {
                relative_depth: depth,
                ..
            } => relabel(depth)?,
            Instruction::BrTable(depths, default) => {
                for depth in depths.to_mut() {
                    relabel(depth)?;
                }
                relabel(default)?;
            }
            _ => return None,
        }
        if is_same {
            return output.copy(original.start, original.end);
        }
        output.offsets.inserted(output.code.len(), original.start);
        output.push(&instruction);
        Some(())
    }

    fn try_table(
        &mut self,
        operator: Operator<'_>,
        types: &mut Types,
        output: &mut Output<'_>,
    ) -> Option<()> {
        let Operator::TryTable { try_table } = &operator else {
            return None;
        };
        let block = try_table.ty;
        let Instruction::TryTable(ty, mut catches) =
            RoundtripReencoder.instruction(operator).ok()?
        else {
            return None;
        };
        for catch in catches.to_mut() {
            let (Catch::One { label, .. }
            | Catch::OneRef { label, .. }
            | Catch::All { label }
            | Catch::AllRef { label }) = catch;
            *label = self.depth_of(self.frame(*label)?.label);
        }
        let is_delegated_to = !catches.is_empty() && {
            let number = self.delegate_labels.len() as u32;
            // One more than the label of the `try_table`.
            self.delegate_labels.push(self.depth + 1);
            self.plan.is_delegated_to(number)
        };
        self.open(match is_delegated_to {
            true => FrameKind::DelegatedTo,
            false => FrameKind::Block,
        });
        output.push(&Instruction::TryTable(ty, catches));
        if is_delegated_to {
            let ty = types.handler(block, None, true)?;
            self.push_block(ty, output);
        }
        Some(())
    }

    fn begin_try(
        &mut self,
        block: wasmparser::BlockType,
        types: &mut Types,
        output: &mut Output<'_>,
    ) -> Option<()> {
        let number = self.delegate_labels.len() as u32;
        let ty = RoundtripReencoder.block_type(block).ok()?;
        match self.plan.writing(number)? {
            Writing::Block => {
                self.delegate_labels.push(0);
                self.open(FrameKind::Block);
                output.push(&Instruction::Block(ty));
            }
            Writing::Delegate(handler) => {
                self.delegate_labels.push(0);
                let label = match handler {
                    // The function itself has the outermost label.
                    Handler::Caller => 1,
                    Handler::Try(number) => *self.delegate_labels.get(number as usize)?,
                };
                let catch = Catch::AllRef {
                    label: self.depth_of(label),
                };
                self.open(FrameKind::Block);
                output.push(&Instruction::TryTable(ty, Cow::Borrowed(&[catch])));
            }
            Writing::Catches(first) => {
                self.clauses.clear();
                let mut next = Some(first);
                while let Some(clause) = next {
                    let clause = self.plan.clause(clause)?;
                    self.clauses.push(clause);
                    next = clause.next;
                }
                let is_delegated_to = self.plan.is_delegated_to(number);
                self.open(FrameKind::Body {
                    first,
                    is_delegated_to,
                });
                output.push(&Instruction::Block(ty));
                for index in (0..self.clauses.len()).rev() {
                    let Clause {
                        tag, is_rethrown, ..
                    } = self.clauses[index];
                    let ty = types.handler(block, tag, is_rethrown)?;
                    self.push_block(ty, output);
                }
                let catch = |(label, clause): (u32, &Clause)| match (clause.tag, clause.is_rethrown)
                {
                    (Some(tag), false) => Catch::One { tag, label },
                    (Some(tag), true) => Catch::OneRef { tag, label },
                    (None, false) => Catch::All { label },
                    (None, true) => Catch::AllRef { label },
                };
                let catches: Vec<Catch> = (0..).zip(&self.clauses).map(catch).collect();
                output.push(&Instruction::TryTable(ty, Cow::Owned(catches)));
                self.depth += 1;
                self.delegate_labels.push(self.depth);
                if is_delegated_to {
                    let ty = types.handler(block, None, true)?;
                    self.push_block(ty, output);
                }
            }
        }
        Some(())
    }

    /// Ends the body of a `try` or one of its handlers, and begins the next handler.
    fn begin_handler(&mut self, output: &mut Output<'_>) -> Option<()> {
        let Frame { label, kind } = *self.frames.last()?;
        let clause = match kind {
            FrameKind::Body {
                first,
                is_delegated_to,
            } => {
                if is_delegated_to {
                    output.push(&Instruction::Br(self.depth_of(label)));
                    self.push_end(output);
                    output.push(&Instruction::ThrowRef);
                }
                self.push_end(output);
                first
            }
            FrameKind::Handler { next, .. } => next?,
            _ => return None,
        };
        output.push(&Instruction::Br(self.depth_of(label)));
        self.push_end(output);
        let Clause {
            is_rethrown,
            kept,
            next,
            ..
        } = self.plan.clause(clause)?;
        let exception = match is_rethrown {
            true => Some(self.locals.checked_add(kept)?),
            false => None,
        };
        if let Some(local) = exception {
            output.push(&Instruction::LocalSet(local));
        }
        self.frames.last_mut()?.kind = FrameKind::Handler { exception, next };
        Some(())
    }

    /// Ends a frame of any kind other than a block.
    fn end(&mut self, output: &mut Output<'_>) -> Option<()> {
        match self.last_kind()? {
            FrameKind::DelegatedTo => {
                let label = self.frames.last()?.label;
                output.push(&Instruction::Br(self.depth_of(label)));
                self.push_end(output);
                output.push(&Instruction::ThrowRef);
            }
            FrameKind::Function if self.plan.delegates_to_caller => {
                output.push(&Instruction::Return);
                self.push_end(output);
                output.push(&Instruction::ThrowRef);
            }
            FrameKind::Function | FrameKind::Handler { .. } => {}
            FrameKind::Block | FrameKind::Body { .. } => return None,
        }
        self.close();
        output.push(&Instruction::End);
        Some(())
    }

    /// Opens a frame, whose label is the next.
    fn open(&mut self, kind: FrameKind) {
        self.frames.push(Frame {
            label: self.depth,
            kind,
        });
        self.depth += 1;
    }

    /// Closes the innermost frame, which has no other label open than its own.
    fn close(&mut self) {
        self.frames.pop();
        self.depth -= 1;
    }

    /// Begins a block that the original does not have.
    fn push_block(&mut self, ty: BlockType, output: &mut Output<'_>) {
        output.push(&Instruction::Block(ty));
        self.depth += 1;
    }

    /// Ends a block that the original does not have.
    fn push_end(&mut self, output: &mut Output<'_>) {
        output.push(&Instruction::End);
        self.depth -= 1;
    }

    fn last_kind(&self) -> Option<FrameKind> {
        Some(self.frames.last()?.kind)
    }

    fn frame(&self, depth: u32) -> Option<&Frame> {
        let index = self.frames.len().checked_sub(1 + depth as usize)?;
        self.frames.get(index)
    }

    /// Returns the depth of a label from here.
    fn depth_of(&self, label: u32) -> u32 {
        self.depth - 1 - label
    }
}

/// The bytes of an instruction in the original.
#[derive(Clone, Copy)]
struct Original {
    start: usize,
    end: usize,
}
