//! The fixture model of statistics.

use accord_foundation::db::keyset::whole;
use accord_foundation::fixtures::keys::Keys;
use accord_foundation::fixtures::loader::{Loader, Refusal};
use accord_foundation::fixtures::models::{Loaded, Model, Properties, Schema, documented, read, written};
use accord_foundation::prelude::*;
use async_trait::async_trait;

use super::store::{self, Count};
use crate::resources::posts::fixture::{Key, Post, key};
use crate::resources::posts::model::PostId;

/// Views and shares of a post.
pub struct PostStatistics;

#[derive(Serialize, Deserialize)]
struct StatisticsFields {
    post: Key,
    #[serde(default)]
    view_number: i64,
    #[serde(default)]
    shared_number: i64,
}

#[async_trait(?Send)]
impl Model for PostStatistics {
    fn name(&self) -> &'static str {
        "statistics.PostStatistics"
    }

    fn schema(&self) -> Schema {
        Schema::empty()
            .with("post", key())
            .with_optional("view_number", documented("PostStatistics", Some("view_number")))
            .with_optional("shared_number", documented("PostStatistics", Some("shared_number")))
    }

    async fn load(&self, loader: &mut Loader<'_>, properties: &Properties) -> Result<Loaded, Refusal> {
        let StatisticsFields { post, view_number, shared_number } = read(properties)?;
        let id = loader.id::<Post>("post", &post).await?;
        let there = store::find(loader.tx, PostId(id)).await?;
        let is_counted = there.is_some_and(|numbers| numbers.view_number + numbers.shared_number > 0);
        // no row is none of either
        if is_counted || view_number + shared_number == 0 {
            return Ok(Loaded::unchanged((id, 0)));
        }
        let now = accord_foundation::app::now();
        for (count, number) in [(Count::Views, view_number), (Count::Shares, shared_number)] {
            store::add(loader.tx, count, &[(PostId(id), number)], now).await?;
        }
        Ok(Loaded::new((id, 0)))
    }

    async fn dump(&self, conn: &mut Conn, keys: &Keys) -> DbResult<Vec<Properties>> {
        let page = async |after, limit| store::list(conn, after, limit).await;
        let rows = whole(page, |row: &store::Counted| row.post_id).await?;
        let fields = |row: &store::Counted| {
            let (view_number, shared_number) = (row.view_number, row.shared_number);
            Some(StatisticsFields { post: Key::Post(keys.key::<Post, _>(row.post_id.0)?), view_number, shared_number })
        };
        let counted = rows.iter().filter(|row| row.view_number + row.shared_number > 0);
        Ok(counted.filter_map(fields).map(|fields| written(&fields)).collect())
    }
}
