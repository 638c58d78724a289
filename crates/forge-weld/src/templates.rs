use oxc::allocator::{Allocator, TakeIn};
use oxc::ast::ast::{BinaryOperator, Expression, Program, TemplateElement, TemplateLiteral};
use oxc::ast::builder::AstBuilder;
use oxc::ast_visit::{VisitMut, walk_mut};
use oxc::span::GetSpan;

/// Replaces the template literals of a program by additions of strings.
///
/// QuickJS evaluates a template literal by a call of `String.prototype.concat`, which scripts can replace. Scripts
/// cannot change an addition. The two differ only for objects: an addition calls `valueOf` before `toString`. Tagged
/// templates are not changed, because they call a function anyway.
pub(crate) fn lower<'a>(allocator: &'a Allocator, program: &mut Program<'a>) {
    let builder = AstBuilder::new(allocator);
    Lower { builder }.visit_program(program);
}

struct Lower<'a> {
    builder: AstBuilder<'a>,
}

impl<'a> VisitMut<'a> for Lower<'a> {
    fn visit_expression(&mut self, expression: &mut Expression<'a>) {
        walk_mut::walk_expression(self, expression);
        if let Expression::TemplateLiteral(template) = expression {
            *expression = self.addition(template);
        }
    }
}

impl<'a> Lower<'a> {
    /// The sum begins with a string, so that each value is converted to a string.
    fn addition(&self, template: &mut TemplateLiteral<'a>) -> Expression<'a> {
        let mut elements = template.quasis.iter();
        let mut sum = self.string(elements.next().expect("a template begins with text"));
        for (value, element) in template.expressions.iter_mut().zip(elements) {
            let value = value.take_in(&self.builder);
            sum = self.add(sum, value);
            if !element.value.raw.is_empty() {
                sum = self.add(sum, self.string(element));
            }
        }
        sum
    }

    fn string(&self, element: &TemplateElement<'a>) -> Expression<'a> {
        let cooked = element.value.cooked;
        Expression::new_string_literal_with_lone_surrogates(
            element.span,
            cooked.expect("the parser refuses other escapes where there is no tag"),
            None,
            element.lone_surrogates,
            &self.builder,
        )
    }

    fn add(&self, left: Expression<'a>, right: Expression<'a>) -> Expression<'a> {
        let span = right.span();
        Expression::new_binary_expression(
            span,
            left,
            BinaryOperator::Addition,
            right,
            &self.builder,
        )
    }
}
