//! Runs a program by the rules of the legacy proposal.

use super::{Block, Instruction, Program, TURNS, host, trace};

/// What came of a call of a program's first function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub outcome: Outcome,
    pub trace: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Returned(i32),
    /// An exception was not caught.
    Threw(Exception),
    Trapped,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exception {
    Tag(usize, Vec<i32>),
    /// The value that the imported function throws.
    Host,
}

/// How a sequence ends.
enum Flow {
    /// At its end, with its results on the stack.
    Done,
    /// At a branch to the label that is this many labels further out.
    Branch(u32),
    Return,
    Throw(Exception),
    /// As if thrown at the label that is this many labels further out.
    Delegate(u32, Exception),
    Trap,
}

/// Calls the first function. Returns `None` if it takes more than `steps` instructions.
pub fn run(program: &Program, argument: i32, steps: u32) -> Option<Run> {
    let mut interpreter = Interpreter {
        program,
        trace: 0,
        steps,
    };
    let outcome = interpreter.call(0, argument)?;
    Some(Run {
        outcome,
        trace: interpreter.trace,
    })
}

struct Interpreter<'a> {
    program: &'a Program,
    trace: i32,
    steps: u32,
}

/// A call of a function.
struct Call {
    argument: i32,
    stack: Vec<i32>,
    /// For each open label, the outermost first: the exception, if it is that of a handler.
    caught: Vec<Option<Exception>>,
    /// How often each loop has begun.
    turns: Vec<i32>,
    /// The function to call instead.
    tail_call: Option<usize>,
}

impl Call {
    fn pop(&mut self) -> i32 {
        self.stack.pop().expect("the generator counts values")
    }

    fn pop_many(&mut self, count: usize) -> Vec<i32> {
        self.stack.split_off(self.stack.len() - count)
    }
}

impl Interpreter<'_> {
    fn call(&mut self, mut function: usize, mut argument: i32) -> Option<Outcome> {
        loop {
            let mut call = Call {
                argument,
                stack: Vec::new(),
                caught: vec![None],
                turns: Vec::new(),
                tail_call: None,
            };
            let flow = self.sequence(&self.program.functions[function], &mut call)?;
            return Some(match flow {
                Flow::Done | Flow::Branch(_) | Flow::Return => {
                    let result = call.pop();
                    if let Some(next) = call.tail_call {
                        (function, argument) = (next, result);
                        continue;
                    }
                    Outcome::Returned(result)
                }
                Flow::Throw(exception) | Flow::Delegate(_, exception) => Outcome::Threw(exception),
                Flow::Trap => Outcome::Trapped,
            });
        }
    }

    fn sequence(&mut self, instructions: &[Instruction], call: &mut Call) -> Option<Flow> {
        for instruction in instructions {
            self.steps = self.steps.checked_sub(1)?;
            match self.instruction(instruction, call)? {
                Flow::Done => {}
                flow => return Some(flow),
            }
        }
        Some(Flow::Done)
    }

    fn instruction(&mut self, instruction: &Instruction, call: &mut Call) -> Option<Flow> {
        match instruction {
            Instruction::Const(value) => call.stack.push(*value),
            Instruction::Param => call.stack.push(call.argument),
            Instruction::Drop => {
                call.pop();
            }
            Instruction::Add => {
                let (b, a) = (call.pop(), call.pop());
                call.stack.push(a.wrapping_add(b));
            }
            Instruction::Mark(number) => self.trace = trace(self.trace, *number),
            Instruction::MarkTop => self.trace = trace(self.trace, call.pop()),
            Instruction::Call(callee) => {
                let argument = call.pop();
                match self.call(*callee, argument)? {
                    Outcome::Returned(result) => call.stack.push(result),
                    Outcome::Threw(exception) => return Some(Flow::Throw(exception)),
                    Outcome::Trapped => return Some(Flow::Trap),
                }
            }
            Instruction::ReturnCall(callee) => {
                call.tail_call = Some(*callee);
                return Some(Flow::Return);
            }
            Instruction::CallHost => match host(call.pop()) {
                Some(result) => call.stack.push(result),
                None => return Some(Flow::Throw(Exception::Host)),
            },
            Instruction::Throw(tag) => {
                let values = call.pop_many(super::TAGS[*tag]);
                return Some(Flow::Throw(Exception::Tag(*tag, values)));
            }
            Instruction::Rethrow(depth) => {
                let label = call.caught.len() - 1 - *depth as usize;
                let exception = call.caught[label].clone();
                return Some(Flow::Throw(
                    exception.expect("the generator chooses a handler"),
                ));
            }
            Instruction::Br(depth) => return Some(Flow::Branch(*depth)),
            Instruction::BrIf(depth) => {
                if call.pop() != 0 {
                    return Some(Flow::Branch(*depth));
                }
            }
            Instruction::BrTable(depths, default) => {
                let index = usize::try_from(call.pop()).unwrap_or(usize::MAX);
                return Some(Flow::Branch(*depths.get(index).unwrap_or(default)));
            }
            Instruction::Return => return Some(Flow::Return),
            Instruction::Unreachable => return Some(Flow::Trap),
            Instruction::Block(block) => {
                let base = call.stack.len() - block.params;
                return self.labelled(&block.body, block.results, None, base, call);
            }
            Instruction::Loop(number, block) => return self.repeat(*number, block, call),
            Instruction::If(then, or_else) => {
                let body = match call.pop() {
                    0 => or_else,
                    _ => &then.body,
                };
                let base = call.stack.len() - then.params;
                return self.labelled(body, then.results, None, base, call);
            }
            Instruction::Try(block, handlers) => {
                let base = call.stack.len() - block.params;
                let flow = self.labelled(&block.body, block.results, None, base, call)?;
                let Flow::Throw(exception) = flow else {
                    return Some(flow);
                };
                for handler in handlers {
                    let values = match (handler.tag, &exception) {
                        (None, _) => &[][..],
                        (Some(tag), Exception::Tag(thrown, values)) if tag == *thrown => values,
                        (Some(_), _) => continue,
                    };
                    call.stack.truncate(base);
                    call.stack.extend_from_slice(values);
                    let caught = Some(exception.clone());
                    return self.labelled(&handler.body, block.results, caught, base, call);
                }
                return Some(Flow::Throw(exception));
            }
            Instruction::Delegate(block, depth) => {
                let base = call.stack.len() - block.params;
                return Some(
                    match self.labelled(&block.body, block.results, None, base, call)? {
                        Flow::Throw(exception) => Flow::Delegate(*depth, exception),
                        flow => flow,
                    },
                );
            }
        }
        Some(Flow::Done)
    }

    fn repeat(&mut self, number: usize, block: &Block, call: &mut Call) -> Option<Flow> {
        let base = call.stack.len() - block.params;
        loop {
            if call.turns.len() <= number {
                call.turns.resize(number + 1, 0);
            }
            call.turns[number] += 1;
            if call.turns[number] > TURNS {
                return Some(Flow::Trap);
            }
            self.steps = self.steps.checked_sub(1)?;
            call.caught.push(None);
            let flow = self.sequence(&block.body, call)?;
            call.caught.pop();
            match flow {
                Flow::Branch(0) => keep(call, base, block.params),
                flow => return Some(inside_out(flow)),
            }
        }
    }

    /// Runs a sequence inside of one more label. A branch to the label leaves `values` values on top of `base`.
    fn labelled(
        &mut self,
        body: &[Instruction],
        values: usize,
        caught: Option<Exception>,
        base: usize,
        call: &mut Call,
    ) -> Option<Flow> {
        call.caught.push(caught);
        let flow = self.sequence(body, call)?;
        call.caught.pop();
        Some(match flow {
            Flow::Branch(0) => {
                keep(call, base, values);
                Flow::Done
            }
            flow => inside_out(flow),
        })
    }
}

/// Keeps the values on top, and removes those between them and `base`.
fn keep(call: &mut Call, base: usize, values: usize) {
    let kept = call.pop_many(values);
    call.stack.truncate(base);
    call.stack.extend(kept);
}

/// A flow as it is outside of the label.
fn inside_out(flow: Flow) -> Flow {
    match flow {
        Flow::Branch(depth) => Flow::Branch(depth - 1),
        Flow::Delegate(0, exception) => Flow::Throw(exception),
        Flow::Delegate(depth, exception) => Flow::Delegate(depth - 1, exception),
        flow => flow,
    }
}
