//! Who may see and change a post: pure functions, no database, no HTTP.

use accord_foundation::auth::Role;
use accord_foundation::auth::access::Held;
use accord_foundation::prelude::*;

use super::model::{PostId, StoredPost};

/// Whoever asks.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// The user's id.
    pub id: i64,
    /// The user's role.
    pub role: Role,
}

impl Reader {
    /// Admins see and change everything.
    pub fn is_admin(self) -> bool {
        self.role == Role::Admin
    }

    fn owns(self, post: &StoredPost) -> bool {
        post.owner_id == Some(self.id)
    }
}

/// A draft exists only for its owner and for admins; to anyone else it is not found.
///
/// # Errors
/// 404.
pub fn visible(post: Option<StoredPost>, id: PostId, to: Reader) -> Result<StoredPost, Error> {
    post.filter(|post| post.published || to.owns(post) || to.is_admin()).ok_or_else(|| Error::not_found("Post", id))
}

/// The owner, admins and who holds `can_edit_post` change the text of a post that they see.
///
/// # Errors
/// 403.
pub fn editable(post: &StoredPost, by: Reader, editor: Held) -> Result<(), Error> {
    if by.owns(post) || editor.0 {
        return Ok(());
    }
    Err(Error::new(Code::FORBIDDEN, "Only its owner, admins and who was granted can_edit_post change a post."))
}

/// The owner, admins and who holds `can_delete_post` delete a post that they see.
///
/// # Errors
/// 403.
pub fn deletable(post: &StoredPost, by: Reader, deleter: Held) -> Result<(), Error> {
    if by.owns(post) || deleter.0 {
        return Ok(());
    }
    Err(Error::new(Code::FORBIDDEN, "Only its owner, admins and who was granted can_delete_post delete a post."))
}

/// The owner, admins and who holds `can_view_stats` read the statistics of a post that they see.
///
/// # Errors
/// 403.
pub fn measurable(post: &StoredPost, by: Reader, viewer: Held) -> Result<(), Error> {
    if by.owns(post) || viewer.0 {
        return Ok(());
    }
    let sentence = "Only its owner, admins and who was granted can_view_stats read the statistics of a post.";
    Err(Error::new(Code::FORBIDDEN, sentence))
}

/// Whether reading the post is a view: its owner's own reading is none.
pub fn is_view(post: &StoredPost, by: Reader) -> bool {
    !by.owns(post)
}

/// What a search looks through: title and content in lower case, made here so that both databases find the same.
pub fn search_text(title: &str, content: &str) -> String {
    // U+001F, the unit separator, so that no search in plain text matches across the border
    fold(&format!("{title}\u{1f}{content}"))
}

/// Text as a search compares it. The small sigma at the end of a word is the one inside it, or `ΟΔΥΣ` would not be
/// found in `ΟΔΥΣΣΕΥΣ`.
pub fn fold(text: &str) -> String {
    text.to_lowercase().replace('ς', "σ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Reader = Reader { id: 1, role: Role::Active };
    const STRANGER: Reader = Reader { id: 2, role: Role::Staff };
    const ADMIN: Reader = Reader { id: 3, role: Role::Admin };

    fn post(published: bool) -> StoredPost {
        StoredPost { published, ..StoredPost::for_tests(Some(1)) }
    }

    #[test]
    fn a_draft_exists_only_for_its_owner_and_admins() {
        for (reader, published, sees) in
            [(OWNER, false, true), (ADMIN, false, true), (STRANGER, false, false), (STRANGER, true, true)]
        {
            assert_eq!(visible(Some(post(published)), PostId(9), reader).is_ok(), sees, "{reader:?}");
        }
        let error = visible(None, PostId(9), OWNER).expect_err("absent");
        assert_eq!((error.code, error.detail.as_ref()), (Code::NOT_FOUND, "Post 9 not found."));
    }

    #[test]
    fn only_the_owner_admins_and_who_was_granted_it_change_and_delete_a_post() {
        let orphan = StoredPost::for_tests(None);
        for (post, reader, held, may) in [
            (post(true), OWNER, false, true),
            (post(true), ADMIN, true, true),
            (post(true), STRANGER, false, false),
            (post(true), STRANGER, true, true),
            (orphan, OWNER, false, false),
        ] {
            assert_eq!(editable(&post, reader, Held(held)).is_ok(), may, "{reader:?}");
            assert_eq!(deletable(&post, reader, Held(held)).is_ok(), may, "{reader:?}");
        }
    }

    #[test]
    fn only_the_owner_reads_without_a_view() {
        for (reader, viewed) in [(OWNER, false), (STRANGER, true), (ADMIN, true)] {
            assert_eq!(is_view(&post(true), reader), viewed, "{reader:?}");
        }
        assert!(is_view(&StoredPost::for_tests(None), OWNER));
    }

    #[test]
    fn search_text_folds_more_than_ascii() {
        assert_eq!(search_text("ÄB", "Éc"), "äb\u{1f}éc");
    }
}
