//! Code as Go writes it in errors: `index .Env "A" | len`.

use std::fmt::Write;

use gotmpl::parse::{CommandNode, Expr, Number, PipeNode, SmolStr};

/// A pipeline.
pub(super) fn pipe(pipe: &PipeNode) -> String {
    let mut out = pipe.decl.join(", ");
    if !out.is_empty() {
        out.push_str(if pipe.is_assign { " = " } else { " := " });
    }
    let commands: Vec<_> = pipe.commands.iter().map(command).collect();
    out + &commands.join(" | ")
}

fn command(command: &CommandNode) -> String {
    command.args.iter().map(expr).collect::<Vec<_>>().join(" ")
}

/// An operand.
pub(super) fn expr(expr: &Expr) -> String {
    match expr {
        Expr::Dot(_) => ".".to_owned(),
        Expr::Field(_, names) => chain(String::new(), names),
        Expr::Variable(_, name, names) => chain(name.to_string(), names),
        Expr::Identifier(_, name) => name.to_string(),
        Expr::String(_, text) => format!("{text:?}"),
        Expr::Number(_, Number::Int(number)) => number.to_string(),
        Expr::Number(_, Number::Uint(number)) => number.to_string(),
        Expr::Number(_, Number::Float(number)) => number.to_string(),
        Expr::Bool(_, value) => value.to_string(),
        Expr::Nil(_) => "nil".to_owned(),
        Expr::Pipe(_, inner) => format!("({})", pipe(inner)),
        Expr::Chain(_, inner, names) => chain(self::expr(inner), names),
    }
}

fn chain(mut start: String, names: &[SmolStr]) -> String {
    for name in names {
        let _ = write!(start, ".{name}");
    }
    start
}
