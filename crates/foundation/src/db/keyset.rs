//! Pages of a list that shows the newest first: ids grow, so the last id of a page is the whole position.

use sea_query::{Expr, ExprTrait, IntoColumnRef, Order, SelectStatement};

use super::DbResult;

/// Rows read at once of a list that is read whole.
const PAGE: u64 = 500;

/// Cuts a list to the rows behind `before`, `limit` at most, the highest id first.
pub fn newest(list: &mut SelectStatement, id: impl IntoColumnRef, before: Option<i64>, limit: u64) {
    let id = id.into_column_ref();
    list.and_where_option(before.map(|before| Expr::col(id.clone()).lt(before)));
    list.order_by(id, Order::Desc).limit(limit);
}

/// All rows of a list that comes in pages, in its order; `position` is where the page behind a row begins.
///
/// # Errors
/// 503 when the database is away.
pub async fn whole<T, P>(
    mut page: impl AsyncFnMut(Option<P>, u64) -> DbResult<Vec<T>>,
    position: impl Fn(&T) -> P,
) -> DbResult<Vec<T>> {
    let mut rows = vec![];
    loop {
        let more = page(rows.last().map(&position), PAGE).await?;
        if more.is_empty() {
            return Ok(rows);
        }
        rows.extend(more);
    }
}
