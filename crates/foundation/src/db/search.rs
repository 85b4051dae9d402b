//! Search for a text in a column.

use sea_query::{Expr, ExprTrait, LikeExpr};

/// A substring of a column. `%` and `_` stand for themselves. Letters must be in lower case in both.
pub fn contains(column: Expr, text: &str) -> Expr {
    let literal = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    column.like(LikeExpr::new(format!("%{literal}%")).escape('\\'))
}
