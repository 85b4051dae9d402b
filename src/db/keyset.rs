//! Pages of a list that shows the newest first: ids grow, so the last id of a page is the whole position.

use sea_query::{Expr, ExprTrait, IntoColumnRef, Order, SelectStatement};

/// Cuts a list to the rows behind `before`, `limit` at most, the highest id first.
pub fn newest(list: &mut SelectStatement, id: impl IntoColumnRef, before: Option<i64>, limit: u64) {
    let id = id.into_column_ref();
    list.and_where_option(before.map(|before| Expr::col(id.clone()).lt(before)));
    list.order_by(id, Order::Desc).limit(limit);
}
