//! Writes a program as a module in the text format.
//!
//! The module imports the function `h` of `host`. It exports the function `run`; the function `catch`, which calls `run`,
//! catches the exceptions of the program's tags, returns [`CAUGHT`] and the number of the tag, and makes the values part
//! of the trace; and the function `trace`, which returns the trace and begins a new one.

use std::fmt::Write as _;

use super::{Block, Instruction, Program, TAGS, TURNS};

/// The number that `catch` returns for an exception of the first tag.
pub const CAUGHT: i32 = 1_000;

/// The text of a program.
pub fn module(program: &Program) -> String {
    let mut text =
        String::from("(module\n(import \"host\" \"h\" (func $host (param i32) (result i32)))\n");
    let mut handlers = String::new();
    for (tag, params) in (0..).zip(TAGS) {
        text += &format!("(tag $t{tag} (param{}))\n", " i32".repeat(params));
        let marks = "call $mark\n".repeat(params);
        handlers += &format!("catch $t{tag}\n{marks}i32.const {}\n", CAUGHT + tag);
    }
    text += "(global $trace (mut i32) (i32.const 0))\n\
        (func (export \"trace\") (result i32)\n\
        (global.get $trace) (global.set $trace (i32.const 0)))\n\
        (func $mark (param i32)\n\
        (global.set $trace (i32.add (i32.mul (global.get $trace) (i32.const 31)) (local.get 0))))\n\
        (export \"run\" (func $f0))\n";
    text += &format!(
        "(func (export \"catch\") (param i32) (result i32)\n\
         try (result i32)\nlocal.get 0\ncall $f0\n{handlers}end)\n"
    );
    for (number, body) in program.functions.iter().enumerate() {
        let mut code = String::new();
        sequence(&mut code, body);
        let locals = " i32".repeat(loops(body));
        text += &format!("(func $f{number} (param i32) (result i32) (local{locals})\n{code})\n");
    }
    text + ")\n"
}

fn sequence(text: &mut String, instructions: &[Instruction]) {
    for instruction in instructions {
        write(text, instruction);
    }
}

fn write(text: &mut String, instruction: &Instruction) {
    let written = match instruction {
        Instruction::Const(value) => writeln!(text, "i32.const {value}"),
        Instruction::Param => writeln!(text, "local.get 0"),
        Instruction::Drop => writeln!(text, "drop"),
        Instruction::Add => writeln!(text, "i32.add"),
        Instruction::Mark(number) => writeln!(text, "(call $mark (i32.const {number}))"),
        Instruction::MarkTop => writeln!(text, "call $mark"),
        Instruction::Call(callee) => writeln!(text, "call $f{callee}"),
        Instruction::ReturnCall(callee) => writeln!(text, "return_call $f{callee}"),
        Instruction::CallHost => writeln!(text, "call $host"),
        Instruction::Throw(tag) => writeln!(text, "throw $t{tag}"),
        Instruction::Rethrow(depth) => writeln!(text, "rethrow {depth}"),
        Instruction::Br(depth) => writeln!(text, "br {depth}"),
        Instruction::BrIf(depth) => writeln!(text, "br_if {depth}"),
        Instruction::BrTable(depths, default) => {
            let depths: String = depths.iter().map(|depth| format!("{depth} ")).collect();
            writeln!(text, "br_table {depths}{default}")
        }
        Instruction::Return => writeln!(text, "return"),
        Instruction::Unreachable => writeln!(text, "unreachable"),
        Instruction::Block(block) => {
            begin(text, "block", block);
            sequence(text, &block.body);
            writeln!(text, "end")
        }
        Instruction::Loop(number, block) => {
            begin(text, "loop", block);
            let counter = number + 1;
            *text += &format!(
                "(local.set {counter} (i32.add (local.get {counter}) (i32.const 1)))\n\
                 (if (i32.gt_s (local.get {counter}) (i32.const {TURNS})) (then unreachable))\n"
            );
            sequence(text, &block.body);
            writeln!(text, "end")
        }
        Instruction::If(block, or_else) => {
            begin(text, "if", block);
            sequence(text, &block.body);
            *text += "else\n";
            sequence(text, or_else);
            writeln!(text, "end")
        }
        Instruction::Try(block, handlers) => {
            begin(text, "try", block);
            sequence(text, &block.body);
            for handler in handlers {
                *text += &match handler.tag {
                    Some(tag) => format!("catch $t{tag}\n"),
                    None => "catch_all\n".to_owned(),
                };
                sequence(text, &handler.body);
            }
            writeln!(text, "end")
        }
        Instruction::Delegate(block, depth) => {
            begin(text, "try", block);
            sequence(text, &block.body);
            writeln!(text, "delegate {depth}")
        }
    };
    written.expect("writing to a string does not fail");
}

fn begin(text: &mut String, name: &str, block: &Block) {
    let (params, results) = (" i32".repeat(block.params), " i32".repeat(block.results));
    *text += &format!("{name} (param{params}) (result{results})\n");
}

/// The number of loops. They are numbered in the order in which they were made.
fn loops(instructions: &[Instruction]) -> usize {
    let inside = |block: &Block| loops(&block.body);
    let counts = instructions.iter().map(|instruction| match instruction {
        Instruction::Block(block) | Instruction::Delegate(block, _) => inside(block),
        Instruction::Loop(number, block) => inside(block).max(number + 1),
        Instruction::If(then, or_else) => inside(then).max(loops(or_else)),
        Instruction::Try(block, handlers) => {
            let handlers = handlers.iter().map(|handler| loops(&handler.body));
            handlers.fold(inside(block), usize::max)
        }
        _ => 0,
    });
    counts.max().unwrap_or(0)
}
