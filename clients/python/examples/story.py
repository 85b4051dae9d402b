"""The life of a post, told with the generated client: `python story.py http://127.0.0.1:3000`"""

import sys
from typing import TypeVar

from accord_client import AuthenticatedClient, Client
from accord_client.api.account import delete_user, register_user
from accord_client.api.posts import create_post, delete_post, get_post, list_posts, update_post
from accord_client.api.session import authenticate
from accord_client.models import Code, Credentials, PostCreate, PostUpdate, Problem, UserCreate

T = TypeVar("T")


def ok(answer: T | Problem | None) -> T:
    """What was asked for, or the problem raised."""
    assert answer is not None, "a status that the document does not name"
    if isinstance(answer, Problem):
        raise RuntimeError(f"{answer.code}: {answer.detail}")
    return answer


url = sys.argv[1]
email, password = "story-python@example.com", "correct horse battery"

anyone = Client(url)
registered = ok(register_user.sync(client=anyone, body=UserCreate(email, password)))
print("register")

session = ok(authenticate.sync(client=anyone, body=Credentials(email, password)))
assert session.id == registered.id
ann = AuthenticatedClient(url, session.token)
print("log in")

created = create_post.sync_detailed(client=ann, body=PostCreate("Hello", "From Python."))
post = ok(created.parsed)
for number in (2, 3):
    ok(create_post.sync(client=ann, body=PostCreate(f"Number {number}", "…", rating=5)))
print("create")

# a page names the next one: its `next` is our `cursor`
first = ok(list_posts.sync(client=ann, owner_id=session.id, limit=2))
assert first.next_ is not None, "three posts are more than a page of two"
second = ok(list_posts.sync(client=ann, owner_id=session.id, limit=2, cursor=first.next_))
assert (len(first.items), len(second.items), second.next_) == (2, 1, None)
assert second.items[0].id == post.id, "the newest come first"
print("list to the second page")

# the ETag names the version that was read: the change is made in that version or not at all
etag = created.headers["ETag"]
change = update_post.sync_detailed(post.id, client=ann, body=PostUpdate(title="Hello again"), if_match=etag)
changed = ok(change.parsed)
assert (changed.id, changed.title) == (post.id, "Hello again")
print("update with the etag")

refused = update_post.sync_detailed(post.id, client=ann, body=PostUpdate(title="Too late"), if_match=etag)
assert isinstance(refused.parsed, Problem) and refused.parsed.code == Code.PRECONDITION_FAILED
assert refused.status_code == 412
print("be refused with the old etag")

current = change.headers["ETag"]
assert get_post.sync_detailed(post.id, client=ann, if_none_match=current).status_code == 304
print("learn that nothing has changed")

# a field that is left out stays as it is; None is another word
rated = first.items[0]
unrated = ok(update_post.sync(rated.id, client=ann, body=PostUpdate(rating=None), if_match="*"))
assert (rated.rating, unrated.rating, unrated.title) == (5, None, rated.title)
print("remove the rating with null")

# `cargo xtask clients` loses the first answer to this request; the retry has the same Idempotency-Key
once = ok(create_post.sync(client=ann, body=PostCreate("Lost answer", "Created once.")))
found = ok(list_posts.sync(client=ann, owner_id=session.id, search=once.title))
assert [item.id for item in found.items] == [once.id]
assert delete_post.sync_detailed(once.id, client=ann, if_match="*").status_code == 204
print("create once though the answer is lost")

untitled = create_post.sync(client=ann, body=PostCreate("", "No title."))
assert isinstance(untitled, Problem) and untitled.code == Code.INVALID
assert untitled.errors and untitled.errors[0].pointer == "/title"
print("be told which field is at fault")

newer = Problem.from_dict({**untitled.to_dict(), "code": "of_tomorrow"})
assert newer.code == "of_tomorrow" and not isinstance(newer.code, Code)
print("read a code of a newer server")

for item in first.items + second.items:
    assert delete_post.sync_detailed(item.id, client=ann, if_match="*").status_code == 204
gone = get_post.sync(post.id, client=ann)
assert isinstance(gone, Problem) and gone.code == Code.NOT_FOUND
assert delete_user.sync_detailed(client=ann).status_code == 204
print("delete")
