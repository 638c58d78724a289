use std::collections::HashSet;

use oxc::ast::AstKind;
use oxc::ast::ast::{BindingPattern, Expression};
use oxc::semantic::{Semantic, SymbolId};

use crate::error::Problem;
use crate::source::Source;

/// The problems of the list of registered ops itself.
pub(crate) fn check_list(source_name: &str, registered: &[String]) -> Vec<Problem> {
    let nowhere = Source::new(source_name, "");
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    for op in registered {
        if !seen.insert(op) {
            problems.push(nowhere.problem(0, format!("`{op}` is registered twice")));
        } else if !is_op_name(op) {
            let message = format!("`{op}` is not the name of an op: op_[a-z0-9_]+");
            problems.push(nowhere.problem(0, message));
        }
    }
    problems
}

/// Compares the ops that the code takes from an `ops` object with the registered ops.
/// Without this check, either difference is found late or never: an op that is not registered is `undefined`, which
/// fails only when a line calls it, and no compiler reports an op without a call.
pub(crate) fn check(
    source: &Source,
    semantic: &Semantic<'_>,
    registered: &[String],
) -> Vec<Problem> {
    let uses = find_uses(semantic);
    let mut problems = Vec::new();
    for op_use in &uses {
        if !registered.contains(&op_use.op) {
            let message = format!("`{}` is not among the registered ops", op_use.op);
            problems.push(source.problem(op_use.offset, message));
        }
    }
    let mut seen = HashSet::new();
    for op in registered.iter().filter(|op| seen.insert(*op)) {
        let mut uses = uses.iter().filter(|op_use| op_use.op == *op).peekable();
        let dead_at = uses.peek().map(|op_use| op_use.offset);
        if uses.any(|op_use| op_use.live) {
            continue;
        }
        problems.push(match dead_at {
            Some(at) => source.problem(at, format!("`{op}` is taken from ops but never used")),
            None => source.problem(0, format!("`{op}` is registered but never used")),
        });
    }
    problems
}

struct OpUse {
    op: String,
    offset: u32,
    /// `false` for an op that is destructured into an unused variable.
    live: bool,
}

fn find_uses(semantic: &Semantic<'_>) -> Vec<OpUse> {
    let mut uses = Vec::new();
    for node in semantic.nodes().iter() {
        match node.kind() {
            AstKind::StaticMemberExpression(member) if is_ops(&member.object) => {
                push(
                    &mut uses,
                    &member.property.name,
                    member.property.span.start,
                    true,
                );
            }
            AstKind::ComputedMemberExpression(member) if is_ops(&member.object) => {
                if let Some((span, op)) = member.static_property_info() {
                    push(&mut uses, op, span.start, true);
                }
            }
            AstKind::VariableDeclarator(variable) if variable.init.as_ref().is_some_and(is_ops) => {
                push_destructured(&mut uses, semantic, &variable.id);
            }
            AstKind::BindingProperty(property) if property.key.is_specific_static_name("ops") => {
                push_destructured(&mut uses, semantic, &property.value);
            }
            _ => {}
        }
    }
    uses
}

/// Whether an expression is the `ops` object in any form: `ops`, `core.ops`, `(Deno as any).core?.ops`, `core["ops"]`.
fn is_ops(expression: &Expression<'_>) -> bool {
    let inner = expression.get_inner_expression();
    let member = match inner {
        Expression::Identifier(identifier) => return identifier.name == "ops",
        Expression::ChainExpression(chain) => chain.expression.as_member_expression(),
        _ => inner.as_member_expression(),
    };
    member.is_some_and(|member| member.static_property_name() == Some("ops"))
}

fn push_destructured(uses: &mut Vec<OpUse>, semantic: &Semantic<'_>, pattern: &BindingPattern<'_>) {
    let BindingPattern::ObjectPattern(object) = pattern else {
        return;
    };
    for property in &object.properties {
        if let Some(op) = property.key.static_name() {
            let variable = property.value.get_binding_identifier();
            let live = variable
                .and_then(|variable| variable.symbol_id.get())
                .is_none_or(|symbol| is_read(semantic, symbol));
            push(uses, &op, property.span.start, live);
        }
    }
}

fn is_read(semantic: &Semantic<'_>, symbol: SymbolId) -> bool {
    semantic
        .scoping()
        .get_resolved_references(symbol)
        .any(|reference| reference.is_read())
}

fn push(uses: &mut Vec<OpUse>, op: &str, offset: u32, live: bool) {
    if is_op_name(op) {
        uses.push(OpUse {
            op: op.to_owned(),
            offset,
            live,
        });
    }
}

fn is_op_name(name: &str) -> bool {
    name.strip_prefix("op_").is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    })
}
