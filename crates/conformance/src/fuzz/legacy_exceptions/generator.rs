//! Makes a program of bytes.

use arbitrary::{Result, Unstructured};

use super::{Block, Handler, Instruction, Program, TAGS};

/// The most instructions of a function, and how deep its blocks are nested.
const MAX_INSTRUCTIONS: usize = 150;
const MAX_DEPTH: usize = 8;

/// The most values that an instruction leaves on the stack of its block.
const MAX_HEIGHT: usize = 6;

/// The program that these bytes choose. Any bytes make one.
pub fn program(data: &[u8]) -> Program {
    let mut choices = Unstructured::new(data);
    let count = choices.int_in_range(1..=3).unwrap_or(1);
    let functions = (0..count).map(|function| {
        let mut writer = Writer {
            choices: &mut choices,
            functions: count,
            function,
            labels: vec![Label {
                values: 1,
                is_caught: false,
            }],
            loops: 0,
            left: MAX_INSTRUCTIONS,
        };
        writer.sequence(0, 1)
    });
    Program {
        functions: functions.collect(),
    }
}

struct Writer<'a, 'b> {
    choices: &'a mut Unstructured<'b>,
    functions: usize,
    /// The number of the function that is made.
    function: usize,
    labels: Vec<Label>,
    loops: usize,
    /// The number of instructions that may still be made.
    left: usize,
}

/// An open label.
struct Label {
    /// The number of values that a branch to it takes.
    values: usize,
    /// Whether it is that of a handler.
    is_caught: bool,
}

impl Writer<'_, '_> {
    /// Instructions that find `height` values and leave `results`. Once the bytes are used up, they are as few as
    /// possible.
    fn sequence(&mut self, height: usize, results: usize) -> Vec<Instruction> {
        let mut instructions = Vec::new();
        let mut height = height;
        while let Ok(Some(instruction)) = self.instruction(&mut height) {
            let ends = instruction.ends_sequence();
            instructions.push(instruction);
            if ends {
                // What follows is never reached, and finds an empty stack.
                height = 0;
            }
        }
        while height > results {
            height -= 1;
            instructions.push(Instruction::MarkTop);
        }
        instructions.extend((height..results).map(|value| Instruction::Const(value as i32)));
        instructions
    }

    /// One more instruction, or `None` at the end of the sequence.
    fn instruction(&mut self, height: &mut usize) -> Result<Option<Instruction>> {
        if self.choices.is_empty() || self.left == 0 || self.choices.ratio(1, 8)? {
            return Ok(None);
        }
        self.left -= 1;
        let mut kind = self.choices.int_in_range(0..=27)?;
        if self.labels.len() > MAX_DEPTH && kind > 15 {
            kind -= 15;
        }
        let (takes, leaves, instruction) = match kind {
            0 => (0, 1, Instruction::Const(self.choices.int_in_range(-3..=9)?)),
            1 => (0, 1, Instruction::Param),
            2 => (1, 0, Instruction::Drop),
            3 => (2, 1, Instruction::Add),
            4 => (0, 0, Instruction::Mark(self.choices.int_in_range(0..=99)?)),
            5 => (1, 0, Instruction::MarkTop),
            6 | 7 => (1, 1, Instruction::CallHost),
            8 | 9 => {
                let Some(callee) = self.callee()? else {
                    return self.instruction(height);
                };
                match self.choices.ratio(1, 4)? {
                    true => (1, 0, Instruction::ReturnCall(callee)),
                    false => (1, 1, Instruction::Call(callee)),
                }
            }
            10 | 11 => {
                let tag = self.choices.choose_index(TAGS.len())?;
                (TAGS[tag], 0, Instruction::Throw(tag))
            }
            12 => {
                let caught = |label: &Label| label.is_caught;
                let count = self.labels.iter().filter(|label| caught(label)).count();
                if count == 0 {
                    return self.instruction(height);
                }
                let chosen = self.choices.choose_index(count)?;
                let outwards = self.labels.iter().rev().zip(0..);
                let mut depths = outwards.filter(|(label, _)| caught(label));
                let (_, depth) = depths.nth(chosen).unwrap_or((&self.labels[0], 0));
                (0, 0, Instruction::Rethrow(depth))
            }
            13 => {
                let (depth, values) = self.label()?;
                match self.choices.ratio(1, 2)? {
                    true => (values, 0, Instruction::Br(depth)),
                    false => (values + 1, values, Instruction::BrIf(depth)),
                }
            }
            14 => {
                let (default, values) = self.label()?;
                let mut depths = Vec::new();
                for _ in 0..3 {
                    let (depth, same) = self.label()?;
                    if same == values {
                        depths.push(depth);
                    }
                }
                (values + 1, 0, Instruction::BrTable(depths, default))
            }
            15 => match self.choices.ratio(1, 4)? {
                true => (0, 0, Instruction::Unreachable),
                false => (1, 0, Instruction::Return),
            },
            _ => {
                let params = self.choices.int_in_range(0..=2)?;
                let results = self.choices.int_in_range(0..=2)?;
                if *height < params {
                    return self.instruction(height);
                }
                let block = self.block(kind, params, results)?;
                let condition = usize::from(matches!(block, Instruction::If(..)));
                (params + condition, results, block)
            }
        };
        // Too few or too many values for it.
        if *height < takes || *height - takes + leaves > MAX_HEIGHT {
            return self.instruction(height);
        }
        *height = *height - takes + leaves;
        Ok(Some(instruction))
    }

    fn callee(&mut self) -> Result<Option<usize>> {
        let first = self.function + 1;
        match self.functions.checked_sub(first) {
            None | Some(0) => Ok(None),
            Some(count) => Ok(Some(first + self.choices.choose_index(count)?)),
        }
    }

    /// The depth of a label, and the number of values that a branch to it takes.
    fn label(&mut self) -> Result<(u32, usize)> {
        let depth = self.choices.choose_index(self.labels.len())?;
        let label = &self.labels[self.labels.len() - 1 - depth];
        Ok((depth as u32, label.values))
    }

    fn block(&mut self, kind: u8, params: usize, results: usize) -> Result<Instruction> {
        let block = |body| Block {
            params,
            results,
            body,
        };
        Ok(match kind {
            16 => Instruction::Block(block(self.labelled(results, false, params, results))),
            17 => {
                let number = self.loops;
                self.loops += 1;
                let body = self.labelled(params, false, params, results);
                Instruction::Loop(number, block(body))
            }
            18 | 19 => {
                let then = self.labelled(results, false, params, results);
                let or_else = self.labelled(results, false, params, results);
                Instruction::If(block(then), or_else)
            }
            20..=23 => {
                let depth = self.choices.choose_index(self.labels.len())?;
                let body = self.labelled(results, false, params, results);
                Instruction::Delegate(block(body), depth as u32)
            }
            _ => {
                let body = self.labelled(results, false, params, results);
                let mut handlers = Vec::new();
                for _ in 0..self.choices.int_in_range(0..=2)? {
                    let tag = self.choices.choose_index(TAGS.len())?;
                    handlers.push(Handler {
                        tag: Some(tag),
                        body: self.labelled(results, true, TAGS[tag], results),
                    });
                }
                if self.choices.ratio(1, 2)? {
                    handlers.push(Handler {
                        tag: None,
                        body: self.labelled(results, true, 0, results),
                    });
                }
                Instruction::Try(block(body), handlers)
            }
        })
    }

    /// A sequence inside of one more label.
    fn labelled(
        &mut self,
        values: usize,
        is_caught: bool,
        height: usize,
        results: usize,
    ) -> Vec<Instruction> {
        self.labels.push(Label { values, is_caught });
        let body = self.sequence(height, results);
        self.labels.pop();
        body
    }
}

impl Instruction {
    /// Whether nothing after it in its sequence is reached.
    fn ends_sequence(&self) -> bool {
        matches!(
            self,
            Instruction::Throw(_)
                | Instruction::Rethrow(_)
                | Instruction::Br(_)
                | Instruction::BrTable(..)
                | Instruction::Return
                | Instruction::ReturnCall(_)
                | Instruction::Unreachable
        )
    }
}
