//! Views of posts, counted in memory: a read costs no statement, and what is counted is written for many at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::resources::posts::model::PostId;

/// Posts that are remembered at most: what is kept while the database is away must not fill the memory.
const MOST: usize = 10_000;

/// What was counted and is not written yet.
#[derive(Default)]
pub struct Views {
    counted: Mutex<Counted>,
    /// One writes at a time: whoever waits here finds what the one before has taken in the database.
    writing: tokio::sync::Mutex<()>,
    many: Notify,
}

#[derive(Default)]
struct Counted {
    views: HashMap<PostId, i64>,
    lost: i64,
}

impl Counted {
    fn add(&mut self, post_id: PostId, views: i64) {
        if self.views.len() >= MOST && !self.views.contains_key(&post_id) {
            self.lost += views;
            return;
        }
        *self.views.entry(post_id).or_default() += views;
    }
}

/// What is being written. Dropped before [`Batch::written`], it is counted again.
pub struct Batch<'a> {
    views: &'a Views,
    posts: Vec<(PostId, i64)>,
    _writing: tokio::sync::MutexGuard<'a, ()>,
}

impl Views {
    /// Counts one view of a post.
    pub fn count(&self, post_id: PostId) {
        let mut counted = self.counted();
        counted.add(post_id, 1);
        if counted.views.len() >= MOST / 2 {
            self.many.notify_one();
        }
    }

    /// Takes what is to be written, once nobody else writes; none if there is nothing.
    pub async fn take(&self) -> Option<Batch<'_>> {
        let writing = self.writing.lock().await;
        let Counted { views, lost } = std::mem::take(&mut *self.counted());
        if lost > 0 {
            tracing::warn!(views = lost, "views were not counted: too many posts were read since the last writing");
        }
        let posts: Vec<_> = views.into_iter().collect();
        (!posts.is_empty()).then_some(Batch { views: self, posts, _writing: writing })
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.counted().views.is_empty()
    }

    /// Resolves when so much was counted that it should be written.
    pub async fn many(&self) {
        self.many.notified().await;
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        // numbers are whole even if a thread has panicked while it held them
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch<'_> {
    /// Each post and how often it was viewed.
    pub fn posts(&self) -> &[(PostId, i64)] {
        &self.posts
    }

    /// It is in the database.
    pub fn written(mut self) {
        self.posts.clear();
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let mut counted = self.views.counted();
        self.posts.iter().for_each(|(post_id, views)| counted.add(*post_id, *views));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn taken(views: &Views) -> Vec<(i64, i64)> {
        let Some(batch) = views.take().await else { return vec![] };
        let mut posts: Vec<_> = batch.posts().iter().map(|(id, number)| (id.0, *number)).collect();
        batch.written();
        posts.sort_unstable();
        posts
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_counted_again() {
        let views = Views::default();
        [7, 7, 8].into_iter().for_each(|post_id| views.count(PostId(post_id)));
        let failing = views.take().await.expect("two posts");
        views.count(PostId(7));
        drop(failing);
        assert_eq!(taken(&views).await, [(7, 3), (8, 1)]);
        assert_eq!(taken(&views).await, [], "what was written is not counted again");
    }

    #[tokio::test]
    async fn memory_is_bounded_and_posts_that_are_in_it_go_on_counting() {
        let views = Views::default();
        for post_id in 0..MOST as i64 + 5 {
            views.count(PostId(post_id));
        }
        views.count(PostId(0));
        views.many().await;
        assert_eq!(views.counted().lost, 5);
        let posts = taken(&views).await;
        assert_eq!((posts.len(), posts[0]), (MOST, (0, 2)));
    }

    #[tokio::test]
    async fn one_writes_at_a_time() {
        let views = Views::default();
        views.count(PostId(7));
        let batch = views.take().await.expect("one post");
        let second = tokio::time::timeout(std::time::Duration::from_millis(20), views.take());
        assert!(second.await.is_err(), "it waits");
        batch.written();
        assert!(views.take().await.is_none());
    }
}
